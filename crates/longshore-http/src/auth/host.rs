//! The `Host` header on a door without keys.
//!
//! Anybody on this machine may use it, so any web page could reach it through its visitor's browser,
//! by a name that it lets point here (DNS rebinding). With keys there is no such danger: a browser
//! does not know them.

use super::bind::is_loopback;
use crate::codes;
use crate::problem::Problem;
use http::uri::Authority;
use http::{HeaderMap, Uri, header};

/// Refuses a request whose host is not a name or address of loopback. One without any host
/// passes: browsers always send it.
pub(crate) fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).into_iter();
    let (first, more) = (hosts.next(), hosts.next());
    let fine = match first {
        None => true,
        Some(host) => more.is_none() && host.to_str().is_ok_and(is_own_name),
    };
    // HTTP/2 has it in the URI; HTTP/1.1 may, for proxies.
    if fine && uri.authority().is_none_or(|authority| is_own_host(authority.host())) {
        return Ok(());
    }
    Err(Problem::new(
        &codes::FOREIGN_HOST,
        "the Host header does not name this machine; use localhost, 127.0.0.1 or [::1]",
    ))
}

fn is_own_name(host: &str) -> bool {
    // The common ones without a parse.
    matches!(host, "localhost" | "127.0.0.1")
        || host
            .parse()
            .is_ok_and(|authority: Authority| !host.contains('@') && is_own_host(authority.host()))
}

fn is_own_host(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn passes(host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        check_host(&Uri::from_static("/v1/tasks"), &headers).is_ok()
    }

    #[test]
    fn loopback_names_pass_with_any_port() {
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.0.0.1:8080",
            "127.1.2.3:99",
            "[::1]",
            "[::1]:8080",
            "localhost.:80",
        ] {
            assert!(passes(host), "{host}");
        }
    }

    #[test]
    fn foreign_names_do_not_pass() {
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "[2001:db8::1]:80",
            "0.0.0.0:8080",
            "a@localhost",
            "",
            "localhost:x y",
        ] {
            assert!(!passes(host), "{host}");
        }
        let uri = Uri::from_static("http://evil.example/v1/tasks");
        assert!(check_host(&uri, &HeaderMap::new()).is_err());
        let mut two = HeaderMap::new();
        two.append(header::HOST, HeaderValue::from_static("localhost"));
        two.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(check_host(&Uri::from_static("/"), &two).is_err());
    }
}
