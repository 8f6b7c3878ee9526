//! `longshore key rotate`: puts a new key beside an old one, which goes after a while.

use super::kept::Kept;
use super::new::tell;
use super::view::line;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use clap::Args;
use longshore::core::{Clock, Span, SystemClock};
use longshore::keys::Key;
use std::time::Duration;

/// Makes a key that may do what an old one may, and lets the old one expire
///
/// Both are good until the overlap is over, so that every program can be given the
/// new one in between. The new one expires as long after now as the old one was made
/// for, if that was limited.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Rotate {
    /// The id of the old key
    #[arg(value_name = "ID")]
    id: String,
    /// How long the old one is good yet
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    overlap: Span,
    #[command(flatten)]
    kept: Kept,
    #[command(flatten)]
    output: Output,
}

impl Rotate {
    /// Makes it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { id, overlap, kept, output } = self;
        let file = kept.file()?;
        let now = SystemClock.now();
        let (key, text, old) = file.change(|keys| {
            let old = keys.iter_mut().find(|key| key.id == id);
            let old = old.ok_or_else(|| Failure::NotFound(format!("there is no key {id}")))?;
            let lifetime = old.expires_at.map(|at| at.since(old.created_at));
            let expires_at = lifetime.map(|long| now.after(long.max(Duration::from_secs(1))));
            let (key, text) = Key::new(&old.env, old.grant.clone(), now, expires_at)?;
            let until = now.after(overlap.0);
            old.expires_at = Some(old.expires_at.map_or(until, |at| at.min(until)));
            let old = old.clone();
            keys.push(key.clone());
            Ok::<_, Failure>((key, text, old))
        })?;
        tell(&key, &text, output)?;
        let until = old.expires_at.map(|at| at.to_string()).unwrap_or_default();
        anstream::eprintln!(
            "longshore: {}; the key itself is shown this once. The old one, {}, is good until {until}",
            line(&key),
            old.id
        );
        Ok(Exit::Fine)
    }
}
