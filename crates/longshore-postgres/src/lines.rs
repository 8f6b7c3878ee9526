//! Where the lines of the ready begin, as far as this process knows.
//!
//! What was handed out stays in the index in front of what is ready until the table is vacuumed, and
//! whoever begins at the front walks over all of it. So a process remembers which lines there are, and
//! below which rank nothing is ready in each, and lets its claims begin there. It is told of what
//! becomes ready here; when another process tells of work, or something became ready here of which only
//! the queue is known, and in any case after a while, a claim looks at all of the index again.

use longshore_core::{NewTask, QueueName, Timestamp, readiness};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How far below the last rank that was handed out a claim begins: what is accepted side by side is
/// committed in any order. Ranks are milliseconds.
const SLACK: i64 = 30;
/// How long what was seen is trusted, at least and at most.
const TRUST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Looking at all of the index takes at most this part of the time.
const SHARE: u32 = 20;
/// Different questions that are remembered for a queue, and queues, at most. Whoever pulls may ask for anything.
const REMEMBERED: (usize, usize) = (64, 4_096);

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
    looks: AtomicU64,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Seen>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how a claim that wants these kinds of a queue is to look.
    pub(crate) fn look(&self, queue: &str, kinds: &[String]) -> Look {
        let mut queues = self.lock();
        if !queues.contains_key(queue) {
            if queues.len() >= REMEMBERED.1 {
                queues.clear(); // everybody looks once more
            }
            queues.insert(queue.to_owned(), Vec::new());
        }
        let all = queues.get_mut(queue).expect("just made");
        let place = all.iter().position(|seen| seen.kinds == kinds).unwrap_or_else(|| {
            if all.len() >= REMEMBERED.0 {
                all.clear();
            }
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
        seen.look = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
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
    pub(crate) fn accepted<'t>(&self, tasks: &[&'t NewTask], now: Timestamp, committed: Timestamp) {
        let ranked = |task: &&'t NewTask| {
            let line = (&task.queue, task.kind.as_str(), task.tenant.as_str());
            (line, readiness::rank(now, task.priority))
        };
        let ready = tasks.iter().filter(|task| task.run_at.is_none_or(|at| at <= now));
        let mut ready: Vec<_> = ready.map(ranked).collect();
        ready.dedup(); // most are like the one before
        let mut ranks: HashMap<(&QueueName, &str, &str), i64> = HashMap::new();
        for (line, rank) in ready {
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

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::KindName;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn kinds() -> Vec<String> {
        vec!["job".to_owned()]
    }

    fn line() -> LineName {
        LineName { kind: "job".to_owned(), tenant: "default".to_owned(), ready: 1 }
    }

    fn task(priority: u8) -> NewTask {
        let task = NewTask::new(KindName::new("job").expect("a name"));
        NewTask { priority, ..task }
    }

    /// Lines of which one was seen, at that rank.
    fn seen_at(rank: i64) -> Lines {
        let lines = Lines::default();
        let Look::All(look) = lines.look("default", &kinds()) else { panic!("nothing is known") };
        lines.seen("default", &kinds(), look, vec![(line(), rank)], Duration::from_secs(1));
        lines
    }

    fn start(lines: &Lines) -> Start {
        match lines.look("default", &kinds()) {
            Look::At(known) => known[0].1,
            Look::All(_) => panic!("it is known"),
        }
    }

    #[test]
    fn a_claim_begins_a_little_below_what_the_last_one_got() {
        let lines = seen_at(500);
        let before = start(&lines);
        lines.served("default", &kinds(), &line(), before, 2_000);
        assert_eq!(start(&lines).rank, 2_000 - SLACK);
    }

    #[test]
    fn what_came_in_lower_meanwhile_is_not_passed_over() {
        let lines = seen_at(NOW.0);
        let before = start(&lines);
        lines.accepted(&[&task(9)], NOW, NOW);
        let low = readiness::rank(NOW, 9);
        lines.served("default", &kinds(), &line(), before, NOW.0 + 5_000);
        assert_eq!(start(&lines).rank, low, "that claim did not know of it");
    }

    #[test]
    fn what_was_committed_late_is_not_passed_over() {
        let lines = seen_at(NOW.0 - 10_000 * 30);
        let before = start(&lines);
        let late = NOW.after(Duration::from_secs(1));
        lines.accepted(&[&task(0)], NOW, late);
        lines.served("default", &kinds(), &line(), before, late.0);
        assert!(start(&lines).rank <= readiness::rank(NOW, 0));
    }

    #[test]
    fn a_look_at_all_keeps_what_came_in_since_it_began() {
        let lines = Lines::default();
        let Look::All(look) = lines.look("default", &kinds()) else { panic!("nothing is known") };
        lines.accepted(&[&task(0)], NOW, NOW);
        lines.seen("default", &kinds(), look, Vec::new(), Duration::from_secs(1));
        assert_eq!(start(&lines).rank, readiness::rank(NOW, 0));
    }

    #[test]
    fn a_doubt_makes_the_next_claim_look_again() {
        let lines = seen_at(1);
        lines.doubt("default");
        assert!(matches!(lines.look("default", &kinds()), Look::All(_)));
        let lines = Lines::default();
        let Look::All(look) = lines.look("default", &kinds()) else { panic!("nothing is known") };
        lines.doubt("default");
        lines.seen("default", &kinds(), look, Vec::new(), Duration::from_secs(1));
        let next = lines.look("default", &kinds());
        assert!(matches!(next, Look::All(_)), "it came while that one looked");
    }

    #[test]
    fn of_two_looks_the_later_one_counts() {
        let lines = Lines::default();
        let Look::All(first) = lines.look("default", &kinds()) else { panic!("nothing is known") };
        let Look::All(second) = lines.look("default", &kinds()) else { panic!("nor now") };
        let took = Duration::from_secs(1);
        lines.seen("default", &kinds(), second, vec![(line(), 7)], took);
        lines.seen("default", &kinds(), first, Vec::new(), took);
        assert_eq!(start(&lines).rank, 7);
    }
}
