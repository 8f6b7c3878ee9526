//! The shape of success: `{"code": 201, "message": "created", "data": {…}}`.
//!
//! A client that says `Accept: application/vnd.longshore+json` gets the bare resource. Bodies are
//! written in one go, and payloads go through byte for byte.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

const BARE: &str = "application/vnd.longshore+json";

/// Which of the two shapes a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// With `code` and `message` around it.
    Envelope,
    /// The resource alone.
    Bare,
}

impl Shape {
    /// Reads the `Accept` header.
    pub(crate) fn asked(headers: &HeaderMap) -> Self {
        let ranges = headers
            .get_all(header::ACCEPT)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let refused = |part: &str| {
                let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
                weight.is_some_and(|q| q.trim_matches(['0', '.']).is_empty())
            };
            if parts.next().is_some_and(|name| name.eq_ignore_ascii_case(BARE))
                && !parts.any(refused)
            {
                return Self::Bare;
            }
        }
        Self::Envelope
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Envelope => "application/json",
            Self::Bare => BARE,
        })
    }

    /// Writes `data` in this shape.
    pub(crate) fn write<T: Serialize>(self, status: StatusCode, data: &T) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        if self == Self::Bare {
            put(&mut body, data);
            return body;
        }
        body.extend_from_slice(b"{\"code\":");
        body.extend_from_slice(status.as_str().as_bytes());
        body.extend_from_slice(b",\"message\":\"");
        body.extend_from_slice(word(status).as_bytes());
        body.extend_from_slice(b"\",\"data\":");
        put(&mut body, data);
        body.push(b'}');
        body
    }

    /// Makes the response.
    pub(crate) fn answer<T: Serialize>(self, status: StatusCode, data: &T) -> Response {
        self.respond(status, self.write(status, data))
    }

    /// Makes the response of a body that [`Shape::write`] wrote.
    pub(crate) fn respond(self, status: StatusCode, body: Vec<u8>) -> Response {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, self.content_type());
        response
    }
}

fn put<T: Serialize>(body: &mut Vec<u8>, data: &T) {
    let before = body.len();
    if let Err(error) = serde_json::to_writer(&mut *body, data) {
        // Our own views always serialize; a hole in the JSON would be worse than a null.
        tracing::error!(%error, "an answer could not be written");
        body.truncate(before);
        body.extend_from_slice(b"null");
    }
}

fn word(status: StatusCode) -> &'static str {
    match status {
        StatusCode::CREATED => "created",
        StatusCode::ACCEPTED => "accepted",
        _ => "ok",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept: &'static str) -> Shape {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Shape::asked(&headers)
    }

    #[test]
    fn only_the_vendor_type_gets_the_bare_resource() {
        assert_eq!(Shape::asked(&HeaderMap::new()), Shape::Envelope);
        for envelope in [
            "*/*",
            "application/json",
            "text/html, application/vnd.longshore+json;q=0",
            "application/vnd.longshore+json; q=0.000",
            "application/vnd.longshore+jsonx",
        ] {
            assert_eq!(asked(envelope), Shape::Envelope, "{envelope}");
        }
        for bare in [
            "application/vnd.longshore+json",
            "application/json, application/vnd.longshore+json;q=0.9",
            "Application/Vnd.Longshore+JSON",
        ] {
            assert_eq!(asked(bare), Shape::Bare, "{bare}");
        }
    }

    #[test]
    fn the_envelope_wraps_what_the_bare_shape_shows() {
        let data = serde_json::json!({"id": 1});
        let status = StatusCode::CREATED;
        assert_eq!(Shape::Bare.write(status, &data), br#"{"id":1}"#);
        assert_eq!(
            Shape::Envelope.write(status, &data),
            br#"{"code":201,"message":"created","data":{"id":1}}"#
        );
    }
}
