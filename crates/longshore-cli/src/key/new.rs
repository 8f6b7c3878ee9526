//! `longshore key new`: makes a key.

use super::kept::Kept;
use super::view::{Made, line};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output};
use clap::Args;
use longshore::core::{Clock, Span, SystemClock, TenantName};
use longshore::keys::{Grant, Key, KeyText, QueueGlob, Role};
use std::io::Write;

/// Makes a key, and prints it once
///
/// The key goes to standard output and nowhere else: the file keeps its SHA-256. A
/// service that has the file takes it over when it changes.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct New {
    /// Whose tasks it sees
    #[arg(long, value_name = "TENANT", default_value = "default", value_parser = tenant)]
    tenant: TenantName,
    /// What it allows: enqueue, read, work, operate, admin; several between commas
    #[arg(long, value_name = "ROLE", required = true, value_delimiter = ',', value_parser = role)]
    role: Vec<Role>,
    /// The queues it is for, `*` stands for any characters; several between commas
    #[arg(
        long,
        value_name = "GLOB",
        default_value = "*",
        value_delimiter = ',',
        value_parser = queue
    )]
    queue: Vec<QueueGlob>,
    /// How long it is good; for ever if not given
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires: Option<Span>,
    /// What people call it
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// A word at its beginning, for people and for scanners: ls_<ENV>_…
    #[arg(long, value_name = "ENV", default_value = "live", value_parser = env)]
    env: String,
    #[command(flatten)]
    kept: Kept,
    #[command(flatten)]
    output: Output,
}

fn tenant(text: &str) -> Result<TenantName, String> {
    TenantName::new(text).map_err(|bad| bad.to_string())
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|bad: longshore::keys::BadRole| bad.to_string())
}

fn queue(text: &str) -> Result<QueueGlob, String> {
    text.parse().map_err(|bad: longshore::keys::BadGlob| bad.to_string())
}

fn env(text: &str) -> Result<String, String> {
    Key::check_env(text).map(|()| text.to_owned()).map_err(str::to_owned)
}

fn name(text: &str) -> Result<String, String> {
    let fine = (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let wrong = || "must have 1 to 128 characters, none of control".to_owned();
    fine.then(|| text.to_owned()).ok_or_else(wrong)
}

/// Reads how long a key is good.
fn lifetime(text: &str) -> Result<Span, String> {
    let span: Span =
        text.parse().map_err(|_| "must be a duration such as 90d or 12h".to_owned())?;
    if span.0.as_secs() == 0 { Err("must be at least 1s".into()) } else { Ok(span) }
}

impl New {
    /// Makes it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { tenant, mut role, queue, expires, name, env, kept, output } = self;
        role.sort_unstable();
        role.dedup();
        let file = kept.file()?;
        let now = SystemClock.now();
        let grant = Grant { name, tenant, roles: role, queues: queue };
        let made = Key::new(&env, grant, now, expires.map(|span| now.after(span.0)))?;
        file.change(|keys| {
            keys.push(made.0.clone());
            Ok::<_, Failure>(())
        })?;
        tell(&made.0, &made.1, output)?;
        let path = file.path().display();
        anstream::eprintln!(
            "longshore: {} is kept in {path}; the key itself is shown this once",
            line(&made.0)
        );
        Ok(Exit::Fine)
    }
}

/// Prints a key that was made: by itself, so that `KEY=$(…)` does.
pub(super) fn tell(key: &Key, text: &KeyText, output: Output) -> Result<(), Failure> {
    if matches!(output.format, Format::Table | Format::Wide) {
        writeln!(std::io::stdout(), "{}", text.expose())?;
        return Ok(());
    }
    Ok(output.one(&Made::new(key, text))?)
}
