//! Entity tags: names for what was read, so that a client can say what it knows.

use crate::codes;
use crate::problem::Problem;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

/// The name of what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Tag {
    /// Names these bytes. The tag is weak, because the same thing may go out shrunk.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut tag = String::from("W/\"");
        for byte in &Sha256::digest(bytes)[..8] {
            tag.push_str(&format!("{byte:02x}"));
        }
        tag.push('"');
        Self(tag)
    }

    /// Returns whether the client knows this already (`If-None-Match`).
    pub(crate) fn is_known(&self, headers: &HeaderMap) -> bool {
        self.is_named(headers, &header::IF_NONE_MATCH)
    }

    /// Refuses a request that was made for something else (`If-Match`).
    pub(crate) fn must_match(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if !headers.contains_key(header::IF_MATCH) || self.is_named(headers, &header::IF_MATCH) {
            return Ok(());
        }
        let message = format!("it has changed since it was read; its ETag is {} now", self.0);
        Err(Problem::new(&codes::CHANGED, message))
    }

    fn is_named(&self, headers: &HeaderMap, by: &HeaderName) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = opaque(&self.0);
        headers
            .get_all(by)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|known| known.trim() == "*" || opaque(known) == own)
    }

    /// Puts it on an answer.
    pub(crate) fn stamp(self, headers: &mut HeaderMap) {
        if let Ok(tag) = HeaderValue::try_from(self.0) {
            headers.insert(header::ETAG, tag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_tag_is_known_in_any_list_weak_or_strong() {
        let tag = Tag::of(b"{}");
        let given = |value: &str| tag.is_known(&with(header::IF_NONE_MATCH, value));
        assert!(given(&tag.0) && given("*") && given(&format!("\"x\", {}", tag.0)));
        assert!(given(tag.0.trim_start_matches("W/")));
        assert!(!given("\"x\"") && !tag.is_known(&HeaderMap::new()));
        assert_ne!(tag, Tag::of(b"{ }"));
    }

    #[test]
    fn a_request_for_something_else_is_refused() {
        let tag = Tag::of(b"{}");
        let given = |value: &str| tag.must_match(&with(header::IF_MATCH, value));
        assert!(given(&tag.0).is_ok() && given("*").is_ok());
        assert!(tag.must_match(&HeaderMap::new()).is_ok());
        assert_eq!(given("\"x\"").unwrap_err().code().number, 41201);
    }
}
