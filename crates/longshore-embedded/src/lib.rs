//! The store that needs no server: one SQLite file behind one writer thread.
//!
//! Everything that changes tasks goes through `writer`: it drains whatever waits, applies it
//! in one transaction, commits (and syncs) once, and only then answers, so that the price of a
//! sync is shared by all who wait. Readers have connections of their own. A thread beside the
//! writer moves the log into the main file, never on the way of an accept.
//!
//! The same file holds topics and groups of messages: [`EmbeddedStore::broker`].
//!
//! What it answers is `docs/store.md`, and `docs/broker.md` of messages; how a process death, a power cut and a full disk are
//! survived is told in `open`, `writer` and `room`.

mod audit;
mod checkpoint;
mod error;
mod lanes;
mod list;
mod memory;
mod messages;
mod names;
mod open;
mod oversight;
mod read;
mod room;
mod runway;
mod schema;
mod spans;
mod store;
mod tasks;
mod workers;
mod writer;

pub use messages::EmbeddedBroker;
pub use open::{OpenError, Options};
pub use store::EmbeddedStore;
