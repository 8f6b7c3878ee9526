//! What stands at the entrance: who may come in at a route.

use super::host::check_host;
use super::{Caller, Keyring, Policy};
use crate::problem::Problem;
use http::Request;
use std::net::IpAddr;
use std::sync::Arc;

/// The address that a request came from. The accept loop puts it into each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What stands at the entrance. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    keys: Option<Keyring>,
    /// Only names of this machine are answered to.
    own_host: bool,
}

impl Default for Rules {
    /// No keys, for callers of this machine alone.
    fn default() -> Self {
        Self { keys: None, own_host: true }
    }
}

impl Guard {
    /// Asks for keys, if there are any.
    pub(crate) fn new(keys: Option<Keyring>, anywhere: bool) -> Self {
        let own_host = keys.is_none() && !anywhere;
        Self(Arc::new(Rules { keys, own_host }))
    }

    /// Judges a request for a route with this policy, and says in it who asks. Without a policy there
    /// is no route: nobody is asked for, and nobody is let in either.
    pub(crate) fn admit<B>(
        &self,
        policy: Option<Policy>,
        request: &mut Request<B>,
    ) -> Result<(), Problem> {
        if self.0.own_host {
            check_host(request.uri(), request.headers())?;
        }
        let (Some(policy), Some(role)) = (policy, policy.and_then(Policy::role)) else {
            return Ok(());
        };
        let caller = match &self.0.keys {
            None => Caller::local(),
            Some(keys) => {
                let from = request.extensions().get().map(|Peer(address)| *address);
                keys.admit(request.headers(), from)?
            }
        };
        caller.must(role)?;
        if policy.is_whole() {
            caller.must_cover_all()?;
        }
        request.extensions_mut().insert(caller);
        Ok(())
    }
}
