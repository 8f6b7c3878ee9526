//! A bar that shows how far it is: on a terminal only, and only if it takes longer than a moment.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// What is over sooner needs no bar.
const MOMENT: Duration = Duration::from_millis(300);

/// A bar that shows how far it is.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    began: Instant,
    shown: bool,
}

impl Progress {
    /// Begins; `total` is how much there is to do, if that is known.
    pub(super) fn new(total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let style = match total {
            Some(_) => "{wide_bar} {human_pos}/{human_len} tasks, {rate}, {eta} left",
            None => "{spinner} {human_pos} tasks, {rate}",
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
                // Where it cannot be shown there is nothing to be done.
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            bar.set_style(style.with_key("rate", rate));
        }
        Self { bar, began: Instant::now(), shown: false }
    }

    /// Goes on by so many.
    pub(super) fn add(&mut self, count: u64) {
        if !self.shown && self.began.elapsed() > MOMENT && std::io::stderr().is_terminal() {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(count);
    }

    /// Prints a line above the bar.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| anstream::eprintln!("longshore: {line}"));
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
