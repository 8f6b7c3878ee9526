//! The words of Longshore.
//!
//! What a task is, which states it may pass, how often it is tried and when, and the small
//! ports through which the floors above talk to a store. Nothing here does I/O, knows HTTP, or
//! needs a running async runtime: [`retry::decide`], the table in [`state`] and the rules in
//! [`readiness`] and [`rescue`] are pure, so they are tested without clocks or sockets.
//!
//! Start with [`task::Task`], then [`state::State`], then [`store`] for the ports.

pub mod attempt;
pub mod broker;
pub mod bucket;
pub mod clock;
pub mod event;
pub mod failpoint;
mod identity;
pub mod name;
pub mod outcome;
pub mod queue;
pub mod readiness;
pub mod register;
pub mod rescue;
pub mod retry;
pub mod rule;
pub mod schedule;
pub mod span;
pub mod state;
pub mod store;
pub mod task;

pub use attempt::{Attempt, Token};
pub use clock::{Clock, SystemClock, Timestamp};
pub use event::Event;
pub use name::{KindName, QueueName, TenantName};
pub use outcome::{Fault, FaultClass, Outcome};
pub use retry::{Budget, RetryPolicy, Verdict, decide};
pub use span::Span;
pub use state::State;
pub use task::{NewTask, Payload, Task, TaskId, Valid};
