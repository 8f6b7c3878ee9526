//! Messages that a client wants published: one object, or an array of them.

use super::object::{self, MAX_DEPTH, Object, too_deep};
use super::query::unknown;
use super::value::{self, Wrong};
use crate::codes;
use crate::problem::Problem;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use longshore_runtime::FieldError;
use longshore_runtime::messages::publish::NewMessage;
use longshore_runtime::nearest::nearest;
use serde_json::value::RawValue;

/// The fields of a message.
pub(crate) const FIELDS: [&str; 6] =
    ["payload", "payload_base64", "key", "headers", "id", "content_type"];
/// Most messages of one request.
pub(crate) const MAX_MESSAGES: usize = 1_000;

/// Reads a body. Each message may have `max_item` bytes. Whatever is wrong, all of it is told and nothing is published.
pub(crate) fn read(body: &Bytes, max_item: usize) -> Result<Vec<NewMessage>, Problem> {
    let mut faults = Vec::new();
    let messages = match body.trim_ascii_start().first() {
        Some(b'[') => {
            let mut messages = Vec::new();
            for (place, item) in items(body)?.into_iter().enumerate() {
                let text = item.get().as_bytes();
                check_size(text.len(), max_item)?;
                let object =
                    object::read(text).map_err(|why| why.inside(&format!("item {place}")))?;
                messages.push(message(object, body, &format!("[{place}]."), &mut faults));
            }
            messages
        }
        _ => {
            check_size(body.len(), max_item)?;
            vec![message(object::read(body)?, body, "", &mut faults)]
        }
    };
    if faults.is_empty() { Ok(messages) } else { Err(Problem::fields(faults)) }
}

fn check_size(size: usize, max: usize) -> Result<(), Problem> {
    if size <= max {
        return Ok(());
    }
    Err(Problem::new(&codes::TOO_LARGE, format!("a message may have at most {max} bytes")))
}

fn items(body: &Bytes) -> Result<Vec<&RawValue>, Problem> {
    let malformed = |why: String| Problem::new(&codes::MALFORMED, why);
    let text = std::str::from_utf8(body)
        .map_err(|why| malformed(format!("no UTF-8 from byte {} on", why.valid_up_to())))?;
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|why| malformed(why.to_string()))?;
    if !(1..=MAX_MESSAGES).contains(&items.len()) {
        let message =
            format!("the array must have 1..{MAX_MESSAGES} messages, not {}", items.len());
        return Err(Problem::new(&codes::INVALID, message));
    }
    // The brackets of the array are one level.
    match items.iter().any(|item| object::is_deeper(item.get().as_bytes(), MAX_DEPTH - 1)) {
        true => Err(too_deep()),
        false => Ok(items),
    }
}

fn message(object: Object<'_>, body: &Bytes, at: &str, faults: &mut Vec<FieldError>) -> NewMessage {
    let mut fault = |name: &str, wrong: Wrong| {
        faults.push(FieldError::new(format!("{at}{name}"), wrong));
    };
    for name in object.repeated {
        fault(&name, "is given more than once".into());
    }
    let mut message = NewMessage::default();
    let (mut json, mut base64) = (false, false);
    for (name, raw) in object.fields {
        if !FIELDS.contains(&&*name) {
            fault(&name, unknown("field", &nearest(&name, FIELDS)));
            continue;
        }
        if value::is_null(raw) && name != "payload" {
            continue;
        }
        let read = match &*name {
            "payload" => {
                json = true;
                // A slice of the body: the very bytes that were sent.
                value::json(raw, body)
                    .map(|_| message.payload = body.slice_ref(raw.get().as_bytes()))
            }
            "payload_base64" => {
                base64 = true;
                bytes(raw).map(|payload| message.payload = payload)
            }
            "key" => value::text(raw).map(|key| message.key = Some(key)),
            "id" => value::text(raw).map(|id| message.id = Some(id)),
            "content_type" => value::text(raw).map(|said| message.content_type = Some(said)),
            _ => headers(raw).map(|headers| message.headers = headers),
        };
        if let Err(wrong) = read {
            fault(&name, wrong);
        }
    }
    match (json, base64) {
        (true, true) => {
            fault("payload_base64", "does not go with payload; give one of them".into())
        }
        (false, false) => fault("payload", "is required, or payload_base64".into()),
        (true, false) if message.content_type.is_none() => {
            message.content_type = Some("application/json".into());
        }
        _ => {}
    }
    // What only the whole can show.
    if let Err(bad) = message.clone().envelope(None) {
        fault(bad.field, bad.message);
    }
    message
}

fn bytes(raw: &RawValue) -> Result<Bytes, Wrong> {
    let text = value::text(raw)?;
    let bytes = BASE64_STANDARD.decode(text).map_err(|why| format!("must be base64: {why}"))?;
    Ok(bytes.into())
}

fn headers(raw: &RawValue) -> Result<Vec<(String, String)>, Wrong> {
    let Object { fields, repeated } =
        value::object(raw).map_err(|_| "must be an object of at most 32 strings".to_owned())?;
    if let Some(name) = repeated.first() {
        return Err(format!("{name} is given more than once"));
    }
    let pair = |(name, raw): (std::borrow::Cow<'_, str>, &RawValue)| {
        let text = value::text(raw).map_err(|wrong| format!("{name} {wrong}"))?;
        Ok((name.into_owned(), text))
    };
    fields.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(body: &str) -> Vec<(String, String)> {
        let problem = read(&Bytes::copy_from_slice(body.as_bytes()), 1_000).expect_err(body);
        let errors = problem.errors(10);
        errors.iter().map(|error| (error.field.clone(), error.message.clone())).collect()
    }

    #[test]
    fn a_payload_is_taken_byte_for_byte() {
        let body =
            Bytes::from_static(br#" [{"payload": {"n":  1.00}}, {"payload_base64": "/w=="}] "#);
        let messages = read(&body, 1_000).unwrap();
        assert_eq!(messages[0].payload, r#"{"n":  1.00}"#);
        assert_eq!(messages[0].content_type.as_deref(), Some("application/json"));
        assert_eq!((&messages[1].payload[..], &messages[1].content_type), (&[0xff][..], &None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (body, field, message) in [
            ("{}", "payload", "is required, or payload_base64"),
            (r#"{"payload":1,"payload_base64":""}"#, "payload_base64", "does not go with payload"),
            (r#"{"payload_base64":"?"}"#, "payload_base64", "must be base64"),
            (r#"{"payload":1,"paylod":2}"#, "paylod", "is not a known field; did you mean payload"),
            (r#"[{"payload":1},{"payload":1,"key":7}]"#, "[1].key", "must be a string"),
            (r#"{"payload":1,"headers":{"ls-id":"x"}}"#, "headers", "the header ls-id is reserved"),
            (r#"{"payload":1,"headers":{"a":1}}"#, "headers", "a must be a string"),
            (r#"{"payload":1,"id":""}"#, "id", "must have 1..128 bytes"),
            (r#"{"payload":1,"payload":2}"#, "payload", "is given more than once"),
        ] {
            let faults = faults(body);
            assert_eq!(faults[0].0, field, "{faults:?}");
            assert!(faults[0].1.starts_with(message), "{faults:?}");
        }
    }

    #[test]
    fn sizes_and_counts_are_bounded() {
        let code = |body: String| read(&body.into(), 100).unwrap_err().code().number;
        assert_eq!(code(format!(r#"{{"payload":"{}"}}"#, "x".repeat(100))), 41301);
        assert_eq!(code("[]".into()), 40001);
        assert_eq!(code(format!("[{}]", vec![r#"{"payload":1}"#; 1_001].join(","))), 40001);
        assert_eq!(code("[1".into()), 40002);
        assert_eq!(code("[7]".into()), 40001);
    }
}
