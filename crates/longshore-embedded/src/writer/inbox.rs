//! Where requests wait for the writer.

use super::Job;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A queue with one reader. It is bounded by those who wait for their answers.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: Vec<Job>,
    closed: bool,
}

impl Inbox {
    /// Adds a request; gives it back if the writer is gone.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return Err(job);
        }
        waiting.jobs.push(job);
        let first = waiting.jobs.len() == 1;
        drop(waiting);
        if first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Takes everything that waits, at most after `patience`.
    pub(crate) fn drain(&self, into: &mut Vec<Job>, patience: Duration) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.jobs.is_empty() {
            waiting = self
                .arrived
                .wait_timeout_while(waiting, patience, |waiting| waiting.jobs.is_empty())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        std::mem::swap(&mut waiting.jobs, into);
    }

    /// Refuses everything from now on; returns what still waits.
    pub(crate) fn close(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        std::mem::take(&mut waiting.jobs)
    }
}
