//! `longshore tasks wait`: waits until tasks have ended.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ids;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;
use longshore::Client;
use longshore::client::Task;
use longshore::core::{Span, TaskId};
use std::time::{Duration, Instant};

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Waits until tasks have ended, and shows them then
///
/// Exit code: 0 if all succeeded, 10 if one failed or expired, 11 if one was
/// cancelled, 124 if one had not ended in time.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Wait {
    /// Ids; `-` reads them from standard input, one a line
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// How long to wait for all of them together; without it, as long as it takes
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Span>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Wait {
    /// Waits.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { ids, timeout, output, remote } = self;
        let named = ids.len() + usize::from(ids.contains(&"-".to_owned()));
        let ids = ids::read(&ids)?;
        remote.run(async move |client| {
            let patience = Patience::new(timeout);
            let mut listing = output.list_of(named).detailed();
            let mut ends = Vec::new();
            for id in ids {
                let task = patience.wait(&client, id).await?;
                ends.push(told(&task));
                listing.push(&task)?;
                listing.flush()?;
            }
            listing.finish()?;
            Ok(worst(&ends))
        })
    }
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience(Instant);

impl Patience {
    /// Counts from now.
    pub(crate) fn new(timeout: Option<Span>) -> Self {
        Self(Instant::now() + timeout.map_or(FOR_EVER, |Span(timeout)| timeout.min(FOR_EVER)))
    }

    /// Returns a task once it has ended or the time is up. A server that is not there at the
    /// beginning is not waited for; one that goes away later is.
    pub(crate) async fn wait(self, client: &Client, id: TaskId) -> Result<Task, Failure> {
        let task = client.tasks().get(id).await?;
        if task.has_ended() {
            return Ok(task);
        }
        let left = self.0.saturating_duration_since(Instant::now());
        Ok(client.tasks().wait(id, left).await?)
    }
}

/// Returns what the end of a task means, and says so where it is no success.
pub(crate) fn told(task: &Task) -> Exit {
    let exit = Exit::of_end(task.status);
    let id = task.id;
    match exit {
        Exit::Fine => {}
        Exit::WaitTimedOut => {
            anstream::eprintln!(
                "longshore: {id} is still {}: the time is up",
                task.status.as_str()
            );
        }
        _ => anstream::eprintln!("longshore: {id} ended {}", task.status.as_str()),
    }
    exit
}

/// Of several ends: one that is still awaited counts most, then a failure.
fn worst(ends: &[Exit]) -> Exit {
    let rank = [Exit::WaitTimedOut, Exit::TaskFailed, Exit::TaskCancelled];
    rank.into_iter().find(|exit| ends.contains(exit)).unwrap_or(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_end_of_several_counts() {
        use Exit::{Fine, TaskCancelled, TaskFailed, WaitTimedOut};
        assert_eq!(worst(&[]), Fine);
        assert_eq!(worst(&[Fine, TaskCancelled]), TaskCancelled);
        assert_eq!(worst(&[TaskCancelled, TaskFailed, Fine]), TaskFailed);
        assert_eq!(worst(&[TaskFailed, WaitTimedOut]), WaitTimedOut);
    }
}
