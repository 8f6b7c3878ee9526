//! What guards the door, from the files that the configuration names: keys, and a certificate.
//!
//! Each is read at the start, and again whenever there is reason to. One that is wrong then does not
//! hold up the other, nor does anything else in the configuration: a revoked key is out at once, and
//! what is wrong leaves the old one in force.

use crate::config::{Config, ConfigError};
use crate::keys::KeyFile;
use longshore_core::{Clock, SystemClock, Timestamp};
use longshore_http::auth::Keyring;
use longshore_http::tls::{Identity, Tls};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A certificate that expires within this is warned of.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// What guards the door. All clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guards {
    keys: Option<(KeyFile, Keyring)>,
    tls: Option<(PathBuf, PathBuf, Tls)>,
    /// What was wrong the last time, by what it was: it is told once.
    refused: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

/// What came of reading a file again; of what says the same as before nothing does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refreshed {
    /// The word of the audit log.
    pub(crate) act: &'static str,
    /// Which file.
    pub(crate) target: String,
    /// What holds now, or why nothing has changed.
    pub(crate) after: Value,
}

impl Guards {
    /// Reads what the configuration names; what is wrong is told with its key.
    pub(crate) fn open(config: &Config) -> Result<Self, ConfigError> {
        let mut guards = Self::default();
        if let Some(path) = &config.auth.keys {
            let file = KeyFile::new(path);
            let keys = file.read();
            let keys = keys.map_err(|bad| config.fault(&["auth", "keys"], bad.to_string()))?;
            if keys.is_empty() {
                tracing::warn!(file = %path.display(), "there are no keys: nobody is let in");
            }
            guards.keys = Some((file, Keyring::new(keys)));
        }
        if let Some(files) = &config.server.tls {
            let identity = Identity::load(&files.cert, &files.key);
            let identity =
                identity.map_err(|bad| config.fault(&["server", "tls"], bad.to_string()))?;
            warn_of_expiry(&identity, SystemClock.now());
            guards.tls = Some((files.cert.clone(), files.key.clone(), Tls::new(identity)));
        }
        Ok(guards)
    }

    /// Returns the keys that callers must show, if they must.
    pub(crate) fn keys(&self) -> Option<Keyring> {
        self.keys.as_ref().map(|(_, keys)| keys.clone())
    }

    /// Returns what is shown to whoever connects, if anything is.
    pub(crate) fn tls(&self) -> Option<Tls> {
        self.tls.as_ref().map(|(_, _, tls)| tls.clone())
    }

    /// Reads the files again and puts what they say in force. Blocks.
    pub(crate) fn refresh(&self) -> Vec<Refreshed> {
        [self.refresh_keys(), self.refresh_tls()].into_iter().flatten().collect()
    }

    fn refresh_keys(&self) -> Option<Refreshed> {
        let (file, ring) = self.keys.as_ref()?;
        let read = file.read().map_err(|bad| bad.to_string());
        let after = self.settle("keys.reload", read, |keys| {
            let changes = ring.replace(keys);
            if changes.is_empty() {
                return None;
            }
            tracing::info!(?changes, "the keys were read again");
            Some(json!(changes))
        });
        let target = file.path().display().to_string();
        after.map(|after| Refreshed { act: "keys.reload", target, after })
    }

    fn refresh_tls(&self) -> Option<Refreshed> {
        let (cert, key, tls) = self.tls.as_ref()?;
        let read = Identity::load(cert, key).map_err(|bad| bad.to_string());
        let after = self.settle("tls.reload", read, |identity| {
            let expires_at = identity.expires_at();
            warn_of_expiry(&identity, SystemClock.now());
            tls.replace(identity).then(|| json!({ "expires_at": expires_at }))
        });
        let target = cert.display().to_string();
        after.map(|after| Refreshed { act: "tls.reload", target, after })
    }

    /// Puts what was read in force, or says what is wrong with it, unless that was said already.
    fn settle<T>(
        &self,
        act: &'static str,
        read: Result<T, String>,
        apply: impl FnOnce(T) -> Option<Value>,
    ) -> Option<Value> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(read) => {
                let was_wrong = refused.remove(act).is_some();
                apply(read).or_else(|| was_wrong.then(|| json!({})))
            }
            Err(why) => {
                let before = refused.insert(act, why.clone());
                if before.as_ref() == Some(&why) {
                    return None;
                }
                tracing::error!(act, why, "refused; the old one stays in force");
                Some(json!({ "refused": why }))
            }
        }
    }
}

fn warn_of_expiry(identity: &Identity, now: Timestamp) {
    let Some(at) = identity.expires_at() else { return };
    if at <= now {
        tracing::error!(%at, "the certificate has expired: clients will refuse it");
    } else if at <= now.after(SOON) {
        tracing::warn!(%at, "the certificate expires soon");
    }
}
