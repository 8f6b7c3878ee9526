//! Everything that runs is a [`Component`]: started after what it needs, restarted when it fails,
//! stopped before what it needs.
//!
//! ```
//! use longshore_runtime::supervisor::{Life, Supervisor, Task};
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let until_stopped = |life: Life| async move {
//!     life.stopping().await;
//!     Ok(())
//! };
//! let supervisor = Supervisor::builder()
//!     .component(Task::new("link", until_stopped))
//!     .component(Task::new("fetch.mail", until_stopped).needs(["link"]))
//!     .build()?;
//! supervisor.start().await?; // link, then fetch.mail
//! let report = supervisor.stop(Duration::from_secs(30)).await; // fetch.mail, then link
//! assert_eq!(report.components[0].name, "fetch.mail");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A component is asked little: [`Component::start`] puts what it runs under a [`Life`], and
//! `stop` says what was cleaned up. That `start` and `stop` alternate, that a panic is an error, that
//! a deadline is kept: the supervisor sees to it, for all alike. It knows nothing of tasks and
//! queues. When something is tried again is in [`restart`], what is said at the end in [`stop`];
//! `keeper` leads one component through its lives and is the page to read first.

mod board;
mod builder;
mod component;
mod graph;
mod hook;
mod keeper;
mod life;
pub mod restart;
pub mod stop;
#[doc(hidden)]
pub mod stress;
#[expect(clippy::module_inception, reason = "the type that the folder is about")]
mod supervisor;
mod task;

pub use board::{ComponentState, ComponentStatus, Role, Statuses};
pub use builder::Builder;
pub use component::{Component, ComponentError, GiveUp, Policy, Stopped};
pub use graph::GraphError;
pub use hook::Hook;
pub use life::Life;
pub use restart::{Pause, RealPause, Restart};
pub use stop::{ComponentStop, Deadline, StopOutcome, StopReport};
pub use supervisor::{Fatal, StartError, Supervisor};
pub use task::Task;
