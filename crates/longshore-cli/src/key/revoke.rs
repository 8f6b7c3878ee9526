//! `longshore key revoke`: takes keys back.

use super::kept::Kept;
use super::view::{Shown, line};
use crate::confirm::{Confirm, Plan, SAMPLE};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::interruptible;
use clap::Args;
use longshore::keys::Key;

/// Takes keys back; who shows one of them is refused from then on
///
/// It shows which they are first, and asks. A service that has the file takes it over
/// when it changes.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Revoke {
    /// Their ids
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    kept: Kept,
    #[command(flatten)]
    output: Output,
}

impl Revoke {
    /// Takes them back, once it is clear that it is meant.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { ids, confirm, kept, output } = self;
        let file = kept.file()?;
        let found = named(&file.read()?, &ids)?;
        if confirm.dry_run {
            let mut listing = output.list();
            found.iter().try_for_each(|key| listing.push(&Shown::from(key)))?;
            listing.finish()?;
            anstream::eprintln!("longshore: would revoke {}; nothing was done", keys(found.len()));
            return Ok(Exit::Fine);
        }
        interruptible(async {
            let what = format!("revoke {}", keys(found.len()));
            let sample = found.iter().take(SAMPLE).map(line).collect();
            confirm.settle(&Plan { what, sample, count: found.len() as u64 }).await?;
            file.change(|keys| {
                named(keys, &ids)?;
                keys.retain(|key| !ids.contains(&key.id));
                Ok::<_, Failure>(())
            })?;
            let mut listing = output.list_of(ids.len());
            found.iter().try_for_each(|key| listing.push(&Shown::from(key)))?;
            listing.finish()?;
            Ok(Exit::Fine)
        })
    }
}

/// Finds each of these keys, or tells which are not there.
fn named(keys: &[Key], ids: &[String]) -> Result<Vec<Key>, Failure> {
    let missing: Vec<&str> =
        ids.iter().filter(|id| keys.iter().all(|key| key.id != **id)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(Failure::NotFound(format!("there is no key {}", missing.join(", "))));
    }
    Ok(keys.iter().filter(|key| ids.contains(&key.id)).cloned().collect())
}

fn keys(count: usize) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{count} keys") }
}
