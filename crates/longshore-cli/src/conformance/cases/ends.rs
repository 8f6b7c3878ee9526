//! Ends: how tasks end, alone and many at once.

use crate::conformance::house::KIND;
use crate::conformance::rig::{Rig, Trouble, returned, returning, short, sleeping, succeeded};
use longshore::client::{BatchItem, Submit, Task};
use longshore::core::{State, TaskId};
use std::time::{Duration, Instant};

/// Nothing that a receiver which answers in JSON would escape.
const MESSAGE: &str = "no ink, 7 pages left";
/// A hundred tasks in this are no feat: a worker that is slower waits for something.
const HUNDRED: Duration = Duration::from_secs(10);

/// What is to be done stands first, for workers that read no JSON.
fn failing() -> Result<Submit, Trouble> {
    let message = serde_json::Value::from(MESSAGE);
    let text = format!(r#"{{"do":"fail","class":"transient","message":{message}}}"#);
    Ok(Submit::new(KIND).payload_text(text)?)
}

/// Demands that a task failed in this attempt.
fn failed(task: &Task, attempt: u32) -> Result<(), Trouble> {
    match (task.status, task.attempt) {
        (State::Failed, it) if it == attempt => Ok(()),
        (State::Failed, it) => {
            Err(format!("the task failed in attempt {it}, not in attempt {attempt}").into())
        }
        (status, _) => Err(format!("the task ended as {}, not as failed", status.as_str()).into()),
    }
}

pub(super) async fn tried_again(rig: &mut Rig) -> Result<(), Trouble> {
    let task = rig.ended(failing()?.max_attempts(2)).await?;
    failed(&task, 2)
}

pub(super) async fn message(rig: &mut Rig) -> Result<(), Trouble> {
    let task = rig.ended(failing()?.max_attempts(1)).await?;
    failed(&task, 1)?;
    let error = task.error.as_ref();
    let said = error.map(|error| [error.message.as_str(), error.trace.as_deref().unwrap_or("")]);
    match said {
        Some(said) if said.iter().any(|said| said.contains(MESSAGE)) => Ok(()),
        Some([said, _]) => Err(format!("it says {:?}, not {MESSAGE:?}", short(said)).into()),
        None => Err("the task has no error".to_owned().into()),
    }
}

pub(super) async fn bad_data(rig: &mut Rig) -> Result<(), Trouble> {
    let payload = r#"{"do":"fail","class":"bad_data"}"#;
    let task = rig.ended(Submit::new(KIND).payload_text(payload)?).await?;
    failed(&task, 1)?;
    match task.reason.as_deref() {
        Some("bad_data") => Ok(()),
        reason => Err(format!("the reason is {}, not bad_data", reason.unwrap_or("none")).into()),
    }
}

pub(super) async fn headers(rig: &mut Rig) -> Result<(), Trouble> {
    let value = r#""with headers""#;
    let task = returning(value)?.header("x-unknown", "a, b; c=\"d\"").header("attempt", "7");
    let task = rig.ended(task).await?;
    returned(&task, value)
}

pub(super) async fn takes_time(rig: &mut Rig) -> Result<(), Trouble> {
    let time = Duration::from_millis(1_500);
    let began = Instant::now();
    let id = rig.submit(sleeping(time)?).await?;
    let task = rig.end_of(id, time + rig.patience).await?;
    succeeded(&task)?;
    if began.elapsed() < time {
        return Err(format!("it took {:?}, not {time:?}", began.elapsed()).into());
    }
    match task.attempt {
        1 => Ok(()),
        attempt => Err(format!("it took {attempt} attempts").into()),
    }
}

pub(super) async fn ten(rig: &mut Rig) -> Result<(), Trouble> {
    many(rig, 10, rig.patience).await
}

pub(super) async fn hundred(rig: &mut Rig) -> Result<(), Trouble> {
    many(rig, 100, HUNDRED).await
}

/// Submits so many tasks at once; within the time each must return its own number.
async fn many(rig: &mut Rig, count: usize, at_most: Duration) -> Result<(), Trouble> {
    let tasks = (0..count).map(|number| returning(&number.to_string()));
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    let items = rig.client().submit_all(tasks).await?;
    let until = Instant::now() + at_most;
    for (number, item) in items.into_iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let task = rig.end_of(id_of(item)?, left).await.map_err(|trouble| match trouble {
            Trouble::Wrong(why) => Trouble::Wrong(format!("after {number} of {count}: {why}")),
            failed => failed,
        })?;
        returned(&task, &number.to_string())?;
    }
    Ok(())
}

fn id_of(item: BatchItem) -> Result<TaskId, Trouble> {
    item.map(|stored| stored.id).map_err(|rejected| {
        crate::failure::Failure::Check(format!("a task was refused: {rejected:?}")).into()
    })
}
