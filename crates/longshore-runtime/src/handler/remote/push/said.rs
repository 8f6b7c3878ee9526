//! An answer that says itself what it means: `application/vnd.longshore.outcome+json`.

use longshore_core::{Fault, Outcome, Payload, Span};
use serde_json::value::RawValue;

/// Longest message of a target's own that is kept, in characters.
const MAX_MESSAGE: usize = 1_000;

#[derive(serde::Deserialize)]
struct Said {
    status: Status,
    result: Option<Box<RawValue>>,
    message: Option<String>,
    retry_in: Option<Span>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Retry,
    Drop,
}

/// Reads it, or says why it cannot be read. Fields that are not known here are passed over.
pub(super) fn read(text: &str, target: &str) -> Result<Outcome, String> {
    let said: Said = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let message = said.message.map(|text| text.chars().take(MAX_MESSAGE).collect::<String>());
    let or = |otherwise: &str| message.unwrap_or_else(|| format!("{target} {otherwise}"));
    Ok(match said.status {
        Status::Success => {
            let result = said.result.filter(|raw| raw.get() != "null");
            Outcome::Success(result.map(|raw| Payload::from_json(raw.get())))
        }
        Status::Retry => {
            let fault = Fault::transient(or("asks to be tried again"));
            let pause = said.retry_in.map(|Span(pause)| pause.min(super::answer::MAX_PAUSE));
            let pause = pause.filter(|pause| !pause.is_zero());
            Outcome::Fault(Fault { code: Some("push.retry".into()), retry_after: pause, ..fault })
        }
        Status::Drop => Outcome::Discard(or("asks to drop the task")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_status_has_its_outcome() {
        let read = |text| super::read(text, "http://t/").unwrap();
        let done = read(r#"{"status": "SUCCESS", "result": {"n": 1.10}, "more": 1}"#);
        assert_eq!(done, Outcome::Success(Some(Payload::from_json(r#"{"n": 1.10}"#))));
        assert_eq!(read(r#"{"status": "SUCCESS"}"#), Outcome::Success(None));
        assert_eq!(
            read(r#"{"status": "DROP", "message": "sold out"}"#),
            Outcome::Discard("sold out".into())
        );
        let Outcome::Fault(fault) = read(r#"{"status": "RETRY", "retry_in": "90s"}"#) else {
            panic!("a fault");
        };
        assert_eq!(fault.retry_after, Some(Duration::from_secs(90)));
        assert_eq!(fault.message, "http://t/ asks to be tried again");
    }

    #[test]
    fn what_is_no_outcome_says_why() {
        for (text, part) in [
            ("", "EOF"),
            ("{}", "status"),
            (r#"{"status": "DONE"}"#, "DONE"),
            (r#"{"status": "RETRY", "retry_in": "soon"}"#, "duration"),
        ] {
            let why = read(text, "").unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }
}
