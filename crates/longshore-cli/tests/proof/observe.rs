//! The third ledger: what somebody sees who only reads.

use crate::client::{Answer, Client};
use crate::server::eventually;
use libtest_mimic::Failed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The states in which a task stays.
const ENDED: [&str; 4] = ["success", "failed", "cancelled", "expired"];

/// A store that is busy for long answers with this, and that one is to come again.
const BUSY: u16 = 503;
/// For so long one does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Every task there is, by id, as the list shows it.
pub(crate) type Tasks = BTreeMap<String, Value>;

/// Reads the whole list, page by page; a task that is on two pages is an error.
pub(crate) fn tasks(client: &mut Client) -> Result<Tasks, Failed> {
    tasks_within(client, PATIENCE)
}

/// The same, unless a page takes longer.
pub(crate) fn tasks_within(client: &mut Client, patience: Duration) -> Result<Tasks, Failed> {
    let mut tasks = Tasks::new();
    let mut cursor = String::new();
    loop {
        let data = listed(client, &format!("/v1/tasks?limit=1000{cursor}"), patience)?;
        for task in data["items"].as_array().ok_or("a list without items")? {
            let id = task["id"].as_str().ok_or("a task without id")?.to_owned();
            if tasks.insert(id.clone(), task.clone()).is_some() {
                return Err(format!("{id} is listed twice").into());
            }
        }
        match data["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(tasks),
        }
    }
}

/// Asks once more while the store says that it takes too long just now.
pub(crate) fn answered(
    patience: Duration,
    mut ask: impl FnMut() -> std::io::Result<Answer>,
) -> Result<Answer, Failed> {
    eventually("it is answered", patience, || {
        let answer = ask()?;
        Ok((answer.status != BUSY).then_some(answer))
    })
}

/// Asks for a page of the list.
fn listed(client: &mut Client, path: &str, patience: Duration) -> Result<Value, Failed> {
    let answer = answered(patience, || client.get(path))?;
    if answer.status != 200 {
        return Err(format!("the list was answered {}", answer.text()).into());
    }
    Ok(answer.data())
}

/// Waits until every task has ended, and reads them all.
pub(crate) fn quiet(client: &mut Client, at_most: Duration) -> Result<Tasks, Failed> {
    for status in ["scheduled", "pending", "running", "retrying"] {
        eventually(&format!("no task is {status}"), at_most, || {
            let path = format!("/v1/tasks?limit=1&status={status}");
            let data = listed(client, &path, PATIENCE)?;
            let items = data["items"].as_array().ok_or("a list without items")?;
            Ok(items.is_empty().then_some(()))
        })?;
    }
    // A task may have moved on between two of those questions: so the whole list is asked.
    eventually("every task has ended", at_most, || {
        let tasks = tasks(client)?;
        Ok(tasks.values().all(has_ended).then_some(tasks))
    })
}

/// How many late ends a server has refused in its present life.
pub(crate) fn ends_refused(client: &mut Client) -> Result<u64, Failed> {
    let text = client.get("/metrics")?.text();
    let value = text.lines().find_map(|line| line.strip_prefix("longshore_ends_refused_total "));
    Ok(value.ok_or("no count of refused ends")?.trim().parse()?)
}

pub(crate) fn has_ended(task: &Value) -> bool {
    ENDED.iter().any(|ended| task["status"] == *ended)
}
