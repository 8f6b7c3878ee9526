//! Submitting until it is certain.
//!
//! A submit that fails on its way is repeated with the same idempotency key and the same bytes, so
//! that it makes one task at most. If even that does not tell what became of it, the error says so.

use super::submit::InBatch;
use super::{BatchItem, Client, ClientError, Rejected, Stored, Submit, Submitted};
use longshore_core::{State, TaskId};
use longshore_runtime::FieldError;
use reqwest::header::HeaderValue;
use serde_json::value::RawValue;
use std::future::Future;
use std::time::Duration;

/// How often a request is sent, the first time included.
const TRIES: u32 = 5;
/// First pause between two tries; doubled each time.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest pause that the service may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(10);

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";

impl Client {
    /// Submits a task; returns once it is on stable storage.
    ///
    /// Where the network fails or the service is busy (429, 503), it is sent up to 5 times, with
    /// pauses from 100 ms on (or as the service asks, up to 10 s), always with the same
    /// idempotency key. [`ClientError::Unknown`] means that it may or may not have been stored.
    pub async fn submit(&self, submit: &Submit) -> Result<Submitted, ClientError> {
        let body = written(submit)?;
        let key = submit.idempotency_key.clone().unwrap_or_else(fresh_key);
        self.post_once(&["v1", "tasks"], Some(body), key).await
    }

    /// Submits a task like that one.
    pub(super) async fn submit_replay(
        &self,
        id: TaskId,
        payload: Option<&RawValue>,
    ) -> Result<Submitted, ClientError> {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            payload: &'a RawValue,
        }
        let body = payload.map(|payload| written(&Body { payload })).transpose()?;
        self.post_once(&["v1", "tasks", &id.to_string(), "replay"], body, fresh_key()).await
    }

    /// Posts under an idempotency key until it is certain what became of it.
    async fn post_once(
        &self,
        path: &[&str],
        body: Option<bytes::Bytes>,
        key: String,
    ) -> Result<Submitted, ClientError> {
        let value = HeaderValue::try_from(&key).map_err(|_| {
            ClientError::unusable("the idempotency key", "must be visible ASCII characters")
        })?;
        let ask = self.post(path).header(KEY, value);
        let ask = if let Some(body) = body { ask.body(body) } else { ask };
        let send = || {
            let ask = ask.clone();
            async move {
                let answer = ask.answer().await?.success()?;
                let new = answer.status == 201 && !answer.headers.contains_key(REPLAYED);
                Ok(Submitted { new, ..answer.read()? })
            }
        };
        until_certain(send, &key).await
    }

    /// Submits up to 10,000 tasks at once, all with one sync of the disk; returns what became of
    /// each, in the same order. One that is refused does not hold back the others.
    ///
    /// It is repeated as [`Client::submit`] is: each task has its own idempotency key. The whole
    /// request may have 16 MiB.
    pub async fn submit_all(&self, tasks: Vec<Submit>) -> Result<Vec<BatchItem>, ClientError> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let items: Vec<InBatch<'_>> = tasks.iter().map(Submit::in_batch).collect();
        let (body, sent) = (written(&items)?, tasks.len());
        let send = || {
            let ask = self.post(&["v1", "tasks:batch"]).body(body.clone());
            async move {
                let answer = ask.answer().await?.success()?;
                let Items { items } = answer.read()?;
                if items.len() != sent {
                    let why = format!("{sent} tasks were sent, it has {}", items.len());
                    return Err(ClientError::Protocol { status: answer.status, why });
                }
                Ok(items.into_iter().map(BatchItem::from).collect())
            }
        };
        until_certain(send, "one for each task").await
    }
}

fn fresh_key() -> String {
    TaskId::fresh().to_string()
}

fn written<T: serde::Serialize>(value: &T) -> Result<bytes::Bytes, ClientError> {
    let written = serde_json::to_vec(value);
    written.map(Into::into).map_err(|why| {
        ClientError::unusable("the task", format!("cannot be written as JSON: {why}"))
    })
}

async fn until_certain<T, Fut>(mut send: impl FnMut() -> Fut, key: &str) -> Result<T, ClientError>
where
    Fut: Future<Output = Result<T, ClientError>>,
{
    let mut doubtful = false;
    let mut pause = PAUSE;
    let mut left = TRIES;
    loop {
        left -= 1;
        let error = match send().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        doubtful |= error.is_doubtful();
        if left > 0 && error.may_pass() {
            let asked = error.retry_after().unwrap_or(pause).min(MAX_PAUSE);
            // Up to a fifth more, so that many clients do not come back together.
            tokio::time::sleep(asked.mul_f64(1.0 + 0.2 * fastrand::f64())).await;
            pause *= 2;
            continue;
        }
        if doubtful && !error.is_refusal() {
            return Err(ClientError::Unknown { key: key.to_owned(), source: Box::new(error) });
        }
        return Err(error);
    }
}

#[derive(serde::Deserialize)]
struct Items {
    items: Vec<Item>,
}

/// Either half of a [`BatchItem`].
#[derive(serde::Deserialize)]
struct Item {
    id: Option<TaskId>,
    status: Option<State>,
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(serde::Deserialize)]
struct Fault {
    field: String,
    message: String,
}

impl From<Item> for BatchItem {
    fn from(item: Item) -> Self {
        let Item { id, status, code, message, errors } = item;
        if let (Some(id), Some(status)) = (id, status) {
            return Ok(Stored { id, status });
        }
        let fault = |Fault { field, message }| FieldError::new(field, message);
        let errors = errors.into_iter().map(fault).collect();
        Err(Rejected { code, message, errors })
    }
}
