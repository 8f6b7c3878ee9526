//! The keys that are in force, and the judging of what callers show.

use super::Caller;
use super::key::{Key, id_of};
use super::tries::{LIMIT, Tries, Whose};
use crate::codes;
use crate::problem::Problem;
use http::{HeaderMap, HeaderValue, header};
use longshore_core::{Clock, SystemClock};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Names the scheme to who came without a key, and to who came with a wrong one.
const ASK: HeaderValue = HeaderValue::from_static("Bearer realm=\"longshore\"");
const ASK_AGAIN: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"longshore\", error=\"invalid_token\"");

/// The keys that are in force. All clones are one; they can be replaced while requests come in.
#[derive(Clone)]
pub struct Keyring(Arc<Ring>);

struct Ring {
    keys: RwLock<Arc<BTreeMap<Arc<str>, Held>>>,
    tries: Mutex<Tries>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Held {
    key: Key,
    caller: Caller,
}

/// What is different after the keys were replaced, by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct KeyChanges {
    /// The new ones.
    pub added: Vec<String>,
    /// Those that expire at another time, or may do something else.
    pub changed: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
}

impl KeyChanges {
    /// Returns whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.all().len())
    }
}

impl PartialEq for Keyring {
    /// Whether both are one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Keyring {}

impl Keyring {
    /// Puts these keys in force. Of two with one id the later one counts.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self::with_clock(keys, Arc::new(SystemClock))
    }

    /// Does the same by a clock of the program's own.
    pub fn with_clock(keys: impl IntoIterator<Item = Key>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Ring { keys: RwLock::new(held(keys)), tries: Mutex::default(), clock }))
    }

    /// Puts these keys in force instead, at once. Requests that were let in go on.
    pub fn replace(&self, keys: impl IntoIterator<Item = Key>) -> KeyChanges {
        let now = held(keys);
        let mut kept = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *kept, now.clone());
        drop(kept);
        let ids: BTreeSet<&Arc<str>> = before.keys().chain(now.keys()).collect();
        let mut changes = KeyChanges::default();
        for id in ids {
            match (before.get(id), now.get(id)) {
                (None, _) => changes.added.push(id.to_string()),
                (_, None) => changes.removed.push(id.to_string()),
                (Some(was), Some(is)) if was.key != is.key => changes.changed.push(id.to_string()),
                _ => {}
            }
        }
        changes
    }

    fn all(&self) -> Arc<BTreeMap<Arc<str>, Held>> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets in who shows a key in force; `from` is the address that it shows it from.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<Caller, Problem> {
        self.admit_at(headers, from, Instant::now())
    }

    fn admit_at(
        &self,
        headers: &HeaderMap,
        from: Option<IpAddr>,
        at: Instant,
    ) -> Result<Caller, Problem> {
        let mut shown = headers.get_all(header::AUTHORIZATION).into_iter();
        let (first, more) = (shown.next(), shown.next());
        let Some(first) = first else {
            let message = "this takes a key: send it as \"Authorization: Bearer ls_…\"";
            return Err(asking(Problem::new(&codes::NO_KEY, message), ASK));
        };
        let address = from.map(Whose::of);
        if let Some(wait) = address.as_ref().and_then(|whose| self.tries().wait(whose, at)) {
            return Err(too_many(wait));
        }
        let text = (more.is_none()).then(|| bearer(first)).flatten();
        let keys = self.all();
        let found = text.and_then(id_of).and_then(|id| keys.get_key_value(id));
        match (found, text) {
            (Some((_, held)), Some(text)) if held.key.is(text) => {
                if held.key.is_expired(self.0.clock.now()) {
                    let message = format!("the key {} has expired", held.key.id);
                    return Err(asking(Problem::new(&codes::KEY_EXPIRED, message), ASK_AGAIN));
                }
                Ok(held.caller.clone())
            }
            (found, _) => Err(self.wrong(address, found.map(|(id, _)| id.clone()), at)),
        }
    }

    fn tries(&self) -> std::sync::MutexGuard<'_, Tries> {
        self.0.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a wrong try, and says what it is answered.
    fn wrong(&self, address: Option<Whose>, id: Option<Arc<str>>, at: Instant) -> Problem {
        let mut tries = self.tries();
        let guessed = id.clone().map(Whose::Key);
        let wait = guessed.as_ref().and_then(|whose| tries.wait(whose, at));
        for whose in address.into_iter().chain(guessed) {
            // Once for each minute: a log must not be what fills the disk.
            if tries.wrong(whose.clone(), at) == LIMIT {
                tracing::warn!(?whose, "too many wrong keys; further ones have to wait");
            }
        }
        match wait {
            Some(wait) => too_many(wait),
            None => {
                let message = "the key is not one of this server, or was revoked";
                asking(Problem::new(&codes::WRONG_KEY, message), ASK_AGAIN)
            }
        }
    }
}

fn held(keys: impl IntoIterator<Item = Key>) -> Arc<BTreeMap<Arc<str>, Held>> {
    let held = |key: Key| {
        let caller = Caller::of(&key.id, &key.grant);
        (Arc::from(key.id.as_str()), Held { key, caller })
    };
    Arc::new(keys.into_iter().map(held).collect())
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim_start_matches(' '))
}

fn asking(problem: Problem, how: HeaderValue) -> Problem {
    problem.header(header::WWW_AUTHENTICATE, how)
}

fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let message =
        format!("too many wrong keys were shown; the next one is looked at in {seconds} s");
    Problem::new(&codes::TOO_MANY_TRIES, message)
        .header(header::RETRY_AFTER, HeaderValue::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Grant, KeyText, QueueGlob, Role};
    use longshore_core::{TenantName, Timestamp};

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)));

    fn key(expires_at: Option<Timestamp>) -> (Key, KeyText) {
        let grant = Grant {
            name: None,
            tenant: TenantName::default(),
            roles: vec![Role::Read],
            queues: vec![QueueGlob::any()],
        };
        Key::new("test", grant, Timestamp(0), expires_at).unwrap()
    }

    fn shown(text: &str) -> HeaderMap {
        let value = HeaderValue::try_from(format!("Bearer {text}")).unwrap();
        HeaderMap::from_iter([(header::AUTHORIZATION, value)])
    }

    fn code(answer: Result<Caller, Problem>) -> u32 {
        answer.map_or_else(|problem| problem.code().number, |_| 0)
    }

    #[test]
    fn a_key_in_force_is_let_in_and_nothing_else_is() {
        let (key, text) = key(None);
        let ring = Keyring::new([key.clone()]);
        assert_eq!(code(ring.admit(&shown(text.expose()), HERE)), 0);
        assert_eq!(code(ring.admit(&HeaderMap::new(), HERE)), 40101);
        let guess = format!("ls_test_{}_{}", key.id, "0".repeat(64));
        let basic =
            HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static("Basic x"))]);
        let mut twice = shown(text.expose());
        twice.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        for wrong in [shown(&guess), shown("x"), shown(""), basic, twice] {
            assert_eq!(code(ring.admit(&wrong, HERE)), 40102, "{wrong:?}");
        }
    }

    #[test]
    fn an_expired_key_is_told_so_and_is_no_wrong_try() {
        let (key, text) = key(Some(Timestamp(1)));
        let ring = Keyring::new([key]);
        for _ in 0..2 * LIMIT {
            assert_eq!(code(ring.admit(&shown(text.expose()), HERE)), 40103);
        }
    }

    #[test]
    fn after_too_many_wrong_tries_an_address_waits_and_others_do_not() {
        let ((key, text), at) = (key(None), Instant::now());
        let ring = Keyring::new([key.clone()]);
        let guess = shown(&format!("ls_test_{}_x", key.id));
        let ask = |headers: &HeaderMap, from| ring.admit_at(headers, from, at);
        for _ in 0..LIMIT {
            assert_eq!(code(ask(&guess, HERE)), 40102);
        }
        assert_eq!(code(ask(&guess, HERE)), 42902);
        assert_eq!(code(ask(&shown(text.expose()), HERE)), 42902);
        assert_eq!(code(ask(&shown(text.expose()), THERE)), 0);
        // The key is being guessed at: one more guess has to wait wherever it is from.
        assert_eq!(code(ask(&guess, THERE)), 42902);
        let later = at + Duration::from_secs(60);
        assert_eq!(code(ring.admit_at(&shown(text.expose()), HERE, later)), 0);
    }

    #[test]
    fn replaced_keys_hold_at_once_and_it_is_told_which_changed() {
        let ((one, one_text), (two, two_text)) = (key(None), key(None));
        let ring = Keyring::new([one.clone()]);
        let shorter = Key { expires_at: Some(Timestamp(5)), ..one.clone() };
        let changes = ring.replace([shorter, two.clone()]);
        assert_eq!((changes.added, changes.changed), (vec![two.id.clone()], vec![one.id.clone()]));
        assert_eq!(ring.replace([two.clone()]).removed, [one.id]);
        assert_eq!(code(ring.admit(&shown(one_text.expose()), HERE)), 40102);
        assert_eq!(code(ring.admit(&shown(two_text.expose()), HERE)), 0);
        assert!(ring.replace([two]).is_empty());
    }
}
