//! Single values: from the text of a field to what it means, or to what would be right.

use longshore_core::{Span, TaskId, Timestamp};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What is wrong with a value and what would be right.
pub(crate) type Wrong = String;

/// Returns whether it is `null`: the same as a field that is not there.
pub(crate) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
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
