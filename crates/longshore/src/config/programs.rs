//! Finding the program of a command.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Finds the program: with a `/` in it from `folder`, else in the folders of `path`.
///
/// Returns its absolute path: where the program runs later must not change which one it is.
pub(super) fn find(wanted: &str, folder: &Path, path: Option<&str>) -> Result<PathBuf, String> {
    if wanted.is_empty() {
        return Err("names no program".into());
    }
    if wanted.contains('/') {
        let file = folder.join(wanted);
        let file = std::path::absolute(&file).unwrap_or(file);
        return judge(&file)
            .map(|()| file.clone())
            .map_err(|why| format!("{} {why}", file.display()));
    }
    let folders = path.unwrap_or_default();
    std::env::split_paths(folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(wanted))
        .find(|file| judge(file).is_ok())
        .ok_or_else(|| {
            format!(
                "there is no program \"{wanted}\" in PATH ({folders}); \
                 write its path, such as \"./{wanted}\", if it is elsewhere"
            )
        })
}

fn judge(file: &Path) -> Result<(), String> {
    let meta = std::fs::metadata(file).map_err(|error| format!("cannot be run: {error}"))?;
    if !meta.is_file() {
        return Err("cannot be run: it is no file".into());
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err("cannot be run: make it executable (chmod +x)".into());
    }
    Ok(())
}
