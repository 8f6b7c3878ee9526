//! A task queue and its workers in one process, beside your HTTP routes.
//!
//! ```no_run
//! use longshore::handler::{Cx, HandlerError, Payload};
//!
//! #[derive(serde::Deserialize)]
//! struct Mail { to: String }
//!
//! async fn send(Payload(mail): Payload<Mail>, cx: Cx) -> Result<String, HandlerError> {
//!     if mail.to.is_empty() {
//!         return Err(HandlerError::bad_data("no address")); // straight to the dead letters
//!     }
//!     Ok(format!("sent to {} at attempt {}", mail.to, cx.attempt()))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), longshore::Error> {
//!     let routes = axum::Router::new().route("/mine", axum::routing::get(|| async { "hello" }));
//!     longshore::builder()
//!         .store("embedded:./data")
//!         .handler("email.send", send)
//!         .routes(routes) // yours; everything of `/v1` is Longshore's
//!         .run() // until SIGINT or SIGTERM, then it drains
//!         .await
//! }
//! ```
//!
//! [`builder`] puts a service together, [`Service`] is one that runs. Handlers are in [`handler`],
//! the nouns in [`core`].

mod builder;
pub mod drivers;
mod error;
mod service;

pub use builder::{Builder, builder};
pub use error::Error;
pub use longshore_core as core;
pub use longshore_http as http;
pub use longshore_runtime as runtime;
pub use longshore_runtime::handler;
pub use longshore_runtime::{Engine, Kind, Queue, Registry, Submission, SubmitError};
pub use service::{Ended, Service, Signals};
