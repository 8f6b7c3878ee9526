//! A key: what is kept of it, and the text that a caller shows.
//!
//! The text is `ls_<env>_<id>_<secret>`. The secret has 256 bits from the system and is shown once;
//! what is kept is the SHA-256 of the whole text. So much chance needs no slow hash.

use super::{QueueGlob, Role};
use longshore_core::{TenantName, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// Bytes of a secret: 256 bits.
const SECRET: usize = 32;
/// Bytes of an id.
const ID: usize = 6;
/// Longest text that is looked at.
const MAX_TEXT: usize = 256;

/// What is kept of a key. Its secret is not among it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Names it in lists, logs and the audit log.
    pub id: String,
    /// A word for people and scanners, such as `live` or `test`.
    pub env: String,
    /// What it may do, and for whom.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it is refused.
    pub expires_at: Option<Timestamp>,
    /// SHA-256 of the whole text.
    pub hash: [u8; 32],
}

/// What a key may do, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What people call it.
    pub name: Option<String>,
    /// Whose tasks it sees.
    pub tenant: TenantName,
    /// What it allows, in order, none twice.
    pub roles: Vec<Role>,
    /// Which queues it covers.
    pub queues: Vec<QueueGlob>,
}

/// The text of a key. It never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

impl KeyText {
    /// Returns the text itself: for the one time that it is shown, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The system gives no chance.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoChance(getrandom::Error);

impl Key {
    /// Makes a key and its text, which is nowhere else.
    pub fn new(
        env: &str,
        grant: Grant,
        now: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(Self, KeyText), NoChance> {
        let (mut id, mut secret) = ([0; ID], [0; SECRET]);
        getrandom::fill(&mut id).map_err(NoChance)?;
        getrandom::fill(&mut secret).map_err(NoChance)?;
        let (id, env) = (hex(&id), env.to_owned());
        let text = format!("ls_{env}_{id}_{}", hex(&secret));
        let hash = Sha256::digest(&text).into();
        Ok((Self { id, env, grant, created_at: now, expires_at, hash }, KeyText(text)))
    }

    /// Returns whether this is its text. Takes as long for every wrong one.
    pub fn is(&self, text: &str) -> bool {
        Sha256::digest(text).as_slice().ct_eq(&self.hash).into()
    }

    /// Returns whether it is refused by now.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }

    /// Returns what is wrong with a word for `env`, if anything is.
    pub fn check_env(env: &str) -> Result<(), &'static str> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fine = (1..=16).contains(&env.len()) && env.bytes().all(known);
        if fine { Ok(()) } else { Err("must have 1 to 16 of the characters a-z and 0-9") }
    }
}

/// Returns the id in the text of a key, if it looks like one.
pub(super) fn id_of(text: &str) -> Option<&str> {
    let mut parts = (text.len() <= MAX_TEXT).then(|| text.splitn(4, '_'))?;
    let (ls, _env, id, secret) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (ls == "ls" && !id.is_empty() && !secret.is_empty()).then_some(id)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (Key, KeyText) {
        let grant = Grant {
            name: None,
            tenant: TenantName::default(),
            roles: vec![Role::Read],
            queues: vec![QueueGlob::any()],
        };
        Key::new("live", grant, Timestamp(0), Some(Timestamp(10))).unwrap()
    }

    #[test]
    fn a_key_knows_its_own_text_alone() {
        let ((one, text), (other, _)) = (key(), key());
        assert!(one.is(text.expose()) && !other.is(text.expose()));
        assert!(!one.is(&text.expose()[..text.expose().len() - 1]) && !one.is(""));
        assert_eq!(id_of(text.expose()), Some(one.id.as_str()));
        assert_eq!(text.expose().len(), "ls_live_".len() + 2 * ID + 1 + 2 * SECRET);
    }

    #[test]
    fn a_text_never_prints_itself() {
        let (key, text) = key();
        let shown = format!("{text:?} {key:?}");
        assert!(!shown.contains(text.expose().rsplit('_').next().unwrap()), "{shown}");
    }

    #[test]
    fn a_key_is_refused_from_its_expiry_on() {
        let (key, _) = key();
        assert!(!key.is_expired(Timestamp(9)) && key.is_expired(Timestamp(10)));
    }

    #[test]
    fn what_is_no_key_has_no_id() {
        for text in ["", "ls", "ls_live_a", "ls_live__x", "xx_live_a_b", "ls_live_a_"] {
            assert_eq!(id_of(text), None, "{text}");
        }
        assert_eq!(id_of(&format!("ls_live_a_{}", "x".repeat(300))), None);
    }
}
