//! The `Idempotency-Key` header: a client's own name for a request.

use crate::codes;
use crate::problem::Problem;
use http::{HeaderMap, HeaderName};
use longshore_core::task::Idempotency;
use sha2::{Digest, Sha256};

/// The header that names a request.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const MAX_KEY: usize = 128;

/// Reads the key, if there is one; `route` is its scope and `body` what it stands for.
pub(crate) fn read(
    headers: &HeaderMap,
    route: &'static str,
    body: &[u8],
) -> Result<Option<Idempotency>, Problem> {
    let mut all = headers.get_all(&KEY).into_iter();
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Problem::new(&codes::BAD_KEY, "the Idempotency-Key header was sent twice"));
    }
    let key = value.to_str().ok().and_then(key_of).ok_or_else(|| {
        Problem::new(
            &codes::BAD_KEY,
            "the Idempotency-Key must have 1 to 128 visible ASCII characters, bare or in quotes",
        )
    })?;
    Ok(Some(named(route, key, body)))
}

/// Names what `body` asks for.
pub(crate) fn named(route: &'static str, key: String, body: &[u8]) -> Idempotency {
    Idempotency { route, key, fingerprint: Sha256::digest(body).into() }
}

/// Takes the quotes off a string of RFC 9651, if it has any.
fn key_of(value: &str) -> Option<String> {
    let key = match value.strip_prefix('"') {
        None if value.contains('"') => return None,
        None => value.to_owned(),
        Some(quoted) => unquoted(quoted.strip_suffix('"')?)?,
    };
    is_key(&key).then_some(key)
}

/// Returns whether a text can be a key.
pub(crate) fn is_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

fn unquoted(inner: &str) -> Option<String> {
    let mut key = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            '"' => return None,
            c => key.push(c),
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_key_is_the_same_bare_and_quoted() {
        assert_eq!(key_of("order-4711").as_deref(), Some("order-4711"));
        assert_eq!(key_of("\"order-4711\"").as_deref(), Some("order-4711"));
        assert_eq!(key_of(r#""a\"b\\c""#).as_deref(), Some(r#"a"b\c"#));
        assert!(key_of(&"x".repeat(128)).is_some());
    }

    #[test]
    fn unusable_keys_are_refused() {
        for bad in [
            "",
            "\"\"",
            "\"",
            "\"a",
            "a\"",
            "\"a\"b\"",
            "a b",
            "\"a b\"",
            r#""a\x""#,
            &"x".repeat(129),
        ] {
            assert_eq!(key_of(bad), None, "{bad}");
        }
        let mut headers = HeaderMap::new();
        headers.append(KEY, HeaderValue::from_static("a"));
        headers.append(KEY, HeaderValue::from_static("b"));
        let problem = read(&headers, "/v1/tasks", b"{}").unwrap_err();
        assert_eq!(problem.code().number, 40005);
    }

    #[test]
    fn the_fingerprint_is_that_of_the_raw_bytes() {
        let mut headers = HeaderMap::new();
        headers.append(KEY, HeaderValue::from_static("a"));
        let of = |body: &[u8]| read(&headers, "/v1/tasks", body).unwrap().unwrap().fingerprint;
        assert_eq!(of(b"{}"), of(b"{}"));
        assert_ne!(of(b"{}"), of(b"{ }"));
    }
}
