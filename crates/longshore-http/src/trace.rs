//! The names of a request: W3C `traceparent` and `x-request-id`, in and out.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write as _;

/// W3C Trace Context, level 1.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The client's or our own name of a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_REQUEST_ID: usize = 128;
const TRACE_ID: std::ops::Range<usize> = 3..35;

/// What a request is called.
#[derive(Debug)]
pub(crate) struct Trace {
    parent: String,
    request_id: Option<HeaderValue>,
}

impl Trace {
    /// Continues the caller's trace, or begins one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut parent = String::with_capacity(55);
        match traceparent(headers) {
            Some(theirs) => {
                parent.push_str("00-");
                parent.push_str(trace_id(theirs));
                // Writing to a string cannot fail.
                let _ = write!(parent, "-{:016x}-{}", fastrand::u64(1..), &theirs[53..55]);
            }
            None => {
                let (high, low) = (fastrand::u64(1..), fastrand::u64(..));
                let _ = write!(parent, "00-{high:016x}{low:016x}-{:016x}-00", fastrand::u64(1..));
            }
        }
        let sane = |id: &&HeaderValue| {
            (1..=MAX_REQUEST_ID).contains(&id.len())
                && id.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        Self { parent, request_id: headers.get(&REQUEST_ID).filter(sane).cloned() }
    }

    /// Returns the trace id: 32 hex digits.
    pub(crate) fn id(&self) -> &str {
        trace_id(&self.parent)
    }

    /// Puts both names on the answer.
    pub(crate) fn stamp(self, headers: &mut HeaderMap) {
        let own = HeaderValue::from_str(self.id()).ok();
        if let Some(id) = self.request_id.or(own) {
            headers.insert(REQUEST_ID, id);
        }
        if let Ok(parent) = HeaderValue::try_from(self.parent) {
            headers.insert(TRACEPARENT, parent);
        }
    }
}

/// Returns the trace id of a valid `traceparent`.
pub(crate) fn trace_id(traceparent: &str) -> &str {
    traceparent.get(TRACE_ID).unwrap_or_default()
}

/// Returns the caller's `traceparent`, if there is one and it is valid.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(&TRACEPARENT).into_iter();
    let (value, None) = (all.next()?, all.next()) else { return None };
    let text = value.to_str().ok()?;
    is_valid(text).then_some(text)
}

/// `version-traceid-parentid-flags` in lower-case hex, ids not all zero; a later version than 00
/// may go on after that.
fn is_valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    let hex = |range: std::ops::Range<usize>| {
        bytes[range].iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let some = |range: std::ops::Range<usize>| bytes[range].iter().any(|b| *b != b'0');
    let fits = match bytes.len() {
        55 => true,
        56..=256 => bytes[55] == b'-' && &bytes[..2] != b"00",
        _ => return false,
    };
    fits && bytes[2] == b'-'
        && bytes[35] == b'-'
        && bytes[52] == b'-'
        && hex(0..2)
        && hex(TRACE_ID)
        && hex(36..52)
        && hex(53..55)
        && some(TRACE_ID)
        && some(36..52)
        && &bytes[..2] != b"ff"
        && text.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_well_formed_traceparents_count() {
        assert!(is_valid(THEIRS));
        assert!(is_valid(&format!("01{}-more", &THEIRS[2..])));
        for bad in [
            "",
            &THEIRS[..54],
            &format!("{THEIRS}-more"),
            &THEIRS.to_uppercase(),
            &THEIRS.replacen("00", "ff", 1),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn a_trace_goes_on_under_a_span_of_our_own() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(THEIRS));
        headers.insert(REQUEST_ID, HeaderValue::from_static("req-1"));
        let trace = Trace::of(&headers);
        assert_eq!(trace.id(), "0af7651916cd43dd8448eb211c80319c");
        let mut out = HeaderMap::new();
        trace.stamp(&mut out);
        let ours = out[TRACEPARENT].to_str().unwrap();
        assert!(is_valid(ours) && ours != THEIRS && ours.ends_with("-01"), "{ours}");
        assert_eq!(out[REQUEST_ID], "req-1");
    }

    #[test]
    fn a_request_without_names_is_given_some() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("two words"));
        let mut out = HeaderMap::new();
        Trace::of(&headers).stamp(&mut out);
        assert!(is_valid(out[TRACEPARENT].to_str().unwrap()));
        assert_eq!(out[REQUEST_ID].to_str().unwrap(), trace_id(out[TRACEPARENT].to_str().unwrap()));
    }
}
