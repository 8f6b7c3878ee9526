//! The file that keys are kept in.
//!
//! [`KeyFile`] reads it and changes it: `longshore key` does both, a service only reads, at its start and
//! whenever the file says something else. What it holds of a key is a [`Key`]; the secret is not
//! among it. How a key is judged is the door's ([`longshore_http::auth`]).

mod document;
mod file;

pub use file::{KeyFile, KeyFileError};
pub use longshore_http::auth::{BadGlob, BadRole, Grant, Key, KeyText, NoChance, QueueGlob, Role};
