//! Messages that others publish: receiving them, handing them to handlers, telling the broker how they ended.
//!
//! A message's way is receive → decode → perform → decide → settle → emit, and `attempt` is the page to read
//! first. `receive` keeps a subscription and its slots filled; `plan` says beforehand how a [`Consumer`]'s
//! policy is kept on a broker of certain capabilities, or why it cannot be; `settle` turns a verdict into what the
//! broker is told; `part` is a consumer as a component. [`Consumers`] is what operators see and do.
//!
//! A message's truth is the broker: nothing of it is in the store. Publishing is in [`publish`], and [`outbox`] is
//! publishing by way of a task.

mod attempt;
mod checked;
mod consumer;
mod consumers;
mod context;
mod opened;
pub mod outbox;
mod part;
mod plan;
pub mod publish;
mod receive;
mod settle;
mod standing;

pub use checked::{BadConsumer, Checked};
pub use consumer::{Consumer, Mode};
pub use consumers::{ConsumerView, Consumers, Explained};
pub(crate) use context::Context;
pub use opened::NoBroker;
pub(crate) use opened::consuming;
pub(crate) use part::Part;
pub use plan::{Done, Line, Plan, Refusal, plan};
pub use standing::Standing;
