//! A client of a Longshore service, over HTTP.
//!
//! ```no_run
//! use longshore::client::{Client, ClientError, Submit};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), ClientError> {
//! let client = Client::connect("http://127.0.0.1:8080")?;
//! let mail = Submit::new("email.send").payload(&serde_json::json!({"to": "a@b.c"}))?.priority(7);
//! let submitted = client.submit(&mail).await?; // stored; repeated by itself if the network fails
//! let task = client.tasks().wait(submitted.id, Duration::from_secs(60)).await?;
//! println!("{}: {:?}", task.status.as_str(), task.result);
//! # Ok(())
//! # }
//! ```
//!
//! Services that take tasks in inside their own process need none of this: see
//! [`Engine::intake`](crate::Engine::intake). What can go wrong is a [`ClientError`], whose
//! [`class`](ClientError::class) says what it means.

mod connection;
mod consumers;
mod dead_letters;
mod error;
mod operations;
mod page;
mod queues;
mod schedules;
mod submit;
mod submitting;
mod task;
mod tasks;
mod workers;

pub use connection::Client;
pub use consumers::{
    Concurrency, Consumer, Consumers, Explanation, PlanLine, PlanRefusal, Waiting,
};
pub use dead_letters::DeadLetters;
pub use error::{Class, ClientError};
pub use operations::{Health, Part};
pub use page::{ListFilter, Page};
pub use queues::{Queue, QueueSettings, Queues};
pub use schedules::{NewSchedule, Schedule, Schedules, Slot};
pub use submit::{BatchItem, Rejected, Stored, Submit, Submitted};
pub use task::{Attempt, Task};
pub use tasks::Tasks;
pub use workers::{Slots, Worker, Workers};
