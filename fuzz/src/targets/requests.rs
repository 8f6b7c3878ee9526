//! What comes around a body: query parameters with their cursors, and headers.

use crate::door::Door;
use crate::{Came, Target};
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;

/// Whatever takes a query; the first byte of an input picks one.
const LISTS: [&str; 6] =
    ["/v1/tasks", "/v1/dead-letters", "/v1/audit", "/v1/queues", "/readyz", "/v1/tasks/0"];

/// Query parameters.
pub(super) struct Query(Door);

/// Headers, one a line, of a `POST /v1/tasks`.
pub(super) struct Headers(Door);

impl Query {
    pub(super) fn new() -> Self {
        Self(Door::open())
    }
}

impl Headers {
    pub(super) fn new() -> Self {
        Self(Door::open())
    }
}

impl Target for Query {
    fn name(&self) -> &'static str {
        "query"
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "status=",
            "queue=",
            "kind=",
            "tag=",
            "tenant=",
            "created=gt:",
            "created=lt:",
            "cursor=",
            "limit=",
            "error=",
            "wait=",
            "verbose",
            "scope=",
            "&",
            "=",
            ",",
            "%2C",
            "failed",
            "default",
            "2027-01-01T00:00:00Z",
        ]
    }

    /// A list that is answered is a list, no longer than was asked for.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let (first, query) = input.split_first().unwrap_or((&0, b""));
        let list = LISTS[usize::from(*first) % LISTS.len()];
        let path = [list.as_bytes(), b"?", query].concat();
        let Ok(path) = Uri::try_from(path) else { return Ok(Came::refused("no URI")) };
        let answer = self.0.get(&path.to_string())?;
        let sign = format!("{list} {}", answer.sign()?);
        if !answer.status.is_success() {
            return Ok(Came::refused(sign));
        }
        if list.starts_with("/v1") {
            let body = answer.json()?;
            let items = body["data"]["items"].as_array().ok_or("a list without items")?;
            if items.len() > 1_000 {
                return Err(format!("{} items", items.len()));
            }
        }
        Ok(Came::accepted(sign))
    }
}

impl Target for Headers {
    fn name(&self) -> &'static str {
        "headers"
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "idempotency-key: ",
            "traceparent: ",
            "tracestate: ",
            "content-type: ",
            "content-encoding: ",
            "content-length: ",
            "accept: ",
            "accept-encoding: ",
            "prefer: ",
            "x-request-id: ",
            "host: ",
            "if-none-match: ",
            "application/json",
            "gzip",
            "br",
            "localhost",
            "; charset=utf-8",
            "\n",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ]
    }

    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let mut request = Request::post("/v1/tasks").header("host", "localhost");
        for line in input.split(|byte| *byte == b'\n').take(40) {
            let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
            let name = HeaderName::from_bytes(line[..at].trim_ascii());
            let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (name, value) {
                request = request.header(name, value);
            }
        }
        let body = Full::from(&br#"{"kind":"hello","payload":null}"#[..]);
        let answer = self.0.ask(request.body(body).map_err(|error| error.to_string())?)?;
        // A list as its answer may be compressed, and an error may be text where it is asked for.
        let sign = answer.status.as_u16().to_string();
        if answer.status.is_success() {
            self.0.took(1)?;
            return Ok(Came::accepted(sign));
        }
        Ok(Came::refused(answer.sign().unwrap_or(sign)))
    }
}
