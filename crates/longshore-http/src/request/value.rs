//! Single values: from the text of a field to what it means, or to what would be right.

use super::object::Object;
use bytes::Bytes;
use longshore_core::{Payload, Span, TaskId, Timestamp};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What is wrong with a value and what would be right.
pub(crate) type Wrong = String;

/// Returns whether it is `null`: the same as a field that is not there.
pub(crate) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// Takes JSON of any sort, as a slice of the body: nothing is copied.
pub(crate) fn json(raw: &RawValue, body: &Bytes) -> Result<Payload, Wrong> {
    if has_lone_surrogate(raw.get().as_bytes()) {
        return Err("has a string with half of a surrogate pair, which many cannot read".into());
    }
    Payload::from_bytes(body.slice_ref(raw.get().as_bytes())).map_err(|error| error.to_string())
}

/// Returns whether an escape in this JSON stands for half a character: the grammar allows it, and
/// those who read it may not.
fn has_lone_surrogate(json: &[u8]) -> bool {
    let mut rest = json;
    let mut high = false;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = &rest[at..];
        let is_low = matches!(escape, [_, b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..]);
        let is_high =
            matches!(escape, [_, b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..]);
        let follows = high && at == 0;
        if is_low != follows || (high && !is_low) {
            return true;
        }
        high = is_high;
        rest = &escape[if escape.get(1) == Some(&b'u') { escape.len().min(6) } else { 2 }..];
    }
    high
}

/// Reads a string.
pub(crate) fn text(raw: &RawValue) -> Result<String, Wrong> {
    must_begin(raw, b'"', "a string")?;
    let text: Cow<'_, str> = serde_json::from_str(raw.get())
        .map_err(|_| "must be a string of valid Unicode".to_owned())?;
    Ok(text.into_owned())
}

/// Reads a whole number.
pub(crate) fn whole(raw: &RawValue) -> Result<i64, Wrong> {
    if !is_number(raw) {
        return Err(format!("must be a whole number, is {}", sort(raw)));
    }
    raw.get().parse().map_err(|_| "must be a whole number".into())
}

/// Reads a duration: text such as `1h30m`, or a number of seconds.
pub(crate) fn span(raw: &RawValue) -> Result<Span, Wrong> {
    let read = if is_number(raw) {
        raw.get().parse().ok().and_then(|seconds| Span::from_seconds(seconds).ok())
    } else {
        text(raw).ok().and_then(|text| text.parse().ok())
    };
    read.ok_or_else(|| longshore_core::span::BadSpan.to_string())
}

/// Reads a time: RFC 3339 with a zone.
pub(crate) fn time(raw: &RawValue) -> Result<Timestamp, Wrong> {
    let read = text(raw).ok().and_then(|text| Timestamp::parse(&text));
    read.ok_or_else(|| {
        "must be an RFC 3339 time with a zone, such as \"2026-11-20T09:00:00Z\"".into()
    })
}

/// Reads an id.
pub(crate) fn id(raw: &RawValue) -> Result<TaskId, Wrong> {
    text(raw)
        .ok()
        .and_then(|text| id_of(&text))
        .ok_or_else(|| "must be a UUID, such as \"0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70\"".into())
}

/// Reads an id in its usual form of 36 characters.
pub(crate) fn id_of(text: &str) -> Option<TaskId> {
    (text.len() == 36).then(|| text.parse().ok()).flatten()
}

/// Returns the texts of an array's items.
pub(crate) fn items(raw: &RawValue) -> Result<Vec<&RawValue>, Wrong> {
    must_begin(raw, b'[', "an array")?;
    serde_json::from_str(raw.get()).map_err(|_| "must be an array".into())
}

/// Returns the fields of an object.
pub(crate) fn object(raw: &RawValue) -> Result<Object<'_>, Wrong> {
    must_begin(raw, b'{', "an object")?;
    serde_json::from_str(raw.get()).map_err(|_| "must be an object of at most 64 fields".into())
}

fn must_begin(raw: &RawValue, with: u8, what: &str) -> Result<(), Wrong> {
    if first(raw) == with { Ok(()) } else { Err(format!("must be {what}, is {}", sort(raw))) }
}

/// Says what sort of value it is.
pub(crate) fn sort(raw: &RawValue) -> &'static str {
    match first(raw) {
        b'"' => "a string",
        b'{' => "an object",
        b'[' => "an array",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}

fn is_number(raw: &RawValue) -> bool {
    matches!(first(raw), b'-' | b'0'..=b'9')
}

fn first(raw: &RawValue) -> u8 {
    raw.get().as_bytes().first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn half_a_character_is_no_payload() {
        for whole in
            [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""a\u00e9\n""#, "1", r#"{"\u0064":[]}"#]
        {
            assert!(!has_lone_surrogate(whole.as_bytes()), "{whole}");
        }
        for half in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d \ude00""#,
            r#""\uD83D\ud83d\ude00""#,
            r#"["\ud83d","\ude00"]"#,
        ] {
            assert!(has_lone_surrogate(half.as_bytes()), "{half}");
        }
    }

    #[test]
    fn durations_are_text_or_seconds() {
        for (json, millis) in
            [("\"1h30m\"", 5_400_000), ("2", 2_000), ("0.25", 250), ("1e1", 10_000)]
        {
            assert_eq!(span(raw(json)).unwrap().as_millis(), millis, "{json}");
        }
        for bad in ["-1", "\"soon\"", "true", "{}", "1e300", "\"1\""] {
            assert!(span(raw(bad)).unwrap_err().contains("1h30m"), "{bad}");
        }
    }

    #[test]
    fn times_need_their_zone() {
        let at = time(raw("\"2026-11-20T10:00:00+01:00\"")).unwrap();
        assert_eq!(at.to_string(), "2026-11-20T09:00:00.000Z");
        for bad in ["\"2026-11-20T10:00:00\"", "\"tomorrow\"", "1763629200", "null"] {
            assert!(time(raw(bad)).unwrap_err().contains("RFC 3339"), "{bad}");
        }
    }

    #[test]
    fn whole_numbers_are_neither_text_nor_fractions() {
        assert_eq!(whole(raw("-7")), Ok(-7));
        assert_eq!(whole(raw("\"4\"")).unwrap_err(), "must be a whole number, is a string");
        for bad in ["4.0", "1e2", "99999999999999999999"] {
            assert!(whole(raw(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_have_thirty_six_characters() {
        assert!(id(raw("\"0198B2F0-5a1c-7c3e-9f3a-2b1d4c5e6f70\"")).is_ok());
        for bad in ["\"0198b2f05a1c7c3e9f3a2b1d4c5e6f70\"", "7", "\"\"", "\"{}\""] {
            assert!(id(raw(bad)).unwrap_err().contains("UUID"), "{bad}");
        }
    }

    #[test]
    fn half_a_surrogate_is_no_text() {
        assert!(text(raw("\"\\ud83d\"")).unwrap_err().contains("Unicode"));
        assert_eq!(text(raw("\"\\ud83d\\ude00\"")).unwrap(), "😀");
        assert_eq!(text(raw("[1]")).unwrap_err(), "must be a string, is an array");
    }
}
