//! Where a payload comes from: the command line, a file, or standard input.

use crate::failure::Failure;
use clap::Args;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::Read;

/// More than any server takes.
const MAX: u64 = 16 << 20;

/// Where a payload comes from.
#[derive(Debug, Default, Args)]
pub(crate) struct PayloadSource {
    /// The payload as JSON
    #[arg(long, value_name = "JSON", conflicts_with = "payload_file", allow_hyphen_values = true)]
    payload: Option<String>,
    /// A file with the payload as JSON; `-` is standard input
    #[arg(long, value_name = "FILE")]
    payload_file: Option<String>,
}

impl PayloadSource {
    /// Takes JSON, or `-` for standard input.
    pub(super) fn named(text: String) -> Self {
        match text.as_str() {
            "-" => Self { payload: None, payload_file: Some(text) },
            _ => Self { payload: Some(text), payload_file: None },
        }
    }

    /// Returns whether it is read from standard input.
    pub(crate) fn is_stdin(&self) -> bool {
        self.payload_file.as_deref() == Some("-")
    }

    /// Returns the payload, as it was written; nothing if none was given.
    pub(crate) fn read(&self) -> Result<Option<Box<RawValue>>, Failure> {
        let (text, from) = match (&self.payload, &self.payload_file) {
            (Some(text), _) => (text.clone(), "the payload".to_owned()),
            (None, Some(file)) if file == "-" => {
                (all(std::io::stdin().lock(), "standard input")?, "standard input".to_owned())
            }
            (None, Some(file)) => {
                let open = File::open(file).map_err(Failure::system(format!("cannot open {file}")));
                (all(open?, file)?, file.clone())
            }
            (None, None) => return Ok(None),
        };
        let json = RawValue::from_string(text.trim().to_owned());
        json.map(Some).map_err(|bad| Failure::Usage(format!("{from} must be JSON: {bad}")))
    }
}

fn all(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = from.take(MAX + 1).read_to_string(&mut text);
    read.map_err(Failure::system(format!("cannot read {name}")))?;
    if text.len() as u64 > MAX {
        return Err(Failure::Usage(format!("{name} is larger than {} MiB", MAX >> 20)));
    }
    Ok(text)
}
