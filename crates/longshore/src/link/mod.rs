//! A worker that gets its work from a server, over HTTP.
//!
//! [`Linked`] is what the engine takes for its store: the verbs of work go to the server, in batches, and there is
//! nothing else to be asked. Leases last 15 s and are held on every 5 s; a server that is away is asked again until it
//! is back.

mod linked;
mod refusing;

pub(crate) use linked::Linked;
