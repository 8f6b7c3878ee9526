//! A task queue and its workers in one process, beside your HTTP routes.
//!
//! A handler is an async function that names what it needs of a task. Routes of your own may submit;
//! so may anybody over HTTP, at `POST /v1/tasks`. What was accepted is on disk, and is run until it has
//! come to one end.
//!
//! ```no_run
//! use axum::{Json, Router, routing::post};
//! use longshore::handler::{Cx, HandlerError, Payload};
//! use longshore::{Builder, Engine, Submission, http::Problem};
//!
//! #[derive(serde::Deserialize, serde::Serialize)]
//! struct Mail {
//!     to: String,
//! }
//!
//! async fn send(Payload(mail): Payload<Mail>, cx: Cx) -> Result<String, HandlerError> {
//!     if !mail.to.contains('@') {
//!         return Err(HandlerError::bad_data("no address")); // straight to the dead letters
//!     }
//!     Ok(format!("sent to {} at attempt {}", mail.to, cx.attempt()))
//! }
//!
//! async fn sign_up(engine: Engine, Json(mail): Json<Mail>) -> Result<String, Problem> {
//!     let task = engine.intake().submit(Submission::new("email.send").payload(&mail)?).await?;
//!     Ok(format!("/v1/tasks/{}", task.id)) // it is on disk
//! }
//!
//! fn service() -> Builder {
//!     let routes = |engine| Router::new().route("/sign-up", post(move |mail| sign_up(engine, mail)));
//!     longshore::builder().store("embedded:./data").handler("email.send", send).routes_with(routes)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), longshore::Error> {
//!     service().run().await // until SIGINT or SIGTERM, then it drains
//! }
//! ```
//!
//! # Configuration
//!
//! Every setting has a default. What the code says may be changed from outside, by `longshore.yaml` and
//! by variables such as `LONGSHORE__SERVER__LISTEN`, if the program takes them: see [`config`]. A file
//! also brings kinds that a program or a URL runs.
//!
//! ```no_run
//! use longshore::config::Sources;
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     if let Some(code) = longshore::exec::run_if_asked() {
//!         return code; // this process watches over a command
//!     }
//!     match run() {
//!         Ok(()) => ExitCode::SUCCESS,
//!         Err(error) => {
//!             eprintln!("{error}"); // each fault with its file, line and key
//!             ExitCode::FAILURE
//!         }
//!     }
//! }
//!
//! #[tokio::main]
//! async fn run() -> Result<(), longshore::Error> {
//!     longshore::builder().config(Sources::of_process()).run().await
//! }
//! ```
//!
//! # From elsewhere
//!
//! Another program calls a service with a `Client` (the feature `client`, on by default). It repeats what
//! the network lost, under one idempotency key, so that a task is submitted once.
//!
//! ```no_run
//! # #[cfg(feature = "client")]
//! # async fn example() -> Result<(), longshore::client::ClientError> {
//! use longshore::client::{Client, Submit};
//! use std::time::Duration;
//!
//! let client = Client::connect("http://127.0.0.1:8080")?;
//! let mail = Submit::new("email.send").payload(&serde_json::json!({"to": "ada@example.org"}))?;
//! let id = client.submit(&mail).await?.id; // it is on disk
//! let task = client.tasks().wait(id, Duration::from_secs(60)).await?;
//! println!("{}: {:?}", task.status.as_str(), task.result);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go next
//!
//! [`builder`] puts a service together, [`Service`] is one that runs, and its [`Engine`] takes tasks in and
//! looks at them. What handlers may take and return is in [`handler`], what is wrapped around them in
//! [`layers`], what else runs beside them in [`supervisor`]. The nouns (task, kind, retry policy, …) are in
//! [`core`].

mod brokers;
mod builder;
#[cfg(feature = "client")]
pub mod client;
mod composition;
pub mod config;
pub mod drivers;
mod error;
pub mod export;
mod guards;
pub mod keys;
#[cfg(feature = "client")]
mod link;
mod reload;
mod service;
mod waiting;

pub use builder::{Builder, builder};
#[cfg(feature = "client")]
pub use client::Client;
pub use error::Error;
pub use longshore_core as core;
pub use longshore_core::queue::{QueueSettings, Rate};
pub use longshore_http as http;
pub use longshore_runtime as runtime;
pub use longshore_runtime::{Engine, Kind, Registry, Submission, SubmitError};
pub use longshore_runtime::{exec, handler, layers, messages, supervisor};
pub use service::{Ended, Service, Signals, Started};

/// The examples of the page about handlers compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/howto-rust-handlers.md")]
struct HandlersPage;

/// So do those of the page about messages.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/howto-consume-messages.md")]
struct MessagesPage;
