//! `longshore queues set`: changes the settings of a queue while it runs.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;
use longshore::Rate;
use longshore::client::QueueSettings;
use std::str::FromStr;

/// Changes the settings of a queue, at once and over restarts
///
/// What is set here goes before the configuration; `default` gives back what the
/// configuration says. What is not named stays as it is.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[group(id = "settings", required = true, multiple = true, args = ["slots", "limit", "rate", "backlog"])]
pub(crate) struct Set {
    /// Its name
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// So many of its tasks run at once in each process: 1 to 10000, or `default`
    #[arg(long, value_name = "COUNT")]
    slots: Option<OrDefault<u32>>,
    /// So many run at once over all processes, or `default`
    #[arg(long, value_name = "COUNT")]
    limit: Option<OrDefault<u32>>,
    /// So many are handed out in a time, such as 500/s, 30/m or 10/h, or `default`
    #[arg(long, value_name = "RATE")]
    rate: Option<OrDefault<Rate>>,
    /// So many may wait, above it submits are refused, or `default`
    #[arg(long, value_name = "COUNT")]
    backlog: Option<OrDefault<u64>>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

/// A value, or what the configuration says.
#[derive(Debug, Clone, Copy)]
struct OrDefault<T>(Option<T>);

impl<T: FromStr> FromStr for OrDefault<T>
where
    T::Err: std::fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Self(None)),
            text => match text.parse() {
                Ok(value) => Ok(Self(Some(value))),
                Err(bad) => Err(format!("{bad}; or `default`")),
            },
        }
    }
}

impl Set {
    /// Changes them.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { queue, slots, limit, rate, backlog, output, remote } = self;
        let mut settings = QueueSettings::new();
        if let Some(OrDefault(slots)) = slots {
            settings = settings.slots(slots);
        }
        if let Some(OrDefault(limit)) = limit {
            settings = settings.limit(limit);
        }
        if let Some(OrDefault(rate)) = rate {
            let rate = rate.map(|rate| rate.to_string());
            settings = settings.rate(rate.as_deref());
        }
        if let Some(OrDefault(backlog)) = backlog {
            settings = settings.backlog(backlog);
        }
        remote.run(async move |client| {
            output.one(&client.queues().configure(&queue, &settings).await?)?;
            Ok(Exit::Fine)
        })
    }
}
