//! Where the service is, and how one request goes there.

use super::{ClientError, Consumers, DeadLetters, Queues, Schedules, Tasks, Workers};
use longshore_runtime::{FieldError, outgoing};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use std::fmt;
use std::time::Duration;

/// How long one request may take, unless it is told to wait.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// Asks for the bare resource.
const BARE: &str = "application/vnd.longshore+json";

/// A client of one service. Cheap to clone; connections are kept and shared by all clones.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<Key>,
    timeout: Duration,
}

/// What is shown with every request. It never prints itself.
#[derive(Clone)]
struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.base.as_str())
            .field("key", &self.key)
            .field("timeout", &self.timeout)
            .finish()
    }
}

impl Client {
    /// Makes a client of the service at `url`, such as `http://127.0.0.1:8080` or
    /// `https://tasks.example.com/longshore`. Nothing is sent yet.
    pub fn connect(url: &str) -> Result<Self, ClientError> {
        let base = base_of(url)?;
        let unusable = |why: String| ClientError::unusable("the system's TLS or DNS", why);
        let http = outgoing::builder().map_err(|why| unusable(why.to_string()))?;
        let http = http.build().map_err(|error| unusable(outgoing::reason(error)))?;
        Ok(Self { http, base, key: None, timeout: TIMEOUT })
    }

    /// Shows this key (`ls_…`) with every request.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Key(key.into()));
        self
    }

    /// How long one request may take. A wait for a task's end comes on top. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Returns where the service is.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// Returns the tasks: to look at, to wait for, to act on.
    pub fn tasks(&self) -> Tasks<'_> {
        Tasks(self)
    }

    /// Returns the queues.
    pub fn queues(&self) -> Queues<'_> {
        Queues(self)
    }

    /// Returns the schedules.
    pub fn schedules(&self) -> Schedules<'_> {
        Schedules(self)
    }

    /// Returns the consumers of messages.
    pub fn consumers(&self) -> Consumers<'_> {
        Consumers(self)
    }

    /// Returns the workers.
    pub fn workers(&self) -> Workers<'_> {
        Workers(self)
    }

    /// Returns the dead letters.
    pub fn dead_letters(&self) -> DeadLetters<'_> {
        DeadLetters(self)
    }

    /// Begins a request to the path of these segments.
    pub(crate) fn ask(&self, method: Method, path: &[&str]) -> Ask<'_> {
        let mut url = self.base.clone();
        // Every http(s) URL has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        Ask {
            client: self,
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            wait: Duration::ZERO,
        }
    }

    pub(crate) fn get(&self, path: &[&str]) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &[&str]) -> Ask<'_> {
        self.ask(Method::POST, path)
    }
}

fn base_of(url: &str) -> Result<Url, ClientError> {
    let wrong = |why: &str| ClientError::unusable("the address", why);
    let base: Url =
        url.parse().map_err(|_| wrong("must be a URL, such as http://127.0.0.1:8080"))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(wrong("must begin with http:// or https://"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("must not hold a user or password; give a key instead"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("must not have a query or fragment"));
    }
    Ok(base)
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    client: &'a Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<bytes::Bytes>,
    wait: Duration,
}

impl Ask<'_> {
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends JSON.
    pub(crate) fn body(mut self, json: impl Into<bytes::Bytes>) -> Self {
        self.body = Some(json.into());
        self
    }

    /// Lets the service take this much longer, which is asked for.
    pub(crate) fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sends it and reads a success.
    pub(crate) async fn read<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        self.answer().await?.success()?.read()
    }

    /// Sends it, and returns whatever is answered.
    pub(crate) async fn answer(self) -> Result<Answer, ClientError> {
        let waited = self.client.timeout + self.wait;
        let mut url = self.url.clone();
        url.set_query(None);
        match tokio::time::timeout(waited, self.exchange(&url)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Timeout { waited }),
        }
    }

    async fn exchange(mut self, shown: &Url) -> Result<Answer, ClientError> {
        self.headers.insert(ACCEPT, HeaderValue::from_static(BARE));
        if let Some(Key(key)) = &self.client.key {
            let value = HeaderValue::try_from(format!("Bearer {key}"));
            let mut value = value.map_err(|_| {
                ClientError::unusable("the key", "must not hold spaces or control characters")
            })?;
            value.set_sensitive(true);
            self.headers.insert(AUTHORIZATION, value);
        }
        let mut request = self.client.http.request(self.method, self.url);
        if let Some(body) = self.body {
            self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(body);
        }
        let mut response = request.headers(self.headers).send().await.map_err(|error| {
            let unreachable = error.is_connect();
            let why = outgoing::reason(error);
            match unreachable {
                true => ClientError::Unreachable { url: shown.to_string(), why },
                false => ClientError::Broken { why },
            }
        })?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        let broken = |error| ClientError::Broken { why: outgoing::reason(error) };
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let why = format!("it is larger than {} MiB", MAX_ANSWER >> 20);
                return Err(ClientError::Protocol { status, why });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

/// One answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The parts of an error's body that count here.
#[derive(serde::Deserialize)]
struct Problem {
    code: u32,
    message: String,
    #[serde(default)]
    errors: Vec<Field>,
    #[serde(default)]
    trace_id: Option<String>,
}

#[derive(serde::Deserialize)]
struct Field {
    field: String,
    message: String,
}

impl Answer {
    /// Returns it if it is a success, else what the service says is wrong.
    pub(crate) fn success(self) -> Result<Self, ClientError> {
        let status = self.status;
        if (200..300).contains(&status) {
            return Ok(self);
        }
        if status < 400 {
            let why = "it is a redirect, which is not followed: use the final address".into();
            return Err(ClientError::Protocol { status, why });
        }
        let retry_after = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok());
        let problem = serde_json::from_slice(&self.body).unwrap_or_else(|_| Problem {
            // Something between us and the service answered.
            code: u32::from(status) * 100,
            message: format!("the answer has status {status}"),
            errors: Vec::new(),
            trace_id: None,
        });
        Err(ClientError::Api {
            status,
            code: problem.code,
            message: problem.message,
            errors: problem
                .errors
                .into_iter()
                .map(|Field { field, message }| FieldError::new(field, message))
                .collect(),
            retry_after: retry_after.map(Duration::from_secs),
            trace_id: problem.trace_id,
        })
    }

    /// Reads the body.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| ClientError::Protocol {
            status: self.status,
            why: format!("its body cannot be read: {error}"),
        })
    }
}
