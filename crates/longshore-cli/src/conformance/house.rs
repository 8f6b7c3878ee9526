//! The server that a worker is held against: its own, on a free port, with data that are gone with
//! it.

use crate::child::Server;
use crate::failure::Failure;
use longshore::Client;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The kind that workers run.
pub(super) const KIND: &str = "conformance";

/// The server that a worker is held against.
pub(super) struct House {
    /// Absent only while it is down.
    server: Option<Server>,
    client: Client,
    url: String,
    folder: TempDir,
}

impl House {
    /// Starts a server that knows the kind, with what is said about who runs it.
    pub(super) fn start(kind: Value) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("longshore-conformance-").tempdir();
        let folder = folder.map_err(Failure::system("cannot make a folder for the data"))?;
        let text = configuration(kind).to_string();
        std::fs::write(folder.path().join("longshore.yaml"), text)
            .map_err(Failure::system("cannot write a configuration"))?;
        let server = serve(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let url = format!("http://{}", server.addr);
        let client = Client::connect(&url)?;
        Ok(Self { server: Some(server), client, url, folder })
    }

    /// Returns where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Returns a client of it.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Stops it, and starts it again at the same place after it was away for so long.
    pub(super) async fn away(&mut self, away: Duration) -> Result<(), Failure> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let addr = server.addr;
        server.stop().await?;
        tokio::time::sleep(away).await;
        self.server = Some(serve(self.folder.path(), addr)?);
        Ok(())
    }

    /// Returns how many ends came too late, or twice, since it started.
    pub(super) async fn ends_refused(&self) -> Result<u64, Failure> {
        let unread = |why: &str| Failure::Check(format!("the server's metrics: {why}"));
        let Some(server) = &self.server else { return Err(unread("it is away")) };
        let page = get(server, "/metrics").await;
        let page = page.map_err(Failure::system("cannot read the server's metrics"))?;
        let value =
            page.lines().find_map(|line| line.strip_prefix("longshore_ends_refused_total "));
        value.and_then(|value| value.trim().parse().ok()).ok_or_else(|| unread("not as expected"))
    }
}

fn configuration(mut kind: Value) -> Value {
    kind["timeout"] = "30s".into();
    // Cancelled work is given up soon, so that its end comes late.
    kind["grace"] = "1s".into();
    kind["retry"] = json!({ "strategy": "fixed", "base": "200ms", "jitter": 0 });
    json!({ "kinds": { KIND: kind } })
}

fn serve(folder: &Path, addr: SocketAddr) -> Result<Server, Failure> {
    let shown = |name: &str| folder.join(name).display().to_string();
    let (config, data) = (shown("longshore.yaml"), shown("data"));
    let args = ["serve", "--config", &config, "--data", &data];
    Server::start_apart(addr, &args)
}

/// Reads what is no envelope, and so nothing for the client.
async fn get(server: &Server, path: &str) -> std::io::Result<String> {
    let addr = server.addr;
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    Ok(page)
}
