//! The reference of all keys, for the documentation.

use super::keys::{Key, Preset, ROOT, Shape, When};
use std::fmt::Write;

/// Returns tables of all keys in Markdown: one for each block, the whole document first.
pub fn reference() -> String {
    let mut page = String::new();
    let mut blocks: Vec<(String, &[Key])> = vec![(String::new(), ROOT)];
    // Breadth first: a block's own blocks follow it.
    let mut next = 0;
    while next < blocks.len() {
        let (path, keys) = blocks[next].clone();
        next += 1;
        table(&mut page, &path, keys);
        for (place, inner) in keys.iter().filter_map(|key| inside(&path, key)).enumerate() {
            blocks.insert(next + place, inner);
        }
    }
    let later: Vec<String> = later("", ROOT);
    let _ = writeln!(
        page,
        "Keys that are known but not available yet, and refused: {}.",
        later.join(", ")
    );
    page
}

fn table(page: &mut String, path: &str, keys: &[Key]) {
    let title = if path.is_empty() { "The document".to_owned() } else { format!("`{path}`") };
    let _ = writeln!(page, "### {title}\n\n| key | value | default | meaning |\n|---|---|---|---|");
    for key in keys.iter().filter(|key| !matches!(key.shape, Shape::Later)) {
        let default = match key.preset {
            Preset::None => "–".to_owned(),
            Preset::Is(text) => format!("`{text}`"),
            Preset::Required => "required".to_owned(),
        };
        let place = match key.when {
            When::Always => String::new(),
            When::Beside(other) => format!("; beside `{other}` only"),
            When::OneOf(other, values) => format!("; with `{other}: {}` only", values.join("`, `")),
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {default} | {}{place} |",
            key.name,
            value(key),
            key.about
        );
    }
    page.push('\n');
}

fn value(key: &Key) -> String {
    match &key.shape {
        Shape::One(form) => form.brief(),
        Shape::List { of, .. } => format!("list of: {}", of.brief()),
        Shape::OneOrMore { of, max } => format!("{}; or a list of 1..{max}", of.brief()),
        Shape::Block(_) => "block".into(),
        Shape::WordOrBlock { words, .. } => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("{}, or a block", words.join(", "))
        }
        Shape::Blocks { .. } => "list of blocks".into(),
        Shape::Named { names, .. } => format!("block for each {}", names.placeholder()),
        Shape::Pairs { names, of, max } => {
            format!("{} for each {}, at most {max}", of.brief(), names.placeholder())
        }
        Shape::Later => "–".into(),
    }
}

fn inside(path: &str, key: &Key) -> Option<(String, &'static [Key])> {
    let dot = if path.is_empty() { "" } else { "." };
    match &key.shape {
        Shape::Block(keys) | Shape::WordOrBlock { keys, .. } => {
            Some((format!("{path}{dot}{}", key.name), keys))
        }
        Shape::Blocks { keys, .. } => Some((format!("{path}{dot}{}[]", key.name), keys)),
        Shape::Named { names, keys } => {
            Some((format!("{path}{dot}{}.{}", key.name, names.placeholder()), keys))
        }
        _ => None,
    }
}

fn later(path: &str, keys: &[Key]) -> Vec<String> {
    let mut found = Vec::new();
    for key in keys {
        if matches!(key.shape, Shape::Later) {
            let dot = if path.is_empty() { "" } else { "." };
            found.push(format!("`{path}{dot}{}`", key.name));
        }
        if let Some((path, keys)) = inside(path, key) {
            found.extend(later(&path, keys));
        }
    }
    found
}
