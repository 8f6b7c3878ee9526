//! What an answer means.

use super::headers::OUTCOME;
use super::said;
use crate::outgoing;
use longshore_core::{Clock, Fault, FaultClass, Outcome, Payload, Span, SystemClock, Timestamp};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::timeout;

/// Largest result, in bytes.
const MAX_RESULT: usize = 64 * 1024;
/// So much of a refusal's body is kept, in bytes.
const MAX_TRACE: usize = 2 * 1024;
/// Longest pause that a target may ask for.
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(24 * 3600);
/// Says that a failure is for ever.
const NO_RETRY: &str = "longshore-no-retry";

/// How long reading a body may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Of a success: its result.
    pub(super) result: Duration,
    /// Of a refusal: what it says of itself.
    pub(super) trace: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { result: Duration::from_secs(30), trace: Duration::from_secs(2) }
    }
}

/// Reads an answer; `target` is the URL as it may be shown.
pub(super) async fn read(response: Response, target: &str, patience: Patience) -> Outcome {
    let answer = Answer { target, status: response.status(), headers: response.headers().clone() };
    let read = if answer.status == StatusCode::ACCEPTED {
        Err(answer.unusable(
            "push.202",
            "ending a task later is not available yet: answer when the work is done",
        ))
    } else if answer.status.is_success() {
        answer.success(response, patience.result).await
    } else {
        Err(answer.refusal(response, patience.trace).await)
    };
    read.unwrap_or_else(Outcome::Fault)
}

/// The head of an answer.
struct Answer<'a> {
    target: &'a str,
    status: StatusCode,
    headers: HeaderMap,
}

impl Answer<'_> {
    fn fault(&self, class: FaultClass, code: impl Into<String>, what: &str) -> Fault {
        let message = format!("{} answered {}{what}", self.target, self.status);
        Fault { code: Some(code.into()), ..Fault::new(class, message.trim_end()) }
    }

    /// A success that cannot be recorded. What was done is done: trying again would not make the
    /// answer readable.
    fn unusable(&self, code: &str, what: &str) -> Fault {
        self.fault(FaultClass::BadData, code, &format!(", but {what}"))
    }

    async fn success(&self, response: Response, patience: Duration) -> Result<Outcome, Fault> {
        if let Some(coding) = self.headers.get(CONTENT_ENCODING).filter(|one| *one != "identity") {
            let what = format!("its body is encoded ({coding:?}), which was not asked for");
            return Err(self.unusable("push.encoding", &what));
        }
        let body = match timeout(patience, gather(response, MAX_RESULT)).await {
            Ok(Ok(Gathered { body, whole: true })) => body,
            Ok(Ok(Gathered { whole: false, .. })) => {
                let what = format!(
                    "its body is larger than {} KiB, the most that a result may have",
                    MAX_RESULT / 1024
                );
                return Err(self.unusable("push.result_too_large", &what));
            }
            Ok(Err(error)) => {
                let what = format!(", but its body broke off: {}", outgoing::reason(error));
                return Err(self.fault(FaultClass::Transient, "push.broken", &what));
            }
            Err(_) => {
                let what = format!(", but its body was not there within {}", Span(patience));
                return Err(self.fault(FaultClass::Timeout, "push.slow_body", &what));
            }
        };
        let text = String::from_utf8(body)
            .map_err(|_| self.unusable("push.result_not_text", "its body is not UTF-8"))?;
        if !self.is_outcome() {
            return Ok(Outcome::Success(result_of(text)));
        }
        said::read(&text, self.target)
            .map_err(|why| self.unusable("push.outcome", &format!("its body is no outcome: {why}")))
    }

    fn is_outcome(&self) -> bool {
        let media = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = media.and_then(|media| media.split(';').next());
        essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(OUTCOME))
    }

    async fn refusal(&self, response: Response, patience: Duration) -> Fault {
        let class = if self.headers.get(NO_RETRY).is_some_and(|value| value == "true") {
            FaultClass::BadData
        } else {
            class_of(self.status)
        };
        let what = if self.status.is_redirection() { self.redirection() } else { String::new() };
        let code = format!("http.{}", self.status.as_u16());
        let mut fault = self.fault(class, code, &what);
        fault.retry_after = self.pause(SystemClock.now());
        // What it says of itself is welcome, but not worth much waiting.
        if let Ok(Ok(Gathered { body, .. })) = timeout(patience, gather(response, MAX_TRACE)).await
        {
            let text = String::from_utf8_lossy(&body);
            fault.trace = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        }
        fault
    }

    fn redirection(&self) -> String {
        let to = self.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let to = to.and_then(|to| Url::parse(to).ok()).map(|url| outgoing::shown(&url));
        let to = to.map(|url| format!(" to {url}")).unwrap_or_default();
        format!("{to}: redirects are not followed, push to the final URL")
    }

    /// The pause that was asked for; none if it is over already, so that the policy's own counts.
    fn pause(&self, now: Timestamp) -> Option<Duration> {
        let asked = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let pause = if !asked.is_empty() && asked.bytes().all(|b| b.is_ascii_digit()) {
            // Too many digits for a number are a very long time.
            asked.parse().map_or(MAX_PAUSE, Duration::from_secs)
        } else {
            let date = httpdate::parse_http_date(asked).ok()?;
            let date = date.duration_since(std::time::UNIX_EPOCH).ok()?;
            Timestamp::default().after(date).since(now)
        };
        Some(pause.min(MAX_PAUSE)).filter(|pause| !pause.is_zero())
    }
}

fn class_of(status: StatusCode) -> FaultClass {
    match status.as_u16() {
        429 => FaultClass::RateLimited,
        300..=399 | 502 | 503 | 504 => FaultClass::Dependency,
        408 | 425 => FaultClass::Transient,
        400..=499 => FaultClass::BadData,
        _ => FaultClass::Transient,
    }
}

/// The beginning of a body, and whether that is all of it.
struct Gathered {
    body: Vec<u8>,
    whole: bool,
}

/// Reads a body up to `most` bytes. What is not read closes the connection.
async fn gather(mut response: Response, most: usize) -> Result<Gathered, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = most - body.len();
        body.extend_from_slice(&chunk[..room.min(chunk.len())]);
        if chunk.len() > room {
            return Ok(Gathered { body, whole: false });
        }
    }
    Ok(Gathered { body, whole: true })
}

/// A body as a result: JSON if it is JSON, else a string; nothing, or `null`, is no result.
fn result_of(text: String) -> Option<Payload> {
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(raw) if raw.get() == "null" => None,
        Ok(raw) => Some(Payload::from_json(raw.get())),
        Err(_) if text.trim().is_empty() => None,
        // A string always serializes.
        Err(_) => serde_json::to_string(&text).ok().map(Payload::from_json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(asked: &str) -> Option<u64> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, asked.parse().unwrap())]);
        let answer = Answer { target: "", status: StatusCode::SERVICE_UNAVAILABLE, headers };
        // Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
        answer.pause(Timestamp(784_111_777_000)).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_pause_is_seconds_or_a_date_and_at_most_a_day() {
        assert_eq!(pause("120"), Some(120));
        assert_eq!(pause("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(pause("Sunday, 06-Nov-94 08:50:07 GMT"), Some(30));
        for none in ["0", "", "-5", "soon", "1.5", "Sun, 06 Nov 1994 08:49:07 GMT"] {
            assert_eq!(pause(none), None, "{none}");
        }
        for long in ["86401", "99999999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(pause(long), Some(86_400), "{long}");
        }
    }

    #[test]
    fn a_body_is_json_or_a_string_or_nothing() {
        let result = |text: &str| result_of(text.into()).map(|json| json.as_str().to_owned());
        assert_eq!(result(r#" {"n": 1.10} "#).as_deref(), Some(r#"{"n": 1.10}"#));
        assert_eq!(result("done\n").as_deref(), Some(r#""done\n""#));
        assert_eq!((result(""), result(" \n"), result("null")), (None, None, None));
    }
}
