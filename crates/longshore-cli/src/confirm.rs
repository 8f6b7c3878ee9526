//! Before much is changed: how much it is, a sample, and a question.

use crate::failure::Failure;
use clap::Args;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

/// Lines of a sample.
pub(crate) const SAMPLE: usize = 5;

/// Whether somebody is asked first.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Confirm {
    /// Does it without asking; needed where nobody can be asked
    #[arg(long, short)]
    yes: bool,
    /// Shows what would be touched, and changes nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// What is about to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Such as `cancel 12 tasks`.
    pub(crate) what: String,
    /// Some of what it is done to.
    pub(crate) sample: Vec<String>,
    /// How much it is done to.
    pub(crate) count: u64,
}

impl Plan {
    /// Says what is about to be done, with its sample.
    fn said(&self) -> String {
        let mut said = format!("this will {}", self.what);
        let end = if self.sample.is_empty() { "" } else { ":" };
        said.push_str(end);
        for line in &self.sample {
            let _ = write!(said, "\n  {line}");
        }
        let rest = self.count.saturating_sub(self.sample.len() as u64);
        if rest > 0 && !self.sample.is_empty() {
            let _ = write!(said, "\n  and {rest} more");
        }
        said
    }
}

impl Confirm {
    /// Returns once it may be done: it was said with `--yes`, or somebody was asked.
    pub(crate) async fn settle(self, plan: &Plan) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            let said = plan.said();
            return Err(Failure::Usage(format!(
                "{said}\nNobody can be asked here: add --yes to do it, --dry-run to look first"
            )));
        }
        anstream::eprint!("longshore: {}\nGo on? [y/N] ", plan.said());
        let _ = std::io::stderr().flush();
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        });
        let line = read.await.map_err(std::io::Error::other).and_then(|line| line);
        let line = line.map_err(Failure::system("cannot read the answer"))?;
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::Declined),
        }
    }
}

/// Counts in words: `1 task`, `12 tasks`.
pub(crate) fn tasks(count: u64) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_shows_some_and_counts_the_rest() {
        let sample = vec!["a".to_owned(), "b".to_owned()];
        let plan = Plan { what: "cancel 9 tasks".into(), sample, count: 9 };
        assert_eq!(plan.said(), "this will cancel 9 tasks:\n  a\n  b\n  and 7 more");
    }
}
