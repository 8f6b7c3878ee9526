//! Values of the command line, or of the program's own code: they win over everything.

use super::node::{Node, Value};
use super::origin::Origin;
use std::net::SocketAddr;
use std::path::Path;

/// Values that win over everything else, with the names under which they are shown.
#[derive(Debug, Clone, Default)]
pub struct Flags(Vec<(&'static str, Vec<String>, String)>);

impl Flags {
    /// Sets `server.listen`, as `--listen`.
    pub fn listen(self, addr: SocketAddr) -> Self {
        self.set("--listen", &["server", "listen"], addr.to_string())
    }

    /// Sets `store` to the embedded store in `folder`, as `--data`.
    pub fn data(self, folder: &Path) -> Self {
        self.set("--data", &["store"], format!("embedded:{}", folder.display()))
    }

    /// Sets `auth.keys` to the file of the keys, as `--keys`.
    pub fn keys(self, file: &Path) -> Self {
        self.set("--keys", &["auth", "keys"], format!("file:{}", file.display()))
    }

    /// Sets the certificate of `server.tls`, as `--tls-cert`.
    pub fn tls_cert(self, file: &Path) -> Self {
        self.set("--tls-cert", &["server", "tls", "cert"], file.display().to_string())
    }

    /// Sets the private key of `server.tls`, as `--tls-key`.
    pub fn tls_key(self, file: &Path) -> Self {
        self.set("--tls-key", &["server", "tls", "key"], file.display().to_string())
    }

    /// Listens anywhere, without keys and TLS too, as `--insecure-bind`.
    pub fn insecure_bind(self) -> Self {
        self.set("--insecure-bind", &["server", "insecure_bind"], "true")
    }

    /// Sets the key at `path`, a single value, to what would be written in a variable. `flag` is
    /// the name that is shown as its origin.
    pub fn set(mut self, flag: &'static str, path: &[&str], value: impl Into<String>) -> Self {
        self.0.push((flag, path.iter().map(|key| (*key).to_owned()).collect(), value.into()));
        self
    }

    pub(super) fn lay(&self, root: &mut Node) {
        for (flag, path, value) in &self.0 {
            root.lay(path, Value::Raw(value.clone()), &Origin::Flag(flag));
        }
    }
}
