//! TLS at the door, with certificates that the test makes.

use crate::house::engine;
use longshore_core::{Clock, SystemClock};
use longshore_http::{Door, DoorOptions, Identity, Tls};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::{CancellationToken, DropGuard};

const GET: &[u8] = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A certificate of `localhost` that trusts itself, in files.
struct Made {
    folder: TempDir,
    roots: RootCertStore,
}

impl Made {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let cert =
            CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cert.pem"), cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        Self { folder, roots }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn identity(&self) -> Identity {
        Identity::load(&self.file("cert.pem"), &self.file("key.pem")).unwrap()
    }

    async fn connect(
        &self,
        addr: SocketAddr,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let begun = ClientConfig::builder_with_provider(provider);
        let begun = begun.with_safe_default_protocol_versions().unwrap();
        let mut config = begun.with_root_certificates(self.roots.clone()).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(addr).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

async fn served(tls: Tls, patience: Duration) -> (SocketAddr, DropGuard) {
    let options = DoorOptions {
        listen: ([127, 0, 0, 1], 0).into(),
        tls: Some(tls),
        header_timeout: patience,
        ..DoorOptions::default()
    };
    let door = Door::bind(engine(), options).await.unwrap();
    assert!(door.is_tls());
    let (addr, shutdown) = (door.local_addr(), CancellationToken::new());
    tokio::spawn(door.serve(shutdown.clone()));
    (addr, shutdown.drop_guard())
}

const PATIENCE: Duration = Duration::from_secs(10);

async fn asked(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(GET).await.unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 4_096];
    while !answer.ends_with(b"}") {
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "it broke off");
        answer.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn http_1_and_2_are_spoken_over_tls_and_2_is_preferred() {
    let made = Made::new();
    let (addr, _open) = served(Tls::new(made.identity()), PATIENCE).await;
    let mut stream = made.connect(addr, &["http/1.1"]).await.unwrap();
    assert!(asked(&mut stream).await.starts_with("HTTP/1.1 200"));
    let stream = made.connect(addr, &["http/1.1", "h2"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut send, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("https://localhost:{}/livez", addr.port()));
    let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    assert_eq!(send.send_request(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn another_certificate_is_shown_from_then_on_and_open_connections_go_on() {
    let (old, new) = (Made::new(), Made::new());
    let tls = Tls::new(old.identity());
    let (addr, _open) = served(tls.clone(), PATIENCE).await;
    let mut stream = old.connect(addr, &[]).await.unwrap();
    asked(&mut stream).await;
    assert!(tls.replace(new.identity()) && !tls.replace(new.identity()));
    assert!(old.connect(addr, &[]).await.is_err());
    let mut fresh = new.connect(addr, &[]).await.unwrap();
    for stream in [&mut stream, &mut fresh] {
        assert!(asked(stream).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn plain_http_at_a_tls_port_is_told_so() {
    let made = Made::new();
    let (addr, _open) = served(Tls::new(made.identity()), PATIENCE).await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(GET).await.unwrap();
    let mut answer = String::new();
    // What was sent and not read may end the connection with a reset; the answer is there before.
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
}

#[tokio::test]
async fn who_does_not_greet_in_time_is_let_go() {
    let made = Made::new();
    let (addr, _open) = served(Tls::new(made.identity()), Duration::from_millis(50)).await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
    let mut half = TcpStream::connect(addr).await.unwrap();
    half.write_all(&[0x16, 3, 1]).await.unwrap();
    assert_eq!(half.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_handshake_does_not_hold_up_the_end() {
    let made = Made::new();
    let (addr, open) = served(Tls::new(made.identity()), Duration::from_secs(600)).await;
    let mut silent = TcpStream::connect(addr).await.unwrap();
    // One that is answered after it: the silent one was accepted before.
    let mut stream = made.connect(addr, &[]).await.unwrap();
    asked(&mut stream).await;
    drop(open);
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

#[test]
fn what_is_wrong_with_the_files_is_told_with_their_names() {
    let (one, other) = (Made::new(), Made::new());
    let told = |cert: PathBuf, key: PathBuf| Identity::load(&cert, &key).unwrap_err().to_string();
    let (cert, key) = (one.file("cert.pem"), one.file("key.pem"));
    let foreign = told(cert.clone(), other.file("key.pem"));
    assert!(foreign.contains("key.pem does not fit to the certificate in"), "{foreign}");
    let swapped = told(key.clone(), cert.clone());
    assert!(swapped.contains("key.pem holds no certificate"), "{swapped}");
    let twice = told(cert.clone(), cert.clone());
    assert!(twice.contains("cert.pem holds no private key"), "{twice}");
    std::fs::write(&cert, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    let broken = told(cert, key);
    assert!(broken.contains("cert.pem holds no usable certificate"), "{broken}");
}

#[test]
fn a_certificate_tells_when_it_expires() {
    // rcgen's are good until the year 4096.
    let expires_at = Made::new().identity().expires_at().unwrap();
    assert!(expires_at > SystemClock.now(), "{expires_at}");
}
