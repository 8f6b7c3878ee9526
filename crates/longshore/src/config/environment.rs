//! Variables that set keys: `LONGSHORE__SERVER__LISTEN` is `server.listen`.
//!
//! Parts are split at two underscores; upper and lower case are the same. A variable cannot spell
//! the `.` and `-` of a kind or queue, so in its place any name of the file that reads the same
//! with `_` for both is meant; if there is none, the part is a new name as it stands.

use super::block::join;
use super::fault::Fault;
use super::form::Names;
use super::keys::{Key, ROOT, Shape};
use super::node::{Node, Value};
use super::origin::Origin;
use longshore_runtime::nearest::nearest;
use std::collections::BTreeMap;

const PREFIX: &str = "LONGSHORE__";

/// Whether a variable sets a key.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Lays the variables over a document.
pub(super) fn lay(root: &mut Node, env: &BTreeMap<String, String>, faults: &mut Vec<Fault>) {
    // Names are those of the file, not those that another variable has made.
    let before = root.clone();
    let mut seen: BTreeMap<Vec<String>, &str> = BTreeMap::new();
    for (name, value) in env.iter().filter(|(name, _)| is_ours(name)) {
        let origin = Origin::Env(name.as_str().into());
        let found = path(&name[PREFIX.len()..], &before).and_then(|path| {
            match seen.insert(path.clone(), name) {
                Some(other) => Err(format!("sets the same key as {other}; keep one of them")),
                None => Ok(path),
            }
        });
        match found {
            Ok(path) => root.lay(&path, Value::Raw(value.clone()), &origin),
            Err(message) => faults.push(Fault { key: String::new(), origin, message }),
        }
    }
}

/// Finds the key that a variable means.
fn path(name: &str, root: &Node) -> Result<Vec<String>, String> {
    let mut path = Vec::new();
    let mut keys = ROOT;
    let mut node = Some(root);
    let mut parts = name.split("__");
    while let Some(part) = parts.next() {
        let key = known(part, keys, &path)?;
        path.push(key.name.to_owned());
        node = node.and_then(|node| node.entry(key.name)).map(|entry| &entry.node);
        match &key.shape {
            Shape::Block(inner) => keys = inner,
            Shape::WordOrBlock { keys: inner, .. } => match parts.clone().next() {
                Some(_) => keys = inner,
                None => return Ok(path),
            },
            Shape::Named { names, keys: inner } => {
                let part = parts.next().ok_or_else(|| unfinished(&path))?;
                let name = meant(*names, part, node)?;
                node = node.and_then(|node| node.entry(&name)).map(|entry| &entry.node);
                path.push(name);
                keys = inner;
            }
            Shape::Pairs { names, .. } => {
                let part = parts.next().ok_or_else(|| unfinished(&path))?;
                path.push(meant(*names, part, node)?);
                return finished(path, parts.next());
            }
            _ => return finished(path, parts.next()),
        }
    }
    Err(unfinished(&path))
}

fn known<'k>(part: &str, keys: &'k [Key], path: &[String]) -> Result<&'k Key, String> {
    let name = part.to_ascii_lowercase();
    keys.iter().find(|key| key.name == name).ok_or_else(|| {
        let of = if path.is_empty() { String::new() } else { format!(" of {}", spelled(path)) };
        let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
        match nearest(&name, names.iter().copied()).first() {
            Some(near) => format!("\"{name}\" is no key{of}; did you mean \"{near}\"?"),
            None => format!("\"{name}\" is no key{of}; there is: {}", names.join(", ")),
        }
    })
}

/// The name that a part means.
fn meant(names: Names, part: &str, node: Option<&Node>) -> Result<String, String> {
    let entries = node.map_or(&[][..], Node::entries);
    if let Some(same) = entries.iter().find(|entry| entry.key == part) {
        return Ok(same.key.clone());
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace(['.', '-'], "_");
    let alike: Vec<&str> = entries
        .iter()
        .map(|entry| entry.key.as_str())
        .filter(|name| plain(name) == plain(part))
        .collect();
    match alike.as_slice() {
        [] if names == Names::Header => Ok(part.to_ascii_lowercase().replace('_', "-")),
        [] => Ok(part.to_ascii_lowercase()),
        [only] => Ok((*only).to_owned()),
        several => Err(format!("could mean any of {}; set it in the file", several.join(", "))),
    }
}

fn finished(path: Vec<String>, more: Option<&str>) -> Result<Vec<String>, String> {
    match more {
        None => Ok(path),
        Some(more) => Err(format!("{} has no keys inside, such as \"{more}\"", spelled(&path))),
    }
}

fn unfinished(path: &[String]) -> String {
    format!("{} is a block; name one of its keys, after two underscores", spelled(path))
}

fn spelled(path: &[String]) -> String {
    path.iter().fold(String::new(), |path, name| join(&path, name))
}
