//! TLS on the way in: rustls with aws-lc-rs, named here and not taken from the process.
//!
//! An [`Identity`] is a certificate chain and its key, read from PEM files and checked. A [`Tls`] shows one
//! to whoever connects, and can be given another while connections are open: those go on with what
//! they began with.

mod validity;

use longshore_core::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The first byte of a TLS connection: a handshake record.
const HANDSHAKE: u8 = 0x16;
/// So much of what such a one sends is read.
const MAX_PLAIN: u64 = 64 << 10;
/// What is said to somebody who speaks plain HTTP here.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 50\r\nconnection: close\r\n\r\nthis port speaks TLS: begin its URL with https://\n";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{file} cannot be read: {source}", file = file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{file} {why}", file = file.display())]
    Unusable {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A certificate chain and its key, which fit each other.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    expires_at: Option<Timestamp>,
    /// SHA-256 of both files.
    print: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a certificate, followed by those that lead to its root, and its key from PEM files.
    ///
    /// Reads files: call it where blocking is fine.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let unusable = |file: &Path, why: String| TlsError::Unusable { file: file.into(), why };
        let (pem, secret_pem) = (read(cert)?, read(key)?);
        let print = Sha256::new().chain_update(&pem).chain_update(&secret_pem).finalize().into();
        let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| unusable(cert, wrong("certificate", &error)))?;
        let Some(leaf) = chain.first() else {
            return Err(unusable(cert, "holds no certificate in PEM form".into()));
        };
        let expires_at = validity::not_after(leaf);
        let secret = PrivateKeyDer::from_pem_slice(&secret_pem)
            .map_err(|error| unusable(key, wrong("private key", &error)))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let begun = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(cert, error.to_string()))?;
        let pair = begun.with_no_client_auth().with_single_cert(chain, secret);
        let mut config = pair.map_err(|error| {
            let cert = cert.display();
            unusable(key, format!("does not fit to the certificate in {cert}: {error}"))
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), expires_at, print })
    }

    /// Returns when the certificate expires, if it can be told.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

fn wrong(what: &str, error: &PemError) -> String {
    match error {
        PemError::NoItemsFound => format!("holds no {what} in PEM form"),
        error => format!("holds no usable {what}: {error}"),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { file: file.into(), source };
    let unusable = |why: &str| TlsError::Unusable { file: file.into(), why: why.into() };
    // Opening a pipe would wait for somebody.
    if !std::fs::metadata(file).map_err(unreadable)?.is_file() {
        return Err(unusable("is no regular file"));
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE { Err(unusable("is too large")) } else { Ok(bytes) }
}

/// What a door shows to whoever connects. All clones are one.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Identity>>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.identity().fmt(f)
    }
}

impl PartialEq for Tls {
    /// Whether both are one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

impl Tls {
    /// Shows this certificate.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(RwLock::new(identity)))
    }

    /// Shows another one from now on; open connections go on. Returns whether it is another one.
    pub fn replace(&self, identity: Identity) -> bool {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let other = shown.print != identity.print;
        *shown = identity;
        other
    }

    fn identity(&self) -> Identity {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Greets somebody who connects. Who speaks plain HTTP is told so; that is no connection.
    pub(crate) async fn greet(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            stream.write_all(PLAIN).await?;
            stream.shutdown().await?;
            // What is left unread would end the connection by a reset, which can outrun the answer.
            let _ = tokio::io::copy(&mut stream.take(MAX_PLAIN), &mut tokio::io::sink()).await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP at a TLS port"));
        }
        TlsAcceptor::from(self.identity().config).accept(stream).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(PLAIN).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let nowhere = Path::new("/nowhere/server.pem");
        let error = Identity::load(nowhere, nowhere).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/server.pem cannot be read"), "{error}");
    }
}
