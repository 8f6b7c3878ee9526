//! How we call others over HTTP: pushes, callbacks, and clients of our own.
//!
//! Every such call has the same guards. Redirects are not followed: an answer of 3xx is the answer.
//! No proxy is taken from the environment. Nothing is decompressed, so a small answer stays small.
//! Connecting takes 5 s at most. TLS is rustls with aws-lc-rs, named here and not taken from the
//! process, so that a program which installs no provider, or another one, is fine; roots are those
//! of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` count).
//!
//! What a call may take in all, and how much of an answer is read, is the caller's to say.

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// How long connecting may take: name, TCP and TLS together.
pub const CONNECT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept. Shorter than the 5 s after which common servers close
/// theirs, so that a request rarely meets a closing connection.
const IDLE: Duration = Duration::from_secs(4);

/// Most idle connections to one host.
const IDLE_PER_HOST: usize = 64;

/// After so much silence an HTTP/2 connection is asked whether it is there.
const PING: Duration = Duration::from_secs(10);

/// Why no client could be made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no HTTP client can be made: {why}")]
pub struct NoClient {
    why: String,
}

impl NoClient {
    /// Keeps why.
    pub fn new(why: impl ToString) -> Self {
        Self { why: why.to_string() }
    }
}

/// Returns a client builder with all guards set.
pub fn builder() -> Result<reqwest::ClientBuilder, NoClient> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(CONNECT))
}

fn tls() -> Result<ClientConfig, NoClient> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let begun = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(NoClient::new)?;
    let mut config = match system_roots(provider) {
        Some(verifier) => begun
            .dangerous() // rustls' word for bringing a verifier; this one is the system's
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth(),
        None => begun.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A machine without any root certificate can still be called over plain HTTP; over TLS it trusts
/// nobody, and each call says so.
fn system_roots(provider: Arc<CryptoProvider>) -> Option<Arc<dyn ServerCertVerifier>> {
    match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => Some(Arc::new(verifier)),
        Err(error) => {
            tracing::warn!(%error, "no root certificates: https targets will be refused");
            None
        }
    }
}

/// Returns a URL as it may be shown: without user, password and query, which may be secrets.
pub fn shown(url: &reqwest::Url) -> String {
    let mut shown = url.clone();
    let had_user = !url.username().is_empty() || url.password().is_some();
    // These cannot fail for URLs that have a host; the others have no user either.
    let _ = shown.set_password(None);
    let _ = shown.set_username(if had_user { "***" } else { "" });
    shown.set_query(url.query().map(|_| "***"));
    shown.set_fragment(None);
    shown.to_string()
}

/// Says why a call failed, with its causes and without its URL.
pub fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let next = cause.to_string();
        // Some layers repeat what is below them.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_made_without_a_provider_of_the_process() {
        assert!(CryptoProvider::get_default().is_none());
        builder().unwrap().build().unwrap();
        assert!(CryptoProvider::get_default().is_none());
    }

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        let shown = |url: &str| shown(&url.parse().unwrap());
        assert_eq!(shown("https://u:p@host:8443/a/b?token=x#y"), "https://***@host:8443/a/b?***");
        assert_eq!(shown("https://:p@host/"), "https://***@host/");
        assert_eq!(shown("http://host/a"), "http://host/a");
    }
}
