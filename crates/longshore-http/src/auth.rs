//! Who may do what: deny by default.
//!
//! Each route has a [`Policy`] in [`POLICIES`]; a route without one fails the boot. There are no
//! keys yet, so the door opens on loopback alone, and there everybody is the tenant `default`
//! with every role. The `Host` header is checked, for otherwise any web page could reach a
//! loopback server through its visitor's browser (DNS rebinding).

use crate::codes;
use crate::problem::Problem;
use http::uri::Authority;
use http::{HeaderMap, Method, Uri, header};
use std::net::{IpAddr, SocketAddr};

/// What a caller must be to use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Anybody: probes, and texts that everybody may read.
    Public,
    /// A key with this role; on loopback without keys, anybody.
    Role(Role),
}

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To submit tasks.
    Enqueue,
    /// To read tasks.
    Read,
    /// To see how the server is, and to act on what is there.
    Operate,
    /// To see what is configured and who did what, and to act on whole tenants.
    Admin,
}

use Policy::Public;
const ENQUEUE: Policy = Policy::Role(Role::Enqueue);
const READ: Policy = Policy::Role(Role::Read);
const OPERATE: Policy = Policy::Role(Role::Operate);
const ADMIN: Policy = Policy::Role(Role::Admin);

/// The policy of every route.
pub const POLICIES: &[(Method, &str, Policy)] = &[
    (Method::POST, "/v1/tasks", ENQUEUE),
    (Method::GET, "/v1/tasks", READ),
    (Method::POST, "/v1/tasks:batch", ENQUEUE),
    (Method::GET, "/v1/tasks/{id}", READ),
    (Method::POST, "/v1/tasks/{id}/cancel", OPERATE),
    (Method::POST, "/v1/tasks/{id}/retry", OPERATE),
    (Method::POST, "/v1/tasks/{id}/replay", OPERATE),
    (Method::GET, "/v1/tasks/{id}/attempts", READ),
    (Method::GET, "/v1/config", ADMIN),
    (Method::GET, "/v1/audit", ADMIN),
    (Method::GET, "/v1/queues", READ),
    (Method::GET, "/v1/queues/{queue}", READ),
    (Method::PATCH, "/v1/queues/{queue}", OPERATE),
    (Method::POST, "/v1/queues/{queue}/pause", OPERATE),
    (Method::POST, "/v1/queues/{queue}/resume", OPERATE),
    (Method::POST, "/v1/queues/{queue}/purge", OPERATE),
    (Method::POST, "/v1/kinds/{kind}/pause", OPERATE),
    (Method::POST, "/v1/kinds/{kind}/resume", OPERATE),
    (Method::POST, "/v1/tenants/{tenant}/pause", ADMIN),
    (Method::POST, "/v1/tenants/{tenant}/resume", ADMIN),
    (Method::GET, "/v1/scaling/{queue}", READ),
    (Method::GET, "/v1/schedules", READ),
    (Method::POST, "/v1/schedules", ENQUEUE),
    (Method::GET, "/v1/schedules/{id}", READ),
    (Method::PATCH, "/v1/schedules/{id}", OPERATE),
    (Method::DELETE, "/v1/schedules/{id}", OPERATE),
    (Method::POST, "/v1/schedules/{id}/run", OPERATE),
    (Method::POST, "/v1/schedules/{id}/pause", OPERATE),
    (Method::POST, "/v1/schedules/{id}/resume", OPERATE),
    (Method::GET, "/v1/schedules/{id}/next", READ),
    (Method::GET, "/v1/dead-letters", READ),
    (Method::GET, "/v1/dead-letters/groups", READ),
    (Method::POST, "/v1/dead-letters/retry", OPERATE),
    (Method::POST, "/v1/dead-letters/discard", OPERATE),
    (Method::POST, "/v1/dead-letters/{id}/retry", OPERATE),
    (Method::POST, "/v1/dead-letters/{id}/discard", OPERATE),
    (Method::POST, "/tasks", ENQUEUE),
    (Method::POST, "/tasks:batch", ENQUEUE),
    (Method::GET, "/tasks", READ),
    (Method::GET, "/tasks/{id}", READ),
    (Method::POST, "/tasks/{id}/cancel", OPERATE),
    (Method::POST, "/tasks/{id}/retry", OPERATE),
    (Method::POST, "/tasks/{id}/replay", OPERATE),
    (Method::GET, "/tasks/{id}/attempts", READ),
    (Method::GET, "/livez", Public),
    (Method::GET, "/readyz", Public),
    (Method::GET, "/startupz", Public),
    (Method::GET, "/health", Public),
    (Method::GET, "/metrics", OPERATE),
    (Method::GET, "/openapi.json", Public),
    (Method::GET, "/openapi.yaml", Public),
    (Method::GET, "/docs", Public),
    (Method::GET, "/docs/style.css", Public),
    (Method::GET, "/docs/{page}", Public),
    (Method::GET, "/docs/errors", Public),
    (Method::GET, "/docs/errors/{code}", Public),
    (Method::GET, "/docs/api", Public),
    (Method::GET, "/docs/api/{file}", Public),
    (Method::GET, "/", Public),
];

/// A route has no policy: the server must not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the route {method} {path} has no policy")]
pub struct NoPolicy {
    /// Its method.
    pub method: Method,
    /// Its template.
    pub path: &'static str,
}

/// Returns the policy of a route.
pub fn policy(method: &Method, path: &'static str) -> Result<Policy, NoPolicy> {
    POLICIES
        .iter()
        .find(|(m, p, _)| m == method && *p == path)
        .map(|(_, _, policy)| *policy)
        .ok_or_else(|| NoPolicy { method: method.clone(), path })
}

/// The server must not listen there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "will not listen on {addr}: without keys and TLS, which this version does not have yet, \
     anybody who reaches the port could submit and read tasks; \
     listen on a loopback address such as 127.0.0.1:{port}",
    port = addr.port()
)]
pub struct BindRefused {
    /// Where it was asked to listen.
    pub addr: SocketAddr,
}

/// Judges whether the server may listen on `addr`: on loopback addresses only.
pub fn check_bind(addr: SocketAddr) -> Result<(), BindRefused> {
    if is_loopback(addr.ip()) { Ok(()) } else { Err(BindRefused { addr }) }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

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

    #[test]
    fn only_loopback_may_be_listened_on_and_the_refusal_says_why() {
        for fine in ["127.0.0.1:0", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(check_bind(fine.parse().unwrap()), Ok(()), "{fine}");
        }
        for refused in ["0.0.0.0:8080", "[::]:8080", "192.168.0.1:8080"] {
            let text = check_bind(refused.parse().unwrap()).unwrap_err().to_string();
            assert!(text.contains(refused) && text.contains("keys and TLS"), "{text}");
            assert!(text.contains("127.0.0.1:8"), "{text}");
        }
    }

    #[test]
    fn a_route_without_a_policy_is_an_error() {
        assert_eq!(policy(&Method::GET, "/livez"), Ok(Policy::Public));
        let missing = policy(&Method::DELETE, "/livez").unwrap_err();
        assert_eq!(missing.to_string(), "the route DELETE /livez has no policy");
    }
}
