//! Where the lines of the ready begin, as far as this process knows.
//!
//! What was handed out stays in the index in front of what is ready until the table is vacuumed, and
//! whoever begins at the front walks over all of it. So a process remembers which lines there are, and
//! below which rank nothing is ready in each, and lets its claims begin there. It is told of what
//! becomes ready here; when another process tells of work, or something became ready here of which only
//! the queue is known, and in any case after a while, a claim looks at all of the index again.

use longshore_core::{NewTask, QueueName, Timestamp, readiness};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How far below the last rank that was handed out a claim begins: what is accepted side by side is
/// committed in any order. Ranks are milliseconds.
const SLACK: i64 = 30;
/// How long what was seen is trusted, at least and at most.
const TRUST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Looking at all of the index takes at most this part of the time.
const SHARE: u32 = 20;

/// One line: the ready tasks of a kind and tenant, all of them isolated or none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LineName {
    pub(crate) kind: String,
    pub(crate) tenant: String,
    pub(crate) ready: i16,
}

/// From where on something may be ready in a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) rank: i64,
    /// Grows whenever the start may have to be lower than a claim under way believes.
    lowered: u64,
}

/// How a claim is to look for what is ready.
#[derive(Debug)]
pub(crate) enum Look {
    /// At all of the index. It has a number.
    All(u64),
    /// At these lines.
    At(Vec<(LineName, Start)>),
}

/// What claims that want the same kinds of a queue have seen.
#[derive(Debug)]
struct Seen {
    kinds: Vec<String>,
    lines: HashMap<LineName, Start>,
    /// The lowest rank that came in, by line, since the last look at all began.
    noted: HashMap<LineName, i64>,
    trusted_until: Option<Instant>,
    /// The number of the last look at all.
    look: u64,
    /// Was told to look again; by number of the look that was under way.
    doubted: bool,
}

/// All lines that are known, by queue.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    queues: Mutex<HashMap<String, Vec<Seen>>>,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Seen>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how a claim that wants these kinds of a queue is to look.
    pub(crate) fn look(&self, queue: &str, kinds: &[String]) -> Look {
        let mut queues = self.lock();
        if !queues.contains_key(queue) {
            queues.insert(queue.to_owned(), Vec::new());
        }
        let all = queues.get_mut(queue).expect("just made");
        let place = all.iter().position(|seen| seen.kinds == kinds).unwrap_or_else(|| {
            all.push(Seen {
                kinds: kinds.to_vec(),
                lines: HashMap::new(),
                noted: HashMap::new(),
                trusted_until: None,
                look: 0,
                doubted: true,
            });
            all.len() - 1
        });
        let seen = &mut all[place];
        if !seen.doubted && seen.trusted_until.is_some_and(|until| Instant::now() < until) {
            let lines = seen.lines.iter().map(|(line, start)| (line.clone(), *start));
            return Look::At(lines.collect());
        }
        seen.look += 1;
        seen.noted.clear();
        seen.doubted = false;
        seen.trusted_until = None;
        Look::All(seen.look)
    }

    /// Notes what a look at all has seen, and how long it took.
    pub(crate) fn seen(
        &self,
        queue: &str,
        kinds: &[String],
        look: u64,
        lines: Vec<(LineName, i64)>,
        took: Duration,
    ) {
        let mut queues = self.lock();
        let all = queues.get_mut(queue).map(Vec::as_mut_slice).unwrap_or_default();
        // One that began later knows more.
        let Some(seen) = all.iter_mut().find(|seen| seen.kinds == kinds && seen.look == look)
        else {
            return;
        };
        let start = |rank| Start { rank, lowered: 0 };
        seen.lines = lines.into_iter().map(|(line, rank)| (line, start(rank))).collect();
        for (line, rank) in &seen.noted {
            let known = seen.lines.entry(line.clone()).or_insert(start(*rank));
            known.rank = known.rank.min(*rank);
        }
        let trust = (took * SHARE).clamp(TRUST.0, TRUST.1);
        seen.trusted_until = Some(Instant::now() + trust);
    }

    /// Notes from where on a claim was served: `at` is the lowest rank that it got of a line.
    pub(crate) fn served(
        &self,
        queue: &str,
        kinds: &[String],
        line: &LineName,
        start: Start,
        at: i64,
    ) {
        let mut queues = self.lock();
        let all = queues.get_mut(queue).map(Vec::as_mut_slice).unwrap_or_default();
        let known = all
            .iter_mut()
            .find(|seen| seen.kinds == kinds)
            .and_then(|seen| seen.lines.get_mut(line))
            .filter(|known| known.lowered == start.lowered);
        if let Some(known) = known {
            known.rank = known.rank.max(at.saturating_sub(SLACK));
        }
    }

    /// Notes tasks that were accepted here, and committed.
    pub(crate) fn accepted(&self, tasks: &[&NewTask], now: Timestamp, committed: Timestamp) {
        let mut ranks: HashMap<(&QueueName, &str, &str), i64> = HashMap::new();
        for task in tasks.iter().filter(|task| task.run_at.is_none_or(|at| at <= now)) {
            let rank = readiness::rank(now, task.priority);
            let line = (&task.queue, task.kind.as_str(), task.tenant.as_str());
            ranks.entry(line).and_modify(|least| *least = rank.min(*least)).or_insert(rank);
        }
        let mut queues = self.lock();
        for ((queue, kind, tenant), rank) in ranks {
            let line = LineName { kind: kind.to_owned(), tenant: tenant.to_owned(), ready: 1 };
            let all = queues.get_mut(queue.as_str()).map(Vec::as_mut_slice).unwrap_or_default();
            for seen in all.iter_mut().filter(|seen| seen.kinds.iter().any(|wanted| wanted == kind))
            {
                seen.note(&line, rank, committed);
            }
        }
    }

    /// Something became ready in a queue of which nothing else is known.
    pub(crate) fn doubt(&self, queue: &str) {
        for seen in self.lock().get_mut(queue).into_iter().flatten() {
            seen.doubted = true;
        }
    }

    /// Something became ready somewhere.
    pub(crate) fn doubt_all(&self) {
        for seen in self.lock().values_mut().flatten() {
            seen.doubted = true;
        }
    }
}

impl Seen {
    fn note(&mut self, line: &LineName, rank: i64, now: Timestamp) {
        self.noted
            .entry(line.clone())
            .and_modify(|least| *least = rank.min(*least))
            .or_insert(rank);
        let start = self.lines.entry(line.clone()).or_insert(Start { rank, lowered: 0 });
        // A claim under way may be about to say that nothing is left as low as this.
        if rank < start.rank || rank < now.0.saturating_sub(SLACK / 2) {
            start.lowered += 1;
            start.rank = start.rank.min(rank);
        }
    }
}
