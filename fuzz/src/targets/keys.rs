//! The file of the keys.

use crate::{Came, Target};
use longshore::keys::{KeyFile, KeyFileError};
use tempfile::TempDir;

/// A key file.
pub(super) struct Keys(TempDir);

impl Keys {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap_or_else(|error| panic!("{error}")))
    }
}

impl Target for Keys {
    fn name(&self) -> &'static str {
        "key_file"
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "version = 1\n",
            "[[key]]\n",
            "id = \"a1\"\n",
            "env = \"live\"\n",
            "name = \"n\"\n",
            "tenant = \"acme\"\n",
            "roles = [\"read\"]\n",
            "queues = [\"mail*\"]\n",
            "created_at = \"2026-11-28T09:00:00.000Z\"\n",
            "expires_at = \"2027-11-28T09:00:00.000Z\"\n",
            "sha256 = \"",
            "00000000000000000000000000000000",
            "\"",
            "*",
            "admin",
        ]
    }

    /// What is accepted is written so that it is read as the same again; what is not has a reason.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String> {
        let file = KeyFile::new(self.0.path().join("keys"));
        std::fs::write(file.path(), input).map_err(|error| error.to_string())?;
        let keys = match file.read() {
            Ok(keys) => keys,
            Err(KeyFileError::Wrong { why, .. }) if !why.is_empty() => {
                return Ok(Came::refused(why.chars().take(24).collect::<String>()));
            }
            Err(error) => return Err(format!("refused without a reason: {error:?}")),
        };
        file.change(|_| Ok::<_, KeyFileError>(())).map_err(|error| error.to_string())?;
        match file.read() {
            Ok(again) if again == keys => Ok(Came::accepted(format!("{} keys", keys.len()))),
            other => Err(format!("{keys:?} were written, and read as {other:?}")),
        }
    }
}
