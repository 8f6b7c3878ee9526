//! What a push needs to know, and whether that is usable.

use super::headers;
use crate::outgoing::{self, NoClient};
use crate::signature::{MAX_SECRETS, Secret};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// Where a kind's tasks are pushed to. Comes from the configuration or from code, never from a task.
#[derive(Clone, PartialEq, Eq)]
pub struct PushSpec {
    /// `http://` or `https://`; user and password are sent as basic authentication.
    pub url: String,
    /// None: requests are not signed. Two while one takes the place of the other: both sign.
    pub secrets: Vec<Secret>,
    /// Sent with every request, such as `authorization`.
    pub headers: Vec<(String, String)>,
}

impl PushSpec {
    /// Makes one without secrets and headers.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), secrets: Vec::new(), headers: Vec::new() }
    }

    /// Signs with this secret; two at most.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Sends this header with every request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl fmt::Debug for PushSpec {
    /// Leaves out what may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let url = self.url.parse().map_or_else(|_| "not a URL".into(), |url| outgoing::shown(&url));
        f.debug_struct("PushSpec")
            .field("url", &url)
            .field("secrets", &self.secrets.len())
            .field("headers", &names)
            .finish()
    }
}

/// Why a [`PushSpec`] cannot be used. Repeats no secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PushError {
    /// The URL.
    #[error("the push URL {why}")]
    Url {
        /// What is wrong and what would be right.
        why: String,
    },
    /// A header.
    #[error("the push header \"{name}\" {why}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Too many secrets.
    #[error("a push signs with {MAX_SECRETS} secrets at most, are {count}")]
    Secrets {
        /// How many there are.
        count: usize,
    },
    /// The system gives no client.
    #[error(transparent)]
    Client(#[from] NoClient),
}

/// Reads the URL.
pub(super) fn url_of(spec: &PushSpec) -> Result<Url, PushError> {
    let wrong = |why: String| PushError::Url { why };
    let url: Url = spec
        .url
        .parse()
        .map_err(|why| wrong(format!("is no URL ({why}), such as https://host/path")))?;
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme();
        return Err(wrong(format!("must begin with http:// or https://, is of \"{scheme}\"")));
    }
    if url.fragment().is_some() {
        return Err(wrong("must not have a fragment (#…): it would never be sent".into()));
    }
    Ok(url)
}

/// Reads the headers.
pub(super) fn headers_of(spec: &PushSpec) -> Result<HeaderMap, PushError> {
    if spec.secrets.len() > MAX_SECRETS {
        return Err(PushError::Secrets { count: spec.secrets.len() });
    }
    let mut map = HeaderMap::new();
    for (name, value) in &spec.headers {
        let wrong = |why| PushError::Header { name: name.clone(), why };
        let read = HeaderName::try_from(name).map_err(|_| wrong("is no HTTP header name"))?;
        if headers::is_ours(&read) {
            return Err(wrong("is set by Longshore itself; leave it out"));
        }
        let value = HeaderValue::try_from(value)
            .map_err(|_| wrong("has a value with control characters"))?;
        map.append(read, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_told_without_secrets() {
        let told = |spec: PushSpec| {
            url_of(&spec).and(headers_of(&spec).map(drop)).map_err(|error| error.to_string())
        };
        let fine = || PushSpec::new("https://u:s3cret@host/x");
        assert_eq!(told(fine().header("authorization", "Bearer s3cret")), Ok(()));
        for (spec, part) in [
            (PushSpec::new("host/x"), "no URL"),
            (PushSpec::new("file:///etc/passwd"), "http:// or https://"),
            (PushSpec::new("https://u:s3cret@host/x#y"), "fragment"),
            (PushSpec::new("http://u:s3cret@:80/"), "no URL"),
            (fine().header("a b", "s3cret"), "\"a b\" is no HTTP header name"),
            (fine().header("x", "s3cret\r\n"), "control characters"),
            (fine().header("Webhook-Signature", "s3cret"), "by Longshore itself"),
            (fine().header("host", "s3cret"), "by Longshore itself"),
        ] {
            let why = told(spec).unwrap_err();
            assert!(why.contains(part) && !why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn three_secrets_are_one_too_many() {
        let secret = || Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let spec = PushSpec::new("http://host/").secret(secret()).secret(secret()).secret(secret());
        assert!(matches!(headers_of(&spec), Err(PushError::Secrets { count: 3 })));
    }

    #[test]
    fn secrets_are_not_shown() {
        let spec =
            PushSpec::new("https://u:s3cret@host/x?t=s3cret").header("authorization", "s3cret");
        let shown = format!("{spec:?}");
        assert!(!shown.contains("s3cret") && shown.contains("host/x"), "{shown}");
    }
}
