//! What is wrong with a configuration. All of it is told at once.

use super::origin::Origin;
use std::fmt;

/// One thing that is wrong: where, with which key, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key's path, such as `kinds."report.wordcount".retry.base`; empty if it is about none.
    pub key: String,
    /// Where it was said.
    pub origin: Origin,
    /// What is wrong, as a lower-case fragment about the key.
    pub message: String,
}

/// Shows `longshore.yaml:12:5: queues.mail.slots: must be …`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { column, .. } if *column > 0 => write!(f, "{}:{column}: ", self.origin)?,
            origin => write!(f, "{origin}: ")?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A configuration that is refused as a whole, with everything that was found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

impl ConfigError {
    /// Makes nothing of no faults.
    pub(super) fn of(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self::new(faults)) }
    }

    /// Sorts faults by where they are. There is at least one.
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        let place = |fault: &Fault| match &fault.origin {
            Origin::File { line, column, .. } => (0, *line, *column),
            Origin::Env(_) => (1, 0, 0),
            Origin::Flag(_) => (2, 0, 0),
            Origin::Default => (3, 0, 0),
        };
        faults.sort_by_key(place);
        faults.dedup();
        Self { faults }
    }

    /// Returns what is wrong, in the order of the file; at least one.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self::new(vec![fault])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.faults.as_slice() {
            return fmt::Display::fmt(only, f);
        }
        write!(f, "{} faults in the configuration:", self.faults.len())?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for ConfigError {}
