//! From bytes to a wish: everything that reads what clients send.
//!
//! [`body`] takes the bytes in, within limits; [`object`] splits JSON into fields without looking
//! inside; [`value`] reads single fields; [`wish`] knows the fields of a task; [`query`] and
//! [`idempotency`] read the rest of the request. Payloads are never parsed into a tree: they are
//! slices of the body.

pub(crate) mod body;
pub(crate) mod idempotency;
pub(crate) mod object;
pub(crate) mod query;
pub(crate) mod value;
pub(crate) mod wish;
