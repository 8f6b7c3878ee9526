//! The threads of the door: one core is left to the store's writer.

use crate::failure::Failure;
use std::num::NonZero;
use tokio::runtime::{Builder, Runtime};

/// Makes the runtime that serves HTTP and does the upkeep; handlers have threads of their own.
pub(crate) fn of_the_door() -> Result<Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(cores.saturating_sub(1).max(1))
        .thread_name("door")
        .enable_all()
        .build()
        .map_err(Failure::system("cannot start threads"))
}
