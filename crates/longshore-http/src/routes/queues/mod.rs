//! Queues: [`read`] them, [`patch`] what is set on them, and [`hold`] back what waits in them.

pub(crate) mod hold;
pub(crate) mod patch;
pub(crate) mod read;
mod view;

use crate::auth::Caller;
use crate::codes;
use crate::problem::Problem;
use crate::request::path::Part;
use axum::extract::Path;
use longshore_core::QueueName;

/// Reads the name of a queue. A text that can be no name is the name of no queue, and so is one that
/// the caller does not cover.
fn name(caller: &Caller, part: Part) -> Result<QueueName, Problem> {
    let Ok(Path(name)) = part else { return Err(no_queue("that name")) };
    let queue = QueueName::new(&name).ok().filter(|queue| caller.covers(queue));
    queue.ok_or_else(|| no_queue(&name))
}

fn no_queue(name: &str) -> Problem {
    Problem::new(&codes::NO_QUEUE, format!("there is no queue {name:.128}"))
}
