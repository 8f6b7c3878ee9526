//! Where a value of the configuration was said.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value of the configuration was said. Later ones win: default, file, environment, flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the product's own.
    Default,
    /// In a file.
    File {
        /// Its path, as it was named.
        file: Arc<Path>,
        /// Its line, from 1; 0 if it concerns the file as a whole.
        line: u64,
        /// Its column in characters, from 1; 0 if it concerns the line as a whole.
        column: u64,
    },
    /// In an environment variable.
    Env(Arc<str>),
    /// On the command line, or in the program's own code.
    Flag(&'static str),
}

impl Origin {
    /// Returns whether nobody said it.
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }

    /// Names a file as a whole.
    pub(super) fn file(file: &Path) -> Self {
        Self::File { file: file.into(), line: 0, column: 0 }
    }
}

/// Shows `default`, `longshore.yaml:3`, `env LONGSHORE__STORE` or `flag --listen`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line: 0, .. } => write!(f, "{}", file.display()),
            Self::File { file, line, .. } => write!(f, "{}:{line}", file.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

impl serde::Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
