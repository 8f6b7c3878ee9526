//! Who asks: tenant, roles and queues, from the credential alone.

use super::{Grant, QueueGlob, Role};
use crate::codes;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use http::request::Parts;
use longshore_core::{QueueName, TenantName};
use std::sync::{Arc, LazyLock};

/// Who asks. The entrance puts it into each request that it lets in, and every route that touches
/// tasks takes it from there: a route never learns of a tenant in another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    by: String,
    tenant: TenantName,
    roles: Vec<Role>,
    /// The queues that it covers; nothing means all.
    queues: Option<Vec<QueueGlob>>,
}

static LOCAL: LazyLock<Caller> = LazyLock::new(|| {
    Caller(Arc::new(Inner {
        by: "local".into(),
        tenant: TenantName::default(),
        roles: Role::ALL.to_vec(),
        queues: None,
    }))
});

impl Caller {
    /// Returns who everybody is where there are no keys: the tenant `default`, with every role.
    pub fn local() -> Self {
        LOCAL.clone()
    }

    /// Returns who shows the key of this id.
    pub(super) fn of(id: &str, grant: &Grant) -> Self {
        let all = grant.queues.iter().any(QueueGlob::is_any);
        Self(Arc::new(Inner {
            by: format!("key:{id}"),
            tenant: grant.tenant.clone(),
            roles: grant.roles.clone(),
            queues: (!all).then(|| grant.queues.clone()),
        }))
    }

    /// Returns whose tasks it sees and acts on.
    pub fn tenant(&self) -> TenantName {
        self.0.tenant.clone()
    }

    /// Returns what the audit log calls it.
    pub fn by(&self) -> &str {
        &self.0.by
    }

    /// Returns whether it has a role.
    pub fn has(&self, role: Role) -> bool {
        self.0.roles.contains(&role)
    }

    /// Returns whether it covers every queue there may be.
    pub fn covers_all(&self) -> bool {
        self.0.queues.is_none()
    }

    /// Returns whether it covers a queue. What is in another one does not exist for it.
    pub fn covers(&self, queue: &QueueName) -> bool {
        let fits = |queues: &Vec<QueueGlob>| queues.iter().any(|glob| glob.fits(queue.as_str()));
        self.0.queues.as_ref().is_none_or(fits)
    }

    /// Refuses who does not have a role.
    pub(crate) fn must(&self, role: Role) -> Result<(), Problem> {
        if self.has(role) {
            return Ok(());
        }
        Err(Problem::new(&codes::ROLE_MISSING, format!("this takes a key with the role {role}")))
    }

    /// Refuses who does not cover all queues.
    pub(crate) fn must_cover_all(&self) -> Result<(), Problem> {
        if self.covers_all() {
            return Ok(());
        }
        let message = "this concerns all queues, and the key is for some of them";
        Err(Problem::new(&codes::QUEUE_NOT_COVERED, message))
    }

    /// Refuses who would put something into a queue that it does not cover.
    pub(crate) fn must_cover(&self, queue: &str) -> Result<(), Problem> {
        let covers = |queues: &Vec<QueueGlob>| queues.iter().any(|glob| glob.fits(queue));
        if self.0.queues.as_ref().is_none_or(covers) {
            return Ok(());
        }
        let message = format!("the key does not cover the queue {queue:.128}");
        Err(Problem::new(&codes::QUEUE_NOT_COVERED, message))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| {
            tracing::error!(path = parts.uri.path(), "a route asks who calls, and nobody looked");
            Problem::new(&codes::INTERNAL, "something broke inside the server")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(roles: &[Role], queues: &[&str]) -> Caller {
        let queues = queues.iter().map(|glob| glob.parse().unwrap()).collect();
        let tenant = TenantName::new("acme").unwrap();
        Caller::of("7", &Grant { name: None, tenant, roles: roles.to_vec(), queues })
    }

    #[test]
    fn a_caller_covers_what_one_of_its_globs_fits() {
        let caller = caller(&[Role::Read], &["mail*", "bills"]);
        let covers = |name: &str| caller.covers(&QueueName::new(name).unwrap());
        assert!(covers("mail") && covers("mail.fast") && covers("bills") && !covers("default"));
        assert!(!caller.covers_all() && caller.must_cover_all().is_err());
        assert!(caller.must_cover("mailbox").is_ok() && caller.must_cover("x").is_err());
    }

    #[test]
    fn roles_do_not_hold_each_other() {
        let admin = caller(&[Role::Admin], &["*"]);
        assert!(admin.has(Role::Admin) && !admin.has(Role::Read) && admin.covers_all());
        assert_eq!(admin.must(Role::Read).unwrap_err().code(), &codes::ROLE_MISSING);
        assert_eq!((admin.by(), admin.tenant().as_str()), ("key:7", "acme"));
    }

    #[test]
    fn without_keys_everybody_may_everything_as_the_tenant_default() {
        let local = Caller::local();
        assert!(Role::ALL.into_iter().all(|role| local.has(role)) && local.covers_all());
        assert_eq!(local.tenant(), TenantName::default());
    }
}
