//! Where the configuration is taken from.

use clap::Args;
use longshore::config::{Config, ConfigError, Flags, Sources};
use longshore::core::KindName;
use std::path::PathBuf;

/// Where the configuration is taken from.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The file; longshore.yaml, .yml or .toml of this folder if not given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A kind that your own program has a handler for; can be repeated
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind_in_code: Vec<KindName>,
}

fn kind(text: &str) -> Result<KindName, String> {
    KindName::new(text).map_err(|bad| bad.to_string())
}

impl Place {
    /// Returns the sources: defaults, the file, and the environment.
    fn sources(&self) -> Sources {
        // This one every service has.
        let export = KindName::new("data.export").ok();
        let kinds = self.kind_in_code.iter().cloned().chain(export);
        let sources = Sources::of_process().kinds_in_code(kinds);
        match &self.config {
            Some(file) => sources.file(file),
            None => sources,
        }
    }

    /// Reads it without looking at what it names.
    pub(crate) fn read(&self, flags: Flags) -> Result<Config, ConfigError> {
        self.sources().flags(flags).load()
    }

    /// Reads it and checks it, as a service does before it starts.
    pub(crate) fn load(&self, flags: Flags) -> Result<Config, ConfigError> {
        let config = self.read(flags)?;
        config.check()?;
        Ok(config)
    }
}
