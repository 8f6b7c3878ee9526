//! A place of its own for what a measurement stores, and nothing left of it afterwards.

use crate::failure::Failure;
use longshore::drivers;
use std::path::{Path, PathBuf};

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

    /// Returns a folder of its own.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves nothing behind.
    pub(super) async fn clear(self) -> Result<(), Failure> {
        Ok(drivers::erase(&self.url).await?)
    }
}
