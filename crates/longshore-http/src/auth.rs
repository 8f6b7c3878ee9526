//! Who may do what: deny by default.
//!
//! Each route has a [`Policy`] in [`POLICIES`]; a route without one fails the boot. The guard at the
//! entrance makes a [`Caller`] of the [`Key`] that a request shows ([`Keyring`]), and routes act for that
//! caller alone: its tenant, its roles, the queues that it covers. Without keys the door opens on
//! loopback ([`check_bind`]), where everybody is [`Caller::local`].
//!
//! A role is what a route takes; none holds another. What all tenants share is `admin`'s: the
//! configuration, the settings and pauses of queues and kinds. Even `admin` sees tasks, numbers and audit lines of
//! its own tenant alone.

mod bind;
mod caller;
mod glob;
mod guard;
mod host;
mod key;
mod keyring;
mod role;
mod tries;

pub use bind::{BindRefused, Guards, check_bind};
pub use caller::Caller;
pub use glob::{BadGlob, QueueGlob};
pub(crate) use guard::{Guard, Peer};
pub use key::{Grant, Key, KeyText, NoChance};
pub use keyring::{KeyChanges, Keyring};
pub use role::{BadRole, Role};

pub(crate) use bind::is_loopback;
use http::Method;

/// What a caller must be to use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Anybody: probes, and texts that everybody may read.
    Public,
    /// A key with this role; on loopback without keys, anybody.
    Role(Role),
    /// A key with this role that covers all queues: the route is about more than some of them.
    Whole(Role),
}

impl Policy {
    /// Returns the role that it takes.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Public => None,
            Self::Role(role) | Self::Whole(role) => Some(role),
        }
    }

    /// Returns whether it takes a key that covers all queues.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Whole(_))
    }
}

use Policy::Public;
const ENQUEUE: Policy = Policy::Role(Role::Enqueue);
/// Topics belong to no queue.
const WHOLE_ENQUEUE: Policy = Policy::Whole(Role::Enqueue);
const READ: Policy = Policy::Role(Role::Read);
const WORK: Policy = Policy::Role(Role::Work);
const OPERATE: Policy = Policy::Role(Role::Operate);
const ADMIN: Policy = Policy::Role(Role::Admin);
const WHOLE_ADMIN: Policy = Policy::Whole(Role::Admin);
/// Numbers of the whole server, over all tenants.
const WHOLE_OPERATE: Policy = Policy::Whole(Role::Operate);

/// The policy of every route.
pub const POLICIES: &[(Method, &str, Policy)] = &[
    (Method::POST, "/v1/tasks", ENQUEUE),
    (Method::GET, "/v1/tasks", READ),
    (Method::POST, "/v1/tasks:batch", ENQUEUE),
    (Method::GET, "/v1/tasks/{id}", READ),
    (Method::POST, "/v1/tasks/{id}/cancel", OPERATE),
    (Method::POST, "/v1/tasks/{id}/retry", OPERATE),
    (Method::POST, "/v1/tasks/{id}/replay", OPERATE),
    (Method::GET, "/v1/tasks/{id}/attempts", READ),
    (Method::POST, "/v1/leases", WORK),
    (Method::POST, "/v1/leases/{lease}/complete", WORK),
    (Method::POST, "/v1/leases/{lease}/fail", WORK),
    (Method::POST, "/v1/leases/{lease}/extend", WORK),
    (Method::POST, "/v1/leases/{lease}/release", WORK),
    (Method::POST, "/v1/link/claim", WORK),
    (Method::POST, "/v1/link/extend", WORK),
    (Method::POST, "/v1/link/record", WORK),
    (Method::POST, "/v1/link/announce", WORK),
    (Method::POST, "/v1/link/leave", WORK),
    (Method::GET, "/v1/workers", WHOLE_OPERATE),
    (Method::POST, "/v1/workers/{worker}/drain", WHOLE_ADMIN),
    (Method::GET, "/v1/config", WHOLE_ADMIN),
    (Method::GET, "/v1/audit", WHOLE_ADMIN),
    (Method::GET, "/v1/queues", READ),
    (Method::GET, "/v1/queues/{queue}", READ),
    (Method::PATCH, "/v1/queues/{queue}", ADMIN),
    (Method::POST, "/v1/queues/{queue}/pause", ADMIN),
    (Method::POST, "/v1/queues/{queue}/resume", ADMIN),
    (Method::POST, "/v1/queues/{queue}/purge", OPERATE),
    (Method::POST, "/v1/kinds/{kind}/pause", WHOLE_ADMIN),
    (Method::POST, "/v1/kinds/{kind}/resume", WHOLE_ADMIN),
    (Method::POST, "/v1/tenants/{tenant}/pause", WHOLE_ADMIN),
    (Method::POST, "/v1/tenants/{tenant}/resume", WHOLE_ADMIN),
    (Method::GET, "/v1/scaling/{queue}", READ),
    (Method::GET, "/v1/schedules", READ),
    (Method::POST, "/v1/schedules", ENQUEUE),
    (Method::GET, "/v1/schedules/{id}", READ),
    (Method::PATCH, "/v1/schedules/{id}", OPERATE),
    (Method::DELETE, "/v1/schedules/{id}", OPERATE),
    (Method::POST, "/v1/schedules/{id}/run", OPERATE),
    (Method::POST, "/v1/schedules/{id}/pause", OPERATE),
    (Method::POST, "/v1/schedules/{id}/resume", OPERATE),
    (Method::GET, "/v1/schedules/{id}/next", READ),
    (Method::POST, "/v1/brokers/{broker}/topics/{topic}/messages", WHOLE_ENQUEUE),
    (Method::GET, "/v1/consumers", WHOLE_OPERATE),
    (Method::POST, "/v1/consumers", WHOLE_ADMIN),
    (Method::GET, "/v1/consumers/{name}", WHOLE_OPERATE),
    (Method::PATCH, "/v1/consumers/{name}", WHOLE_ADMIN),
    (Method::DELETE, "/v1/consumers/{name}", WHOLE_ADMIN),
    (Method::POST, "/v1/consumers/{name}/pause", WHOLE_ADMIN),
    (Method::POST, "/v1/consumers/{name}/resume", WHOLE_ADMIN),
    (Method::GET, "/v1/consumers/{name}/explain", WHOLE_OPERATE),
    (Method::GET, "/v1/dead-letters", READ),
    (Method::GET, "/v1/dead-letters/groups", READ),
    (Method::POST, "/v1/dead-letters/retry", OPERATE),
    (Method::POST, "/v1/dead-letters/discard", OPERATE),
    (Method::POST, "/v1/dead-letters/{id}/retry", OPERATE),
    (Method::POST, "/v1/dead-letters/{id}/discard", OPERATE),
    (Method::POST, "/tasks", ENQUEUE),
    (Method::POST, "/tasks:batch", ENQUEUE),
    (Method::GET, "/tasks", READ),
    (Method::GET, "/tasks/{id}", READ),
    (Method::POST, "/tasks/{id}/cancel", OPERATE),
    (Method::POST, "/tasks/{id}/retry", OPERATE),
    (Method::POST, "/tasks/{id}/replay", OPERATE),
    (Method::GET, "/tasks/{id}/attempts", READ),
    (Method::GET, "/livez", Public),
    (Method::GET, "/readyz", Public),
    (Method::GET, "/startupz", Public),
    (Method::GET, "/health", Public),
    (Method::GET, "/metrics", WHOLE_OPERATE),
    (Method::GET, "/openapi.json", Public),
    (Method::GET, "/openapi.yaml", Public),
    (Method::GET, "/docs", Public),
    (Method::GET, "/docs/style.css", Public),
    (Method::GET, "/docs/{page}", Public),
    (Method::GET, "/docs/errors", Public),
    (Method::GET, "/docs/errors/{code}", Public),
    (Method::GET, "/docs/api", Public),
    (Method::GET, "/docs/api/{file}", Public),
    (Method::GET, "/", Public),
];

/// A route has no policy: the server must not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the route {method} {path} has no policy")]
pub struct NoPolicy {
    /// Its method.
    pub method: Method,
    /// Its template.
    pub path: &'static str,
}

/// Returns the policy of a route.
pub fn policy(method: &Method, path: &'static str) -> Result<Policy, NoPolicy> {
    POLICIES
        .iter()
        .find(|(m, p, _)| m == method && *p == path)
        .map(|(_, _, policy)| *policy)
        .ok_or_else(|| NoPolicy { method: method.clone(), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_without_a_policy_is_an_error() {
        assert_eq!(policy(&Method::GET, "/livez"), Ok(Policy::Public));
        let missing = policy(&Method::DELETE, "/livez").unwrap_err();
        assert_eq!(missing.to_string(), "the route DELETE /livez has no policy");
    }

    #[test]
    fn a_route_and_its_alias_have_one_policy() {
        for (method, path, theirs) in
            POLICIES.iter().filter(|(_, path, _)| path.starts_with("/tasks"))
        {
            let versioned = POLICIES
                .iter()
                .find(|(m, p, _)| m == method && p.strip_prefix("/v1") == Some(path));
            assert_eq!(versioned.map(|(_, _, policy)| policy), Some(theirs), "{path}");
        }
    }
}
