//! Handlers that are not Rust: a [`command`] that is run for each attempt, or a [`push`] to an HTTP
//! service.
//!
//! What is run or called is said by the configuration alone. A payload never carries a program or an
//! address.

pub mod command;
pub mod push;
