//! The third ledger: what somebody sees who only reads.

use crate::client::Client;
use crate::server::eventually;
use libtest_mimic::Failed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The states in which a task stays.
const ENDED: [&str; 4] = ["success", "failed", "cancelled", "expired"];

/// Every task there is, by id, as the list shows it.
pub(crate) type Tasks = BTreeMap<String, Value>;

/// Reads the whole list, page by page; a task that is on two pages is an error.
pub(crate) fn tasks(client: &mut Client) -> Result<Tasks, Failed> {
    let mut tasks = Tasks::new();
    let mut cursor = String::new();
    loop {
        let answer = client.get(&format!("/v1/tasks?limit=1000{cursor}"))?;
        if answer.status != 200 {
            return Err(format!("the list was answered {}", answer.text()).into());
        }
        let data = answer.data();
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

/// Waits until every task has ended, and reads them all.
pub(crate) fn quiet(client: &mut Client, at_most: Duration) -> Result<Tasks, Failed> {
    for status in ["scheduled", "pending", "running", "retrying"] {
        eventually(&format!("no task is {status}"), at_most, || {
            let data = client.get(&format!("/v1/tasks?limit=1&status={status}"))?.data();
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
