//! `longshore schedules add`: makes a schedule.

use crate::enqueue::PayloadSource;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::{Args, ValueEnum};
use longshore::client::{NewSchedule, Submit};
use longshore::core::Span;
use longshore::core::store;

/// Makes a schedule: a task again and again, by the clock
///
/// CRON is minute, hour, day of month, month and day of week; with six fields the
/// second comes first. Or @hourly, @daily, @weekly, @monthly, @yearly.
///
///   longshore schedules add '0 3 * * *' nightly --timezone Europe/Berlin
///   longshore schedules add '*/10 * * * * *' hello --payload '{"name": "Ada"}'
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Add {
    /// When: five fields, or six with the second first
    #[arg(value_name = "CRON")]
    cron: String,
    /// What kind of task
    #[arg(value_name = "KIND")]
    kind: String,
    /// The time zone of CRON, such as Europe/Berlin; UTC if not given
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// What becomes of slots that nobody was there for; `one` if not given
    #[arg(long, value_name = "POLICY")]
    missed: Option<Missed>,
    /// Makes nothing until it is resumed
    #[arg(long)]
    paused: bool,
    /// A name for people, 2 to 32 characters; the tasks have it too
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    payload: PayloadSource,
    /// Where the tasks wait; the kind's queue if not given
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// 0 to 9, higher first; 4 if not given
    #[arg(long, value_name = "0..9", value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: Option<u8>,
    /// How often a task is tried, the first time included
    #[arg(long, value_name = "1..100", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: Option<u32>,
    /// How long one attempt may take
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Span>,
    /// A task expires if it has not started within this
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<Span>,
    /// A word to find the tasks by; can be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

/// What becomes of slots that nobody was there for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Missed {
    /// They are left out
    Skip,
    /// One task stands for all of them
    One,
    /// Each of them makes its task
    All,
}

impl Add {
    /// Makes it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut task = Submit::new(self.kind);
        if let Some(json) = self.payload.read()? {
            task = task.payload(&*json)?;
        }
        if let Some(name) = self.name {
            task = task.name(name);
        }
        if let Some(queue) = self.queue {
            task = task.queue(queue);
        }
        if let Some(priority) = self.priority {
            task = task.priority(priority);
        }
        if let Some(attempts) = self.max_attempts {
            task = task.max_attempts(attempts);
        }
        if let Some(Span(timeout)) = self.timeout {
            task = task.timeout(timeout);
        }
        if let Some(Span(within)) = self.expires_in {
            task = task.expires_in(within);
        }
        task = self.tag.into_iter().fold(task, Submit::tag);
        let mut new = NewSchedule::new(self.cron, task);
        if let Some(zone) = self.timezone {
            new = new.timezone(zone);
        }
        if let Some(missed) = self.missed {
            new = new.missed(match missed {
                Missed::Skip => store::Missed::Skip,
                Missed::One => store::Missed::One,
                Missed::All => store::Missed::All,
            });
        }
        if self.paused {
            new = new.paused();
        }
        let output = self.output;
        self.remote.run(async move |client| {
            let made = client.schedules().create(&new).await?;
            let mut listing = output.list_of(1);
            listing.push(&made)?;
            listing.finish()?;
            Ok(Exit::Fine)
        })
    }
}
