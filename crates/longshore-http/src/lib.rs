//! The door: the HTTP surface of an [`Engine`](longshore_runtime::Engine).
//!
//! A request passes the entrance (key or host, names, metrics, error bodies), is read with all its
//! faults found, and becomes a wish that the engine judges. Whatever goes wrong ends as one shape
//! of problem with a code of [`codes::CODES`]. [`Door`] is the accept loop; [`router`] is the same
//! surface for programs that serve it themselves; [`baseline`] is the yardstick for benchmarks.
//!
//! It decides nothing about tasks: that is the engine's.

pub mod auth;
pub mod baseline;
pub mod codes;
mod coding;
mod cursor;
mod deliveries;
mod entrance;
mod envelope;
mod etag;
mod house;
mod meter;
mod openapi;
pub mod pages;
mod problem;
mod request;
mod routes;
pub mod server;
mod surface;
pub mod tls;
mod trace;
mod view;

pub use house::{ConfigView, DEFAULT_MAX_BODY, MAX_MAX_BODY};
pub use problem::Problem;
pub use server::{BindError, Door, DoorOptions, DrainReport};
pub use surface::router;
pub use tls::{Identity, Tls};
