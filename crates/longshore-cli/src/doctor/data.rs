//! Whether the data folder can be used, and by whom.

use super::Finding;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Returns the folder itself, or the nearest one above it that is there.
pub(super) fn existing(folder: &Path) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = folder.ancestors().find(|folder| folder.exists());
    there.unwrap_or(Path::new("/")).to_owned()
}

/// Looks at its kind and its rights.
pub(super) fn check(folder: &Path) -> Vec<Finding> {
    let shown = folder.display();
    let there = existing(folder);
    if !there.is_dir() {
        let found = format!("{} is no folder", there.display());
        return vec![Finding::fail("data", found, "move it away, or take another --data")];
    }
    // Rights may be more than bits, so it is tried.
    if let Err(error) = tempfile::tempfile_in(&there) {
        return vec![Finding::fail(
            "data",
            format!("nothing can be written in {}: {error}", there.display()),
            "give the user that runs the service the right to write there",
        )];
    }
    if !folder.exists() {
        return vec![Finding::ok("data", format!("{shown} will be made at the first start"))];
    }
    let mode = fs::metadata(folder).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o007 != 0 {
        return vec![Finding::warn(
            "data",
            format!("every user of this machine can read {shown}: payloads may hold secrets"),
            format!("chmod 700 {shown}"),
        )];
    }
    vec![Finding::ok("data", format!("{shown} can be written"))]
}
