//! Taking a body in: its type, its coding, its size, its time.

use crate::codes;
use crate::coding::{Coding, Undoing, Undone};
use crate::problem::Problem;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::time::Duration;
use tokio::time::timeout;

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to send a body that is read as it arrives.
const LONG_PATIENCE: Duration = Duration::from_secs(120);
/// A refused body is read up to this, so that the client comes to read the answer.
const LINGER: usize = 24 << 20;
const LINGER_FOR: Duration = Duration::from_secs(2);

/// Reads a JSON body of at most `limit` bytes, counted after decompression.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
) -> Result<Bytes, Problem> {
    let judged = check_type(headers).and_then(|()| coding(headers));
    let read = match judged {
        Ok(coding) => match timeout(PATIENCE, collect(&mut body, limit)).await {
            Ok(Ok(bytes)) => return undo(coding, bytes, limit),
            Ok(Err(problem)) => problem,
            Err(_) => too_slow(PATIENCE),
        },
        Err(problem) => problem,
    };
    // Whoever asked first whether to send has not sent anything.
    if !headers.contains_key(header::EXPECT) {
        linger(&mut body).await;
    }
    Err(read)
}

/// Reads a JSON body of at most `limit` bytes, counted after decompression, and hands on its pieces
/// as they arrive.
pub(crate) async fn stream(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    each: impl FnMut(Bytes) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let judged = check_type(headers).and_then(|()| coding(headers));
    let read = match judged {
        Ok(coding) => {
            let reading = pieces(&mut body, Undoing::new(coding, limit), limit, each);
            match timeout(LONG_PATIENCE, reading).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(problem)) => problem,
                Err(_) => too_slow(LONG_PATIENCE),
            }
        }
        Err(problem) => problem,
    };
    if !headers.contains_key(header::EXPECT) {
        linger(&mut body).await;
    }
    Err(read)
}

async fn pieces(
    body: &mut Body,
    mut undoing: Undoing,
    limit: usize,
    mut each: impl FnMut(Bytes) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let undone = |undone| match undone {
        Undone::TooLarge => too_large(limit),
        Undone::Broken => {
            Problem::new(&codes::BROKEN_BODY, "the body is not what its coding gives")
        }
    };
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large(limit));
    }
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        each(undoing.push(data).map_err(undone)?)?;
    }
    each(undoing.finish().map_err(undone)?)
}

fn too_large(limit: usize) -> Problem {
    let message =
        format!("the body may have at most {limit} bytes, and 20 times its compressed size");
    Problem::new(&codes::TOO_LARGE, message)
}

fn too_slow(patience: Duration) -> Problem {
    let message = format!("the body did not arrive within {} s", patience.as_secs());
    Problem::new(&codes::SLOW_BODY, message).header(header::CONNECTION, "close")
}

fn broken(error: axum::Error) -> Problem {
    tracing::debug!(%error, "a body broke off");
    Problem::new(&codes::BROKEN_BODY, "the body broke off")
}

/// Reads the body of a call that may come without one; then its type does not matter.
pub(crate) async fn read_if_any(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
) -> Result<Option<Bytes>, Problem> {
    if body.is_end_stream() {
        return Ok(None);
    }
    let read = match timeout(PATIENCE, collect(&mut body, limit)).await {
        Ok(Ok(bytes)) if bytes.is_empty() => return Ok(None),
        Ok(Ok(bytes)) => {
            check_type(headers)?;
            return undo(coding(headers)?, bytes, limit).map(Some);
        }
        Ok(Err(problem)) => problem,
        Err(_) => too_slow(PATIENCE),
    };
    if !headers.contains_key(header::EXPECT) {
        linger(&mut body).await;
    }
    Err(read)
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.map(|value| value.to_str().unwrap_or("?"));
    if given.is_some_and(is_json) {
        return Ok(());
    }
    let message = match given {
        None => "the Content-Type header is missing; send application/json".into(),
        Some(other) => format!("the Content-Type is {other:.100}; send application/json"),
    };
    Err(Problem::new(&codes::NOT_JSON, message))
}

fn is_json(given: &str) -> bool {
    if given == "application/json" {
        return true;
    }
    let mut parts = given.split(';').map(|part| part.trim().to_ascii_lowercase());
    let name = parts.next().unwrap_or_default();
    let structured = name.split_once('/').is_some_and(|(kind, sub)| {
        !kind.is_empty() && sub.strip_suffix("+json").is_some_and(|word| !word.is_empty())
    });
    let utf8 = parts.all(|part| {
        part.strip_prefix("charset=").is_none_or(|charset| {
            matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")
        })
    });
    (name == "application/json" || structured) && utf8
}

fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Problem> {
    let mut all = headers.get_all(header::CONTENT_ENCODING).into_iter();
    let Some(first) = all.next() else { return Ok(None) };
    let name = first.to_str().unwrap_or("?").trim();
    let more = all.next().is_some();
    if !more && (name.is_empty() || name.eq_ignore_ascii_case("identity")) {
        return Ok(None);
    }
    match Coding::named(name) {
        Some(coding) if !more => Ok(Some(coding)),
        _ => Err(Problem::new(
            &codes::BAD_CODING,
            "the Content-Encoding of a body may be gzip or br, and only one of them",
        )
        .header(header::ACCEPT_ENCODING, "gzip, br")),
    }
}

/// Reads all frames. The usual body is one frame, which is handed on without a copy.
async fn collect(body: &mut Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(&codes::TOO_LARGE, format!("the body may have at most {limit} bytes"));
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut only = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if only.len() + joined.len() + data.len() > limit {
            return Err(too_large());
        }
        if only.is_empty() && joined.is_empty() {
            only = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut only));
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { only } else { joined.freeze() })
}

fn undo(coding: Option<Coding>, bytes: Bytes, limit: usize) -> Result<Bytes, Problem> {
    let Some(coding) = coding else { return Ok(bytes) };
    coding.undo(&bytes, limit).map_err(|undone| match undone {
        Undone::TooLarge => too_large(limit),
        Undone::Broken => {
            let name = coding.as_str();
            Problem::new(&codes::BROKEN_BODY, format!("the body is not what {name} gives"))
        }
    })
}

/// Reads on for a moment: a connection that is closed over unread bytes is reset, and the client
/// would never see the answer.
async fn linger(body: &mut Body) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > LINGER {
                break;
            }
        }
    };
    let _ = timeout(LINGER_FOR, reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const JSON: &str = "application/json";

    async fn given(pairs: &[(&'static str, &'static str)], body: Vec<u8>) -> Result<Bytes, u32> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        read(&headers, Body::from(body), 1_000).await.map_err(|problem| problem.code().number)
    }

    #[test]
    fn the_type_must_be_json_in_utf8() {
        for fine in [
            JSON,
            "application/json; charset=utf-8",
            "Application/JSON;charset=\"UTF-8\"",
            "application/cloudevents+json",
            "application/vnd.longshore+json",
        ] {
            assert!(is_json(fine), "{fine}");
        }
        for bad in [
            "text/plain",
            "application/jsonx",
            "+json",
            "application/+json",
            "a/json",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
            "",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_body_of_the_limit_passes_and_one_byte_more_does_not() {
        let json = [("content-type", JSON)];
        assert_eq!(given(&json, vec![b' '; 1_000]).await.unwrap().len(), 1_000);
        assert_eq!(given(&json, vec![b' '; 1_001]).await, Err(41301));
        assert_eq!(given(&[], vec![b' '; 9]).await, Err(41501));
    }

    #[tokio::test]
    async fn limits_count_after_decompression() {
        let gzip = [("content-type", JSON), ("content-encoding", "gzip")];
        let small = Coding::Gzip.shrink(&[b' '; 1_000]).unwrap();
        assert_eq!(given(&gzip, small).await.unwrap().len(), 1_000);
        let bomb = Coding::Gzip.shrink(&[b' '; 1_001]).unwrap();
        assert_eq!(given(&gzip, bomb).await, Err(41301));
        assert_eq!(given(&gzip, b"{}".to_vec()).await, Err(40006));
        for other in ["deflate", "gzip, br", "zstd"] {
            let headers = [("content-type", JSON), ("content-encoding", other)];
            assert_eq!(given(&headers, b"{}".to_vec()).await, Err(41502), "{other}");
        }
        let plain = [("content-type", JSON), ("content-encoding", "identity")];
        assert_eq!(given(&plain, b"{}".to_vec()).await.unwrap(), "{}");
    }

    #[tokio::test]
    async fn frames_are_joined_and_counted_together() {
        let frames = |n: usize| {
            let stream = futures_util::stream::iter(
                (0..n).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 100]))),
            );
            Body::from_stream(stream)
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        assert_eq!(read(&headers, frames(10), 1_000).await.unwrap().len(), 1_000);
        let refused = read(&headers, frames(11), 1_000).await.unwrap_err();
        assert_eq!(refused.code().number, 41301);
    }
}
