//! Inputs that are committed: what somebody thought of, and what once broke something.

use std::path::PathBuf;

/// Returns the inputs of that target: (file name, content), in the order of their names. Of a file
/// whose name ends in `.lines`, each line is an input.
///
/// # Errors
/// If the folder cannot be read, or is empty.
pub fn corpus(target: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut inputs = Vec::new();
    for file in std::fs::read_dir(&folder)? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        let content = std::fs::read(file.path())?;
        if name.ends_with(".lines") {
            let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let numbered = lines.enumerate();
            inputs.extend(numbered.map(|(n, line)| (format!("{name}:{}", n + 1), line.to_vec())));
        } else {
            inputs.push((name, content));
        }
    }
    inputs.sort();
    if inputs.is_empty() {
        return Err(std::io::Error::other(format!("no inputs in {}", folder.display())));
    }
    Ok(inputs)
}
