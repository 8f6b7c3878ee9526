//! Where programs are.

use std::path::{Path, PathBuf};

/// Returns the folder that has all of `names`: of the newest version under `versions` (`versions/15/bin`), or the
/// first such folder of the path.
pub(crate) fn find(versions: &Path, names: &[&str]) -> Option<PathBuf> {
    let has_all = |folder: &Path| names.iter().all(|name| folder.join(name).exists());
    let installed = std::fs::read_dir(versions).into_iter().flatten().flatten();
    let newest = installed
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| has_all(folder))
        .max();
    if let Some((_, folder)) = newest {
        return Some(folder);
    }
    std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| has_all(folder))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_newest_version_that_is_whole_is_found() {
        let name = format!("longshore-programs-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        for (version, program) in [("9", "serve"), ("15", "serve"), ("17", "ask"), ("old", "serve")]
        {
            std::fs::create_dir_all(folder.join(version).join("bin")).unwrap();
            std::fs::write(folder.join(version).join("bin").join(program), "").unwrap();
        }
        let found = find(&folder, &["serve"]);
        let nothing = find(&folder, &["serve", "no-such-program"]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, Some(folder.join("15/bin")));
        assert_eq!(nothing, None);
    }
}
