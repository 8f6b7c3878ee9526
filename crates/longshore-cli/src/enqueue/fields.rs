//! The fields of a task as flags.

use super::unique::UniqueFlag;
use clap::Args;
use longshore::client::Submit;
use longshore::core::{Span, TaskId, Timestamp};

/// Flags that say something of one task alone.
pub(super) const OF_ONE: [&str; 14] = [
    "queue",
    "priority",
    "delay",
    "run_at",
    "max_attempts",
    "timeout",
    "total_timeout",
    "expires_in",
    "order_key",
    "unique",
    "tag",
    "header",
    "name",
    "id",
];

/// The fields of a task.
#[derive(Debug, Args)]
#[command(next_help_heading = "Task")]
pub(super) struct Fields {
    /// Where it waits; the kind's queue if not given
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// 0 to 9, higher first; 4 if not given
    #[arg(long, value_name = "0..9", value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: Option<u8>,
    /// Not before so much time has passed
    #[arg(long, value_name = "DURATION", conflicts_with = "run_at")]
    delay: Option<Span>,
    /// Not before this time, such as 2026-11-20T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    run_at: Option<Timestamp>,
    /// How often it is tried, the first time included; 4 if neither this nor the kind says
    #[arg(long, value_name = "1..100", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: Option<u32>,
    /// How long one attempt may take
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Span>,
    /// How long all attempts may take together
    #[arg(long, value_name = "DURATION")]
    total_timeout: Option<Span>,
    /// Expires if it has not started by then
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<Span>,
    /// Its lane: tasks of one lane run one after the other, in order
    #[arg(long, value_name = "KEY")]
    order_key: Option<String>,
    /// One task of this key at a time
    ///
    /// KEY[,while=queued|active|DURATION][,on-conflict=existing|reject|replace]; if not
    /// given, `while=active` and `on-conflict=existing`.
    #[arg(long, value_name = "KEY", verbatim_doc_comment)]
    unique: Option<UniqueFlag>,
    /// A word to find it by; can be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Travels with it; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// A name for people, 2 to 32 characters
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Its id, made by the server if not given
    #[arg(long, value_name = "UUID", value_parser = id)]
    id: Option<TaskId>,
    /// Sent again with the same key it makes no second task, for 24 hours
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
}

/// Reads a time.
fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .ok_or_else(|| "must be an RFC 3339 time with a zone, such as 2026-11-20T09:00:00Z".into())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn id(text: &str) -> Result<TaskId, String> {
    text.parse().map_err(|_| "must be a UUID".into())
}

impl Fields {
    /// Sets what was given.
    pub(super) fn onto(self, mut submit: Submit) -> Submit {
        macro_rules! set {
            ($($field:ident),* with $take:expr) => {
                $(if let Some(value) = self.$field { submit = submit.$field($take(value)); })*
            };
        }
        set!(queue, priority, run_at, max_attempts, order_key, name, id, idempotency_key with |same| same);
        set!(delay, timeout, total_timeout, expires_in with |Span(span)| span);
        set!(unique with |UniqueFlag(unique)| unique);
        submit = self.tag.into_iter().fold(submit, Submit::tag);
        let header = |submit: Submit, (name, value)| submit.header(name, value);
        self.header.into_iter().fold(submit, header)
    }
}
