//! `longshore schedules rm`: deletes a schedule.

use super::found::id_of;
use crate::confirm::{Confirm, Plan};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;

/// Deletes a schedule; tasks that it made stay
///
/// It shows the schedule first, and asks. One that comes from the configuration is
/// removed there; until then it can be paused.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Rm {
    /// Its id or name
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Rm {
    /// Deletes it, once it is clear that it is meant.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { schedule, confirm, output, remote } = self;
        remote.run(async move |client| {
            let id = id_of(&client, &schedule).await?;
            let found = client.schedules().get(&id).await?;
            if confirm.dry_run {
                output.one(&found)?;
                anstream::eprintln!("longshore: would delete this schedule; nothing was done");
                return Ok(Exit::Fine);
            }
            let what = format!("delete the schedule {schedule}");
            let line = format!("{id}  {}  {}  {}", found.cron, found.timezone, found.kind);
            confirm.settle(&Plan { what, sample: vec![line], count: 1 }).await?;
            client.schedules().delete(&id).await?;
            output.one(&found)?;
            Ok(Exit::Fine)
        })
    }
}
