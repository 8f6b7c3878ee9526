//! What happens around every call of a handler, one layer a file.
//!
//! A [`Layer`] sees a call before the handler does and the outcome after it. Layers form a [`Stack`];
//! the first one is outermost, and [`Stack::wrap`] makes a handler of a handler. From the outside in:
//!
//! 1. [`Tracing`]: a span, so that all that follows is logged inside of it
//! 2. [`Metrics`]: attempts that run, outcomes by class
//! 3. [`Logging`]: the start at debug, a failure at warn
//! 4. [`Recovery`]: a panic of anything below becomes an outcome
//! 5. [`Timeout`]: the attempt's time, that of the layers below included
//! 6. layers of the user for all kinds, then those for the one kind
//! 7. the handler
//!
//! The first five are [`standard`]. What a layer answers is what is recorded, so a layer may skip the
//! handler or change the outcome. Retries are not layers: they are decided from the outcome, after all
//! of these. Layers made for tower are used by [`from_tower`].
//!
//! ```
//! use longshore_core::{Fault, Outcome};
//! use longshore_runtime::layers::{Stack, from_fn};
//!
//! let only_known_tenants = from_fn(|call, next| async move {
//!     match call.cx().tenant().as_str() {
//!         "acme" => next.run(call).await,
//!         other => Outcome::Fault(Fault::bad_data(format!("nobody knows {other}"))),
//!     }
//! });
//! let stack = Stack::default().with(only_known_tenants);
//! ```

pub mod attributes;
mod ending;
mod layer;
mod logging;
mod metrics;
mod recovery;
mod stack;
mod timeout;
mod tower;
mod tracing;

pub use self::tower::{Inside, from_tower};
pub use self::tracing::Tracing;
pub(crate) use ending::ENDINGS;
pub use layer::{Layer, from_fn};
pub use logging::Logging;
pub use metrics::Metrics;
pub use recovery::Recovery;
pub use stack::{Next, Stack, standard};
pub use timeout::Timeout;
pub(crate) use timeout::{ENDING, allowed};
