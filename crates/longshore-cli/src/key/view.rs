//! Keys as they are printed.

use crate::output::{Cell, Column, Record, Tone, column, wide};
use longshore::core::{Clock, SystemClock, TenantName, Timestamp};
use longshore::keys::{Grant, Key, KeyText, QueueGlob, Role};
use serde::Serialize;

/// A key without its secret.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    id: String,
    env: String,
    name: Option<String>,
    tenant: TenantName,
    roles: Vec<Role>,
    queues: Vec<QueueGlob>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    expired: bool,
}

impl From<&Key> for Shown {
    fn from(key: &Key) -> Self {
        let expired = key.is_expired(SystemClock.now());
        let Key { id, env, grant, created_at, expires_at, hash: _ } = key.clone();
        let Grant { name, tenant, roles, queues } = grant;
        Self { id, env, name, tenant, roles, queues, created_at, expires_at, expired }
    }
}

impl Record for Shown {
    const COLUMNS: &'static [Column] = &[
        column("ID"),
        column("NAME"),
        column("STATUS"),
        column("TENANT"),
        column("ROLES"),
        column("QUEUES"),
        column("EXPIRES"),
        wide("ENV"),
        wide("CREATED"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let status = match self.expired {
            true => Cell::Toned("expired".into(), Tone::Bad),
            false => Cell::Toned("active".into(), Tone::Good),
        };
        vec![
            Cell::Text(self.id.clone()),
            Cell::text(self.name.clone()),
            status,
            Cell::Text(self.tenant.to_string()),
            Cell::Text(joined(&self.roles)),
            Cell::Text(joined(&self.queues)),
            Cell::time(self.expires_at),
            Cell::Text(self.env.clone()),
            Cell::time(self.created_at),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}

/// A key that was made, with its text: the one time that it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    key: String,
    #[serde(flatten)]
    shown: Shown,
}

impl Made {
    pub(super) fn new(key: &Key, text: &KeyText) -> Self {
        Self { key: text.expose().to_owned(), shown: key.into() }
    }
}

impl Record for Made {
    const COLUMNS: &'static [Column] = &[column("KEY")];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Text(self.key.clone())]
    }

    fn name(&self) -> String {
        self.shown.id.clone()
    }
}

/// Says a key in one line.
pub(super) fn line(key: &Key) -> String {
    let Grant { name, tenant, roles, queues } = &key.grant;
    let name = name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    let (roles, queues) = (joined(roles), joined(queues));
    format!("{}{name}: tenant {tenant}, roles {roles}, queues {queues}", key.id)
}

fn joined<T: ToString>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
