//! Doing one thing to many tasks.

use super::chosen::{Choice, Chosen};
use super::filter::Of;
use crate::confirm::{Confirm, tasks};
use crate::exit::{Exit, Tally};
use crate::failure::{Failure, Said};
use crate::output::Output;
use crate::remote::Remote;
use longshore::Client;
use longshore::client::{ClientError, Task};
use longshore::core::{State, TaskId};

/// So many requests are on their way at once.
const AT_ONCE: usize = 16;

/// What can be done to tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Cancels a task.
    Cancel,
    /// Runs a task again.
    Retry,
    /// Runs a dead letter again.
    RetryDead,
    /// Throws a dead letter away.
    Discard,
}

impl Act {
    fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry | Self::RetryDead => "retry",
            Self::Discard => "discard",
        }
    }

    /// Which are meant by a filter without a status.
    fn states(self) -> &'static [State] {
        match self {
            Self::Cancel => &[State::Scheduled, State::Pending, State::Running, State::Retrying],
            Self::Retry | Self::RetryDead | Self::Discard => &[State::Failed],
        }
    }

    fn of(self) -> Of {
        match self {
            Self::Cancel | Self::Retry => Of::Tasks,
            Self::RetryDead | Self::Discard => Of::DeadLetters,
        }
    }

    /// Whether ids that were given are word enough: what is discarded does not come back by
    /// itself, so somebody is asked all the same.
    fn trusts_ids(self) -> bool {
        self != Self::Discard
    }

    async fn on(self, client: &Client, id: TaskId) -> Result<Task, ClientError> {
        match self {
            Self::Cancel => client.tasks().cancel(id).await,
            Self::Retry => client.tasks().retry(id).await,
            Self::RetryDead => client.dead_letters().retry(id).await,
            Self::Discard => client.dead_letters().discard(id).await,
        }
    }
}

/// Does it to all that were chosen, once it is clear that it is meant.
pub(crate) fn act(
    act: Act,
    chosen: Chosen,
    confirm: Confirm,
    output: Output,
    remote: &Remote,
) -> Result<Exit, Failure> {
    let named = chosen.named();
    remote.run(async move |client| {
        let choice = chosen.find(&client, act.of(), act.states()).await?;
        let ids = choice.ids();
        if confirm.dry_run {
            return dry(act, &client, &choice, output).await;
        }
        if ids.is_empty() {
            anstream::eprintln!("longshore: there is nothing to {}", act.verb());
        } else if !(act.trusts_ids() && matches!(choice, Choice::Named(_))) {
            confirm.settle(&choice.plan(&client, act.verb()).await?).await?;
        }
        done(act, &client, &ids, named, output).await
    })
}

/// Shows what would be touched.
async fn dry(act: Act, client: &Client, choice: &Choice, output: Output) -> Result<Exit, Failure> {
    let mut listing = output.list();
    match choice {
        Choice::Found(tasks) => tasks.iter().try_for_each(|task| listing.push(task))?,
        Choice::Named(ids) => {
            for id in ids {
                listing.push(&client.tasks().get(*id).await?)?;
            }
        }
    }
    let count = tasks(listing.printed());
    listing.finish()?;
    anstream::eprintln!("longshore: would {} {count}; nothing was done", act.verb());
    Ok(Exit::Fine)
}

/// Does it, in the order of the ids, several at once.
async fn done(
    act: Act,
    client: &Client,
    ids: &[TaskId],
    named: usize,
    output: Output,
) -> Result<Exit, Failure> {
    let mut listing = output.list_of(named);
    let mut tally = Tally::default();
    for some in ids.chunks(AT_ONCE) {
        let sent: Vec<_> = some
            .iter()
            .map(|id| {
                let (client, id) = (client.clone(), *id);
                (id, tokio::spawn(async move { act.on(&client, id).await }))
            })
            .collect();
        let mut gone = false;
        for (id, answer) in sent {
            let answer = answer.await?;
            match answer {
                Ok(task) => {
                    listing.push(&task)?;
                    tally.done();
                }
                Err(error) => {
                    // Of a server that is not there, once is enough.
                    if !gone {
                        anstream::eprintln!("longshore: {id}: {}", Said(&error));
                    }
                    gone |= Exit::of(&error) == Exit::Unreachable;
                    tally.failed(Exit::of(&error));
                }
            }
        }
        if gone {
            break;
        }
    }
    if named == 1 && listing.printed() == 0 {
        return Ok(tally.exit());
    }
    listing.finish()?;
    Ok(tally.exit())
}
