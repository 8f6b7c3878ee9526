//! Tasks that something is done to: named by their ids, or chosen by a filter.

use super::filter::{Filter, Of, list};
use super::ls::Extent;
use super::view::line;
use crate::confirm::{Plan, SAMPLE, tasks};
use crate::failure::Failure;
use crate::ids;
use clap::Args;
use longshore::Client;
use longshore::client::Task;
use longshore::core::{State, TaskId};

/// Which tasks.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Ids; `-` reads them from standard input, one a line
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
}

/// What was chosen.
#[derive(Debug)]
pub(super) enum Choice {
    /// These, by their ids.
    Named(Vec<TaskId>),
    /// Those that a filter found.
    Found(Vec<Task>),
}

impl Chosen {
    /// Returns how many were named; `-` may be many.
    pub(super) fn named(&self) -> usize {
        match self.ids.as_slice() {
            [one] if one != "-" => 1,
            _ => 2,
        }
    }

    /// Finds them. A filter without a status finds those of `states`.
    pub(super) async fn find(
        self,
        client: &Client,
        of: Of,
        states: &[State],
    ) -> Result<Choice, Failure> {
        match (self.ids.is_empty(), self.filter.is_empty()) {
            (true, true) => Err(Failure::Usage(
                "name tasks by their ids, or choose them with --status, --queue, --kind, --tag or \
                 --created"
                    .into(),
            )),
            (false, false) => Err(Failure::Usage("give ids or filters, not both of them".into())),
            (false, true) => {
                let words = self.ids;
                // Reading lines may take as long as whoever writes them.
                let read = tokio::task::spawn_blocking(move || ids::read(&words));
                Ok(Choice::Named(read.await??))
            }
            (true, false) => {
                let of = self.filter.of(of);
                let filter = self.filter.or_states(states).list();
                let mut found = Vec::new();
                list(client, of, &filter, Extent::ALL, |tasks| {
                    found.extend(tasks);
                    Ok(())
                })
                .await?;
                Ok(Choice::Found(found))
            }
        }
    }
}

impl Choice {
    /// Returns the ids.
    pub(super) fn ids(&self) -> Vec<TaskId> {
        match self {
            Self::Named(ids) => ids.clone(),
            Self::Found(tasks) => tasks.iter().map(|task| task.id).collect(),
        }
    }

    /// Says what is about to be done to them: `verb` is such as `cancel`.
    pub(super) async fn plan(&self, client: &Client, verb: &str) -> Result<Plan, Failure> {
        let (count, sample) = match self {
            Self::Found(tasks) => (tasks.len(), tasks.iter().take(SAMPLE).map(line).collect()),
            Self::Named(ids) => {
                let mut sample = Vec::new();
                for id in ids.iter().take(SAMPLE) {
                    sample.push(match client.tasks().get(*id).await {
                        Ok(task) => line(&task),
                        Err(error) => format!("{id}  {error}"),
                    });
                }
                (ids.len(), sample)
            }
        };
        let count = count as u64;
        Ok(Plan { what: format!("{verb} {}", tasks(count)), sample, count })
    }
}
