//! TLS: the server is reached by somebody who takes it off.

use crate::rig::{SOON, declare, group, publish, ready, to_group};
use longshore_conformance::rabbitmq;
use longshore_core::broker::Broker;
use longshore_core::broker::{BrokerError, LinkState};
use longshore_rabbitmq::{Options, RabbitMq};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// An authority, and where its certificate and those it signed are.
struct Authority {
    folder: PathBuf,
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(crate::rig::unique("longshore-tls"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, certificate, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        (certificate, key)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Takes TLS off on the way to the shared server.
    async fn serve(&self, name: &str, asks_for_certificates: bool) -> SocketAddr {
        let (certificate, key) = self.sign(name);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if asks_for_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let url = rabbitmq::shared().unwrap();
        let target = url.trim_start_matches("amqp://").rsplit('@').next().unwrap();
        let target = target.split('/').next().unwrap().to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, target) = (acceptor.clone(), target.clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(target).await.unwrap();
                    if let Ok(mut client) = acceptor.accept(client).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        addr
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn works(url: String) {
    let broker = RabbitMq::open(Options::new([url])).unwrap();
    broker.first_contact(SOON).await.unwrap();
    let group = group("secret");
    declare(&broker, &group).await;
    publish(&broker, vec![to_group(&group, &"x".repeat(300_000))]).await;
    assert_eq!(ready(&broker, &group.name, 1).await, 1);
}

async fn fails(url: String) {
    let broker = RabbitMq::open(Options::new([url])).unwrap();
    let contact = broker.first_contact(Duration::from_millis(500)).await;
    assert!(matches!(contact, Err(BrokerError::Unavailable { .. })), "{contact:?}");
    let LinkState::Connecting { why: Some(why) } = broker.link().state else { panic!() };
    assert!(why.contains("certificate") || why.contains("alert"), "{why}");
}

pub(crate) async fn a_server_is_believed_under_its_name_alone() {
    let authority = Authority::new();
    let addr = authority.serve("localhost", false).await;
    let (port, ca) = (addr.port(), authority.path("ca.pem"));
    works(format!("amqps://localhost:{port}?cacertfile={ca}")).await;
    works(format!("amqps://127.0.0.1:{port}?cacertfile={ca}&server_name_indication=localhost"))
        .await;
    works(format!("amqps://127.0.0.1:{port}?verify=verify_none")).await;
    fails(format!("amqps://127.0.0.1:{port}?cacertfile={ca}")).await;
    let stranger = Authority::new();
    fails(format!("amqps://localhost:{port}?cacertfile={}", stranger.path("ca.pem"))).await;
}

pub(crate) async fn a_server_may_ask_for_a_certificate() {
    let authority = Authority::new();
    let addr = authority.serve("localhost", true).await;
    authority.sign("us");
    let (port, ca) = (addr.port(), authority.path("ca.pem"));
    let (certificate, key) = (authority.path("us.pem"), authority.path("us.key"));
    let base = format!("amqps://localhost:{port}?cacertfile={ca}");
    works(format!("{base}&certfile={certificate}&keyfile={key}")).await;
    assert!(RabbitMq::open(Options::new([format!("{base}&certfile={certificate}")])).is_err());
    let broker = RabbitMq::open(Options::new([base])).unwrap();
    assert!(broker.first_contact(Duration::from_millis(500)).await.is_err());
}
