//! One attempt: the request, and the way to its answer.

use super::answer::{self, Patience};
use super::headers;
use super::spec::{self, PushError, PushSpec};
use crate::handler::{BoxHandler, Call, Cx, Handler};
use crate::outgoing::{self, NoClient};
use crate::signature::Secret;
use longshore_core::{Fault, FaultClass, Outcome, Span};
use reqwest::header::HeaderMap;
use reqwest::{Client, Url};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How much sooner than the attempt's deadline the call ends, at most: so that what is recorded
/// says what it waited for.
const MARGIN: Duration = Duration::from_millis(100);

/// Time is counted in steps of this; one that took longer by [`STALL`] counts as if it had not.
const STEP: Duration = Duration::from_millis(250);
/// The process stood still: that is not held against the target.
const STALL: Duration = Duration::from_secs(2);

/// Makes a handler that pushes; see the [module](super) for what is sent and how answers count.
///
/// All pushes of a process share one pool of connections.
pub fn push(spec: PushSpec) -> Result<BoxHandler, PushError> {
    let target = Target::new(spec, shared_client()?, Patience::default())?;
    Ok(BoxHandler::new(Push(Arc::new(target))))
}

/// The one client of the process, made at the first push.
fn shared_client() -> Result<Client, NoClient> {
    static CLIENT: OnceLock<Result<Client, NoClient>> = OnceLock::new();
    let made = CLIENT.get_or_init(|| {
        outgoing::builder()?.build().map_err(|error| NoClient::new(outgoing::reason(error)))
    });
    made.clone()
}

struct Push(Arc<Target>);

struct Target {
    client: Client,
    url: Url,
    /// The URL as it may be shown.
    shown: String,
    headers: HeaderMap,
    secrets: Vec<Secret>,
    patience: Patience,
}

impl Handler for Push {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let target = self.0.clone();
        Box::pin(async move { target.attempt(Cx(call)).await })
    }

    fn runs_outside(&self) -> bool {
        true
    }
}

impl Target {
    fn new(spec: PushSpec, client: Client, patience: Patience) -> Result<Self, PushError> {
        let url = spec::url_of(&spec)?;
        let (shown, headers) = (outgoing::shown(&url), spec::headers_of(&spec)?);
        Ok(Self { client, url, shown, headers, secrets: spec.secrets, patience })
    }

    /// Dropping a request closes its connection: the service can see that nobody waits any more.
    async fn attempt(&self, cx: Cx) -> Outcome {
        let left = cx.deadline().saturating_duration_since(Instant::now());
        tokio::select! {
            biased;
            () = cx.stopped() => Outcome::Cancelled,
            outcome = self.exchange(&cx) => outcome,
            () = passed(left - MARGIN.min(left / 20)) => self.too_late(&cx),
        }
    }

    async fn exchange(&self, cx: &Cx) -> Outcome {
        let body = cx.0.body();
        let headers = headers::of_attempt(cx, &body, &self.headers, &self.secrets);
        let request = self.client.post(self.url.clone()).headers(headers).body(body);
        match request.send().await {
            Ok(response) => answer::read(response, &self.shown, self.patience).await,
            Err(error) => Outcome::Fault(self.unanswered(error)),
        }
    }

    fn unanswered(&self, error: reqwest::Error) -> Fault {
        let (class, code, what) = if error.is_connect() {
            (FaultClass::Dependency, "push.connect", "cannot be reached")
        } else {
            (FaultClass::Transient, "push.broken", "broke off before it answered")
        };
        let message = format!("{} {what}: {}", self.shown, outgoing::reason(error));
        Fault { code: Some(code.into()), ..Fault::new(class, message) }
    }

    fn too_late(&self, cx: &Cx) -> Outcome {
        let task = &cx.0.task;
        let allowed = task.total_left.unwrap_or(task.timeout.0).min(task.timeout.0);
        let message = format!("{} did not answer within {}", self.shown, Span(allowed));
        let fault = Fault::new(FaultClass::Timeout, message);
        Outcome::Fault(Fault { code: Some("push.timeout".into()), ..fault })
    }
}

/// Returns once that much time has passed in which the process ran.
async fn passed(time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let (step, began) = (left.min(STEP), Instant::now());
        tokio::time::sleep(step).await;
        let took = began.elapsed();
        left = left.saturating_sub(if took > step + STALL { step } else { took });
    }
}

#[cfg(test)]
mod tests;
