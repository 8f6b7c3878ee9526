//! Whether the file of the keys is kept well, and whether the keys are good yet.

use super::Finding;
use longshore::core::{Clock, SystemClock};
use longshore::keys::KeyFile;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// A key that expires within this should be replaced.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// Looks at the file.
pub(super) fn check(path: &Path) -> Vec<Finding> {
    let shown = path.display();
    let keys = match KeyFile::new(path).read() {
        Ok(keys) => keys,
        Err(error) => {
            let fix = "correct it, or make a key: longshore key new";
            return vec![Finding::fail("keys", error.to_string(), fix)];
        }
    };
    let mut findings = vec![private("key file", path, "who can write there can make keys")];
    let now = SystemClock.now();
    let (expired, good): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key.is_expired(now));
    let soon = good.iter().filter(|key| key.expires_at.is_some_and(|at| at <= now.after(SOON)));
    let soon: Vec<&str> = soon.map(|key| key.id.as_str()).collect();
    findings.push(if good.is_empty() {
        let found = format!("{shown} has no key that is good: nobody is let in");
        Finding::fail("keys", found, "make one: longshore key new")
    } else if !soon.is_empty() {
        let found = format!("within 14 days these expire: {}", soon.join(", "));
        Finding::warn("keys", found, "make the next ones: longshore key rotate ID")
    } else {
        Finding::ok("keys", format!("{} good, {} expired", good.len(), expired.len()))
    });
    findings
}

/// Looks whether a file is its owner's alone.
pub(super) fn private(check: &'static str, path: &Path, why: &str) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            let mode = meta.permissions().mode() & 0o777;
            let found = format!("{shown} can be opened by others (mode {mode:o}): {why}");
            Finding::warn(check, found, format!("chmod 600 {shown}"))
        }
        Ok(_) => Finding::ok(check, format!("{shown} is its owner's alone")),
        Err(error) => Finding::fail(check, format!("{shown}: {error}"), "see whether it is there"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_file_that_others_can_open_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, "").unwrap();
        for (mode, verdict) in
            [(0o600, Verdict::Ok), (0o640, Verdict::Warn), (0o604, Verdict::Warn)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(private("keys", &path, "x").verdict, verdict, "{mode:o}");
        }
    }
}
