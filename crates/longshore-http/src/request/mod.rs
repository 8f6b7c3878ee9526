//! From bytes to a wish: everything that reads what clients send.
//!
//! [`body`] takes the bytes in, within limits, and [`call`] those of a call that may have none; [`object`] splits JSON into fields without looking
//! inside, and [`items`] an array while it arrives; [`value`] reads single fields; [`wish`] knows the fields of a task, [`rhythm`] those of a schedule, [`message`] those of a message; [`query`],
//! [`path`] and [`idempotency`] read the rest of the request. Payloads are never parsed into a tree: they are
//! slices of the body.

pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod idempotency;
pub(crate) mod items;
pub(crate) mod message;
pub(crate) mod object;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod rhythm;
pub(crate) mod value;
pub(crate) mod wish;
