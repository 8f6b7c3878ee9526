//! The text of a key file: TOML, a `[[key]]` for each.

use longshore_core::{TenantName, Timestamp};
use longshore_http::auth::{Grant, Key, QueueGlob, Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version that is written, and the only one that there is.
const VERSION: u32 = 1;
/// Most keys of a file.
const MAX_KEYS: usize = 10_000;
/// Most queues of a key.
const MAX_QUEUES: usize = 64;
/// Longest name in characters.
const MAX_NAME: usize = 128;

const HEAD: &str = "\
# The keys of a Longshore service: made by `longshore key`, read again when it changes.
# `sha256` is that of the whole key; the key itself was shown once and is nowhere.
";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default)]
    key: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    env: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    tenant: TenantName,
    roles: Vec<Role>,
    queues: Vec<QueueGlob>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    sha256: String,
}

/// What is wrong, and in which line if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: Option<usize>,
    pub(super) why: String,
}

/// Reads the text of a key file; all of it, or nothing.
pub(super) fn read(text: &str) -> Result<Vec<Key>, Wrong> {
    let document: Document = toml::from_str(text).map_err(|error| Wrong {
        line: error.span().map(|span| 1 + newlines(text, span.start)),
        why: error.message().replace('\n', ", "),
    })?;
    let wrong = |why: String| Wrong { line: None, why };
    if document.version != VERSION {
        let found = document.version;
        return Err(wrong(format!("is of version {found}; this program knows {VERSION}")));
    }
    if document.key.len() > MAX_KEYS {
        return Err(wrong(format!("holds more than {MAX_KEYS} keys")));
    }
    let mut ids = BTreeSet::new();
    let mut keys = Vec::with_capacity(document.key.len());
    for entry in document.key {
        let id = entry.id.clone();
        let key = entry.key().map_err(|why| wrong(format!("key \"{id}\": {why}")))?;
        if !ids.insert(id.clone()) {
            return Err(wrong(format!("key \"{id}\" is there twice")));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Writes the text of a key file.
pub(super) fn write(keys: &[Key]) -> String {
    let document = Document { version: VERSION, key: keys.iter().map(Entry::of).collect() };
    // Texts, numbers and lists of texts alone always serialize.
    format!("{HEAD}{}", toml::to_string(&document).unwrap_or_default())
}

fn newlines(text: &str, until: usize) -> usize {
    text.bytes().take(until).filter(|byte| *byte == b'\n').count()
}

impl Entry {
    fn of(key: &Key) -> Self {
        let Key { id, env, grant, created_at, expires_at, hash } = key.clone();
        let Grant { name, tenant, roles, queues } = grant;
        let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { id, env, name, tenant, roles, queues, created_at, expires_at, sha256 }
    }

    fn key(self) -> Result<Key, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric();
        if !(1..=64).contains(&self.id.len()) || !self.id.bytes().all(plain) {
            return Err("its id must have 1 to 64 letters and digits".into());
        }
        Key::check_env(&self.env).map_err(|why| format!("its env {why}"))?;
        let Self { id, env, name, tenant, mut roles, queues, created_at, expires_at, sha256 } =
            self;
        if name.as_ref().is_some_and(|name| {
            name.chars().count() > MAX_NAME || name.chars().any(char::is_control)
        }) {
            return Err(format!(
                "its name must have at most {MAX_NAME} characters, none of control"
            ));
        }
        roles.sort_unstable();
        roles.dedup();
        if roles.is_empty() {
            return Err("it has no roles".into());
        }
        if !(1..=MAX_QUEUES).contains(&queues.len()) {
            return Err(format!("it must have 1 to {MAX_QUEUES} queues; \"*\" are all"));
        }
        let hash = hash_of(&sha256).ok_or("its sha256 must have 64 hexadecimal digits")?;
        let grant = Grant { name, tenant, roles, queues };
        Ok(Key { id, env, grant, created_at, expires_at, hash })
    }
}

fn hash_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: Option<&str>) -> Key {
        let grant = Grant {
            name: name.map(str::to_owned),
            tenant: TenantName::new("acme").unwrap(),
            roles: vec![Role::Enqueue, Role::Read],
            queues: vec!["mail*".parse().unwrap()],
        };
        Key::new("live", grant, Timestamp(1_000), name.map(|_| Timestamp(2_000))).unwrap().0
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let keys = vec![key(Some("a \"mailer\"")), key(None)];
        assert_eq!(read(&write(&keys)), Ok(keys));
        assert_eq!(read(&write(&[])), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_or_its_key() {
        let good = write(&[key(None)]);
        let told = |text: &str| read(text).unwrap_err();
        let line = told(&good.replace("\"read\"", "\"reed\"")).line.unwrap();
        assert!(good.lines().nth(line - 1).unwrap().starts_with("roles"), "line {line}");
        for (from, to, why) in [
            ("version = 1", "version = 2", "version 2"),
            ("sha256 = \"", "sha256 = \"x", "64 hexadecimal"),
            ("env = \"live\"", "env = \"li_ve\"", "its env"),
            ("queues = [\"mail*\"]", "queues = []", "queues"),
            ("queues = [\"mail*\"]", "queues = [\"Mail\"]", "Mail"),
            ("tenant =", "tennant =", "tennant"),
        ] {
            let wrong = told(&good.replacen(from, to, 1));
            assert!(wrong.why.contains(why), "{to}: {}", wrong.why);
        }
        let entry = good.split_once("[[key]]").unwrap().1;
        assert!(told(&format!("{good}\n[[key]]{entry}")).why.contains("twice"));
    }
}
