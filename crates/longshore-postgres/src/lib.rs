//! The store on PostgreSQL: many servers share one database.
//!
//! What it answers is `docs/store.md`; what it needs and makes is `docs/postgres.md`.
//!
//! - **Intake and ends** of many callers are gathered into few transactions (`flight`, `groups`): what is plain
//!   goes by one statement, everything else one by one on a `Desk` (`tasks`), which holds the rules.
//! - **Claims** jump from line to line in the index of the ready (`tasks::claim`), skip what others have locked,
//!   and wait on a bell (`hub`) that accepts of this process ring at once, those of others by a notification
//!   (`signal`).
//! - **Leases** are judged by who watches their counters of renewals stand still, never by a wall clock
//!   (`watch`, `survey`); what a process holds itself lasts as long as its own counter grows (`pulse`).
//! - **Outages** of any length are survived: calls fail with what is true (`error`), and connections are made
//!   anew (`links`).

mod audit;
mod base;
mod bounds;
mod claims;
mod ctid;
mod engine;
mod error;
mod flight;
mod gates;
mod groups;
mod handover;
mod holds;
mod hub;
mod index;
mod inside;
mod jobs;
mod lines;
mod links;
mod list;
mod open;
mod options;
mod oversight;
mod overview;
mod proof;
mod pulse;
mod raw;
mod schema;
mod signal;
mod store;
mod survey;
mod tasks;
mod tls;
mod watch;

pub use error::OpenError;
pub use options::Options;
#[doc(hidden)]
pub use raw::Raw;
#[doc(hidden)]
pub use schema::erase;
pub use store::PostgresStore;
pub use tokio_postgres::Transaction;
