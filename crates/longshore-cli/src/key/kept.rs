//! Which file the keys are in.

use crate::failure::Failure;
use clap::Args;
use longshore::config::Flags;
use longshore::keys::KeyFile;
use std::path::PathBuf;

/// Which file the keys are in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Key file")]
pub(crate) struct Kept {
    /// The file of the keys; `auth.keys` of the configuration if not given
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    config: crate::config::Place,
}

impl Kept {
    /// Returns the file. It need not be there yet.
    pub(super) fn file(&self) -> Result<KeyFile, Failure> {
        if let Some(path) = &self.keys {
            return Ok(KeyFile::new(path));
        }
        let config = self.config.read(Flags::default());
        let config = config.map_err(|bad| {
            Failure::Usage(format!(
                "{bad}\ncorrect the configuration, or name the file: --keys FILE"
            ))
        })?;
        config.auth.keys.map(KeyFile::new).ok_or_else(|| {
            let why = "which file? give --keys FILE, or set auth.keys in the configuration";
            Failure::Usage(why.into())
        })
    }
}
