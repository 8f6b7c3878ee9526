//! What of an answer must agree: tokens by identity, the rest by value, without what a store may
//! choose.

use longshore_core::attempt::{Attempt, AttemptOutcome, TaskError};
use longshore_core::store::{
    Acted, Fired, Firing, Leased, Moved, Opened, Recorded, Refused, Schedule,
};
use longshore_core::task::{Accepted, Durability, Seq};
use longshore_core::{Event, FaultClass, NewTask, Task, Token, Valid};
use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// In the place of moments that differ from store to store.
static ANY_TIME: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The tokens of one store, numbered in the order they were seen.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    numbers: HashMap<Token, i64>,
    largest: Option<Token>,
}

impl Tokens {
    /// Gives the next number to a new token, which must be larger than all before.
    pub(super) fn learn(&mut self, token: Token) -> Result<(), String> {
        if let Some(before) = self.largest.filter(|before| *before >= token) {
            return Err(format!("token {token} is not larger than {before}"));
        }
        self.largest = Some(token);
        self.numbers.insert(token, self.numbers.len() as i64);
        Ok(())
    }

    /// Returns the number of a token in the place of the token.
    fn view(&self, token: Token) -> Token {
        Token::from_number(self.numbers.get(&token).copied().unwrap_or(-1))
    }

    pub(super) fn task(&self, task: Task) -> Task {
        let error = task.error.map(unworded);
        let token = task.token.map(|token| self.view(token));
        Task { seq: Seq(0), error, token, durability: Durability::None, ..task }
    }

    /// The error of an opening counts where a handler told it.
    pub(super) fn attempt(&self, attempt: Attempt) -> Attempt {
        let told = [AttemptOutcome::Retry, AttemptOutcome::Failed];
        let is_told = attempt.outcome.is_some_and(|outcome| told.contains(&outcome));
        let error = attempt.error.filter(|_| is_told);
        Attempt { token: self.view(attempt.token), error, ..attempt }
    }

    pub(super) fn leased(&self, mut leased: Leased) -> Leased {
        leased.lease.seq = Seq(0);
        leased.lease.token = self.view(leased.lease.token);
        leased.handed_out = *ANY_TIME;
        leased
    }

    pub(super) fn opened(&self, opened: Opened) -> Opened {
        match opened {
            Opened::Leased(leased) => Opened::Leased(Box::new(self.leased(*leased))),
            other => other,
        }
    }

    pub(super) fn acted(&self, acted: Result<Acted, Refused>) -> Result<Acted, Refused> {
        acted.map(|acted| Acted {
            task: acted.task.map(|task| self.task(task)),
            count: acted.count,
            events: sorted(acted.events),
        })
    }
}

/// A crash is told in a store's own words.
fn unworded(error: TaskError) -> TaskError {
    if error.class == FaultClass::Crash {
        return TaskError { code: None, message: String::new(), trace: None, ..error };
    }
    error
}

/// Events in an order of their own: a store may tell them in any.
pub(super) fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| (event.task, event.state));
    events
}

pub(super) fn accepted(answer: Result<Accepted, Refused>) -> Result<Accepted, Refused> {
    answer.map(|accepted| Accepted {
        durability: Durability::None,
        others: sorted(accepted.others),
        ..accepted
    })
}

pub(super) fn recorded(recorded: Recorded) -> Recorded {
    match recorded {
        Recorded::Applied { state, at, next_at, then, others } => {
            let then = then.into_iter().map(accepted).collect();
            Recorded::Applied { state, at, next_at, then, others: sorted(others) }
        }
        Recorded::Stale => Recorded::Stale,
    }
}

/// Asks each of these twice; the second one comes too late.
pub(super) fn firings(due: &[Schedule], task: Option<&NewTask>) -> Vec<Firing> {
    let one = |schedule: &Schedule| {
        let slot = schedule.next_slot?;
        let task = task
            .map(|task| Valid::vouch(NewTask { schedule_id: Some(schedule.id), ..task.clone() }));
        let next = Some(slot.after(Duration::from_secs(7)));
        Some(Firing { id: schedule.id, version: schedule.version, slot, next, task })
    };
    due.iter().chain(due).filter_map(one).collect()
}

pub(super) fn fired(fired: Fired) -> Fired {
    match fired {
        Fired::Done(task) => Fired::Done(task.map(accepted)),
        Fired::Stale => Fired::Stale,
    }
}

/// When to look next is a hint.
pub(super) fn moved(moved: Moved) -> Moved {
    Moved { events: sorted(moved.events), next: None, ..moved }
}
