//! The files of a configuration: which one it is, and reading them within bounds.

use super::fault::Fault;
use super::node::Node;
use super::origin::Origin;
use super::{toml, yaml};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files that are looked for in the working folder.
pub const FILE_NAMES: [&str; 3] = ["longshore.yaml", "longshore.yml", "longshore.toml"];

/// Largest configuration file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Finds the configuration of a folder; it may have one or none.
pub(super) fn find(folder: &Path) -> Result<Option<PathBuf>, Fault> {
    let there: Vec<PathBuf> =
        FILE_NAMES.iter().map(|name| folder.join(name)).filter(|path| path.exists()).collect();
    match there.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        [first, others @ ..] => {
            let others: Vec<String> =
                others.iter().map(|path| path.display().to_string()).collect();
            let message = format!(
                "there is {} too; keep one of them, or name one with --config",
                others.join(" and ")
            );
            Err(Fault { key: String::new(), origin: Origin::file(first), message })
        }
    }
}

/// Reads and parses a configuration file.
pub(super) fn parse(path: &Path) -> Result<Node, Vec<Fault>> {
    let file: Arc<Path> = path.into();
    let fault =
        |message: String| vec![Fault { key: String::new(), origin: Origin::file(path), message }];
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !matches!(extension, "yaml" | "yml" | "toml") {
        return Err(fault("must end in .yaml, .yml or .toml, which says how it is written".into()));
    }
    let text = read(path, MAX_FILE).map_err(fault)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match extension {
        "toml" => toml::parse(text, &file),
        _ => yaml::parse(text, &file).map_err(|fault| vec![fault]),
    }
}

/// Reads a text file of at most `max` bytes.
pub(super) fn read(path: &Path, max: u64) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    // Opening a pipe would wait for somebody; reading a device might never end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is no regular file".into());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(unreadable)?
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > max {
        return Err(format!("is larger than {}", super::measure::Size(max)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        format!("is not UTF-8 at byte {offset}")
    })
}
