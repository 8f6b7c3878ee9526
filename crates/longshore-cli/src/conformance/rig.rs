//! What a case works with: a server, the worker, and the verbs that cases are made of.

use super::house::{House, KIND};
use super::process::Process;
use super::same::same;
use super::way::Way;
use crate::failure::Failure;
use longshore::Client;
use longshore::client::{ClientError, Submit, Task};
use longshore::core::{State, TaskId};
use std::time::{Duration, Instant};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// How long is waited for an end, before somebody looks whether the worker still lives.
const ONE_WAIT: Duration = Duration::from_millis(500);

/// Why a case did not go well.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The worker did something else than it should.
    Wrong(String),
    /// Nothing can be said of the worker.
    Failed(Failure),
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::Failed(error.into())
    }
}

/// What a case works with.
pub(super) struct Rig {
    way: Way,
    pub(super) house: House,
    process: Option<Process>,
    /// How long a task may take that is done at once.
    pub(super) patience: Duration,
}

impl Rig {
    /// Starts the server.
    pub(super) fn start(way: Way, patience: Duration) -> Result<Self, Failure> {
        let house = House::start(way.kind()?)?;
        Ok(Self { way, house, process: None, patience })
    }

    /// Starts the worker, if it pulls and is not there (any more).
    pub(super) fn ready(&mut self) -> Result<(), Failure> {
        if !self.way.pull.is_empty() && self.process.as_mut().is_none_or(|it| it.ended().is_some())
        {
            // What an earlier one left behind goes first.
            self.process = None;
            self.process = Some(Process::start(&self.way.pull, self.house.url())?);
        }
        Ok(())
    }

    /// Says so if the worker has ended: it never should.
    pub(super) fn lives(&mut self) -> Result<(), Trouble> {
        match self.process.as_mut().and_then(Process::ended) {
            Some(status) => Err(format!("the worker ended ({status})").into()),
            None => Ok(()),
        }
    }

    pub(super) fn client(&self) -> &Client {
        self.house.client()
    }

    /// Submits a task.
    pub(super) async fn submit(&self, task: Submit) -> Result<TaskId, Trouble> {
        Ok(self.client().submit(&task).await?.id)
    }

    /// Waits for the end of a task.
    pub(super) async fn end_of(&mut self, id: TaskId, at_most: Duration) -> Result<Task, Trouble> {
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let task = self.client().tasks().wait(id, left.min(ONE_WAIT)).await?;
            if task.has_ended() {
                return Ok(task);
            }
            self.lives()?;
            if left.is_zero() {
                let status = task.status.as_str();
                return Err(format!("a task is still {status} after {at_most:?}").into());
            }
        }
    }

    /// Submits a task, and waits for its end.
    pub(super) async fn ended(&mut self, task: Submit) -> Result<Task, Trouble> {
        let id = self.submit(task).await?;
        self.end_of(id, self.patience).await
    }

    /// Returns once a task runs.
    pub(super) async fn running(&mut self, id: TaskId) -> Result<(), Trouble> {
        let until = Instant::now() + self.patience;
        loop {
            let task = self.client().tasks().get(id).await?;
            if task.status == State::Running {
                return Ok(());
            }
            self.lives()?;
            if task.has_ended() || Instant::now() > until {
                let status = task.status.as_str();
                return Err(format!("a task that should run is {status}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lets the worker return a value; it must be the same.
    pub(super) async fn returns(&mut self, value: &str) -> Result<(), Trouble> {
        let task = self.ended(returning(value)?).await?;
        returned(&task, value)
    }
}

/// A task whose result is to be this JSON text.
pub(super) fn returning(value: &str) -> Result<Submit, Trouble> {
    Ok(Submit::new(KIND).payload_text(format!(r#"{{"do":"return","value":{value}}}"#))?)
}

/// A task that takes so long.
pub(super) fn sleeping(time: Duration) -> Result<Submit, Trouble> {
    let text = format!(r#"{{"do":"sleep","ms":{}}}"#, time.as_millis());
    Ok(Submit::new(KIND).payload_text(text)?)
}

/// Demands that a task succeeded.
pub(super) fn succeeded(task: &Task) -> Result<(), Trouble> {
    if task.status == State::Success {
        return Ok(());
    }
    let why = task.error.as_ref().map(|error| format!(" ({})", error.message)).unwrap_or_default();
    Err(format!("the task ended as {}{why}, not as success", task.status.as_str()).into())
}

/// Demands that a task succeeded with that result.
pub(super) fn returned(task: &Task, value: &str) -> Result<(), Trouble> {
    succeeded(task)?;
    let result = task.result.as_ref().map_or("null", |result| result.get());
    match same(result, value) {
        true => Ok(()),
        false => Err(format!("the result is {}, not {}", short(result), short(value)).into()),
    }
}

/// The beginning of a long text.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}
