//! A place of its own for what a measurement stores, and nothing left of it afterwards.

use crate::child::Server;
use crate::failure::Failure;
use clap::Args;
use longshore::drivers;
use std::path::PathBuf;

/// Which store is measured.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The store that is measured, such as postgres://localhost/test: in a schema of its own, which is removed
    /// afterwards. Default: the embedded store.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(super) store: Option<String>,
    /// Keeps the data there. Default: a temporary folder in the working folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Place {
    /// Makes an empty store there.
    pub(super) fn make(&self) -> Result<Scratch, Failure> {
        Scratch::make(self.store.as_deref(), self.data.as_ref())
    }

    /// Starts a server on an empty store there, with that configuration beside it, and measures it.
    pub(super) fn serve<T>(
        &self,
        config: &str,
        measure: impl AsyncFnOnce(&Server) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let threads = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::system("cannot start threads"))?;
        let scratch = self.make()?;
        let server = Server::start(&["dev", "--config", &scratch.configure(config)?])?;
        let measured = threads.block_on(measure(&server));
        drop(server);
        threads.block_on(scratch.clear())?;
        measured
    }
}

/// An empty store, at an address.
#[derive(Debug)]
pub(super) struct Scratch {
    url: String,
    /// Where the embedded store keeps its files; a configuration may lie there too.
    folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes a place: a schema in the database at `store`, or else a folder, in `parent` if that is given.
    fn make(store: Option<&str>, parent: Option<&PathBuf>) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("longshore-bench-")
            .tempdir_in(parent.cloned().unwrap_or_else(|| PathBuf::from(".")))
            .map_err(Failure::system("cannot make a folder for the data"))?;
        let url = match store {
            None => format!("embedded:{}", folder.path().join("data").display()),
            Some(url) if url.contains("schema=") => {
                let why = "--store: a measurement makes a schema of its own; leave `schema` out";
                return Err(Failure::Bench(why.to_owned()));
            }
            Some(url) => {
                let sign = if url.contains('?') { '&' } else { '?' };
                format!("{url}{sign}schema=longshore_bench_{}", std::process::id())
            }
        };
        Ok(Self { url, folder })
    }

    /// Returns its address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Writes a configuration that names the store, with that text behind it; returns its path.
    fn configure(&self, text: &str) -> Result<String, Failure> {
        let path = self.folder.path().join("longshore.yaml");
        // A JSON string is YAML too.
        let store = serde_json::to_string(&self.url).unwrap_or_default();
        std::fs::write(&path, format!("store: {store}\n{text}"))
            .map_err(Failure::system("cannot write a configuration"))?;
        Ok(path.display().to_string())
    }

    /// Leaves nothing behind.
    pub(super) async fn clear(self) -> Result<(), Failure> {
        Ok(drivers::erase(&self.url).await?)
    }
}
