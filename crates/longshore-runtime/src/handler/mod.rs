//! What users write: async functions that take what they need of a task.
//!
//! ```
//! use longshore_runtime::handler::{Cx, HandlerError, Payload, State, boxed};
//!
//! #[derive(serde::Deserialize)]
//! struct Mail { to: String }
//! #[derive(Clone)]
//! struct Smtp;
//!
//! async fn send(Payload(mail): Payload<Mail>, State(_smtp): State<Smtp>, cx: Cx) -> Result<String, HandlerError> {
//!     if mail.to.is_empty() {
//!         return Err(HandlerError::bad_data("no address")); // never tried again
//!     }
//!     Ok(format!("sent at attempt {}", cx.attempt()))
//! }
//!
//! let mut states = longshore_runtime::handler::States::default();
//! states.insert(Smtp);
//! let handler = boxed(send, &states)?;
//! # Ok::<(), longshore_runtime::handler::MissingState>(())
//! ```

mod answer;
mod call;
mod extract;
mod function;
mod message;
mod progress;
pub mod remote;

pub use answer::{Classify, HandlerError, IntoOutcome, Json};
pub use call::{BadProgress, Call, Cx};
pub use extract::{FromCall, MissingState, Payload, State, States};
pub use function::{BoxHandler, Handler, HandlerFn, boxed, nothing};
pub use message::{Decode, Message, Parameters};
pub(crate) use progress::Progress;
