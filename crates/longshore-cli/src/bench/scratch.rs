//! A place of its own for what a measurement stores, and nothing left of it afterwards.

use crate::failure::Failure;
use longshore::drivers;
use std::path::PathBuf;

/// An empty store, at an address.
#[derive(Debug)]
pub(super) struct Scratch {
    url: String,
    /// Where the embedded store keeps its files; a configuration may lie there too.
    folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes a place: a schema in the database at `store`, or else a folder, in `parent` if that is given.
    pub(super) fn make(store: Option<&str>, parent: Option<&PathBuf>) -> Result<Self, Failure> {
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
    pub(super) fn configure(&self, text: &str) -> Result<String, Failure> {
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
