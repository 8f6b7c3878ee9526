//! Accepts and ends of many callers, in as few transactions as possible.
//!
//! What is plain goes by one statement for all; what has to be looked at goes one by one in a transaction
//! that others share. If such a transaction fails because of what is in it, each caller's is done by itself: one
//! bad request spoils no other.

use crate::engine::{DEADLINE, Engine, Phase, in_time, pause};
use crate::error::Trouble;
use crate::flight::Passenger;
use crate::jobs::{AcceptAll, RecordAll};
use crate::tasks::{
    applied, is_plain_end, is_plain_task, plain_accepts, plain_ones, plain_successes,
};
use longshore_core::store::{Ending, Recorded, Refused, StoreError};
use longshore_core::task::Accepted;
use longshore_core::{NewTask, QueueName, State, Valid};
use std::collections::HashSet;
use std::sync::Arc;

type Accepting = Passenger<Valid<NewTask>, Vec<Result<Accepted, Refused>>>;
type Recording = Passenger<Ending, Vec<Recorded>>;

impl Engine {
    /// Accepts tasks together with whatever others bring.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        tasks: Vec<Valid<NewTask>>,
    ) -> Result<Vec<Result<Accepted, Refused>>, StoreError> {
        let _call = self.enter().await?;
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let engine = self.clone();
        let start = move || {
            engine.clone().handle.spawn(async move {
                while let Some(group) = engine.accepts.take() {
                    engine.accept_group(group).await;
                }
            });
        };
        self.accepts.board(tasks, DEADLINE, start).await
    }

    /// Records ends together with whatever others bring.
    pub(crate) async fn record(
        self: &Arc<Self>,
        ends: Vec<Ending>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let _call = self.enter().await?;
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let engine = self.clone();
        let start = move || {
            engine.clone().handle.spawn(async move {
                while let Some(group) = engine.records.take() {
                    engine.record_group(group).await;
                }
            });
        };
        let tokens: Vec<i64> = ends.iter().map(|end| end.lease.token.number()).collect();
        let recorded = self.records.board(ends, DEADLINE, start).await;
        if recorded.is_ok() {
            self.forget_held(tokens.into_iter());
        }
        recorded
    }

    async fn accept_group(&self, group: Vec<Accepting>) {
        let is_plain = |of: &Accepting| of.load.iter().all(|task| is_plain_task(task));
        let (plain, others): (Vec<_>, Vec<_>) = group.into_iter().partition(is_plain);
        if !plain.is_empty() {
            self.accept_plain(plain).await;
        }
        if !others.is_empty() {
            self.accept_others(others).await;
        }
    }

    async fn accept_plain(&self, group: Vec<Accepting>) {
        let tasks: Vec<&NewTask> =
            group.iter().flat_map(|of| &of.load).map(|task| &**task).collect();
        match self.accept_at_once(&tasks).await {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for of in group {
                    let mine = answers.by_ref().take(of.load.len()).collect();
                    of.answer(Ok(mine));
                }
            }
            Err(Trouble::Failed(_)) if group.len() > 1 => {
                for of in group {
                    let tasks: Vec<&NewTask> = of.load.iter().map(|task| &**task).collect();
                    let answers = self.accept_at_once(&tasks).await;
                    of.answer(answers.map_err(|trouble| trouble.into_error(DEADLINE)));
                }
            }
            Err(trouble) => refuse(group, &trouble),
        }
    }

    async fn accept_at_once(
        &self,
        tasks: &[&NewTask],
    ) -> Result<Vec<Result<Accepted, Refused>>, Trouble> {
        let phase = Phase::default();
        let now = self.base.clock.now();
        let accepted = in_time(&phase, async {
            let mut tries = 0;
            loop {
                let mut link = self.links.work().await?;
                link.soil();
                phase.commits();
                match plain_accepts(&link, &self.base, tasks).await {
                    Err(Trouble::Again(_)) if tries < 8 => tries += 1,
                    answer => {
                        if answer.is_ok() {
                            link.cleanse();
                        }
                        return answer;
                    }
                }
                drop(link);
                pause(tries).await;
            }
        });
        let accepted = accepted.await.inspect_err(|trouble| self.proof.doubt(trouble))?;
        self.proof.note_write();
        let of_a_queue = tasks.chunk_by(|a, b| a.queue == b.queue);
        let queues: HashSet<&QueueName> = of_a_queue.map(|run| &run[0].queue).collect();
        self.hub.lines.accepted(tasks, now, self.base.clock.now());
        self.hub.ring_noted(queues.into_iter());
        Ok(accepted)
    }

    async fn accept_others(&self, group: Vec<Accepting>) {
        let mut group = group;
        let requests: Vec<_> =
            group.iter_mut().map(|of| Arc::new(std::mem::take(&mut of.load))).collect();
        match self.attempt(&AcceptAll { requests: requests.clone() }).await {
            Ok(answers) => {
                for (of, mine) in group.into_iter().zip(answers) {
                    of.answer(Ok(mine));
                }
            }
            Err(Trouble::Failed(_)) if group.len() > 1 => {
                for (of, tasks) in group.into_iter().zip(requests) {
                    let mine = self.perform(&AcceptAll { requests: vec![tasks] }).await;
                    of.answer(mine.map(|mut answers| answers.pop().unwrap_or_default()));
                }
            }
            Err(trouble) => refuse(group, &trouble),
        }
    }

    async fn record_group(&self, group: Vec<Recording>) {
        let is_plain = |of: &Recording| of.load.iter().all(is_plain_end);
        let (plain, others): (Vec<_>, Vec<_>) = group.into_iter().partition(is_plain);
        if !plain.is_empty() {
            self.record_plain(plain).await;
        }
        if !others.is_empty() {
            self.record_others(others.into_iter().map(Recorder::new).collect()).await;
        }
    }

    /// Records successes by one statement. Whoever brought one that was not plain after all is served by the long way.
    async fn record_plain(&self, group: Vec<Recording>) {
        let ends: Vec<&Ending> = group.iter().flat_map(|of| &of.load).collect();
        let plain = plain_ones(&ends);
        let now = self.base.clock.now();
        let asked: Vec<&Ending> = plain.iter().map(|i| ends[*i]).collect();
        let done = match self.succeed(now, asked).await {
            Ok(done) => done,
            Err(Trouble::Failed(_)) if group.len() > 1 => {
                return self.record_others(group.into_iter().map(Recorder::new).collect()).await;
            }
            Err(trouble) => return refuse(group, &trouble),
        };
        let done: HashSet<usize> =
            plain.into_iter().filter(|i| done.contains(&ends[*i].lease.seq.0)).collect();
        let (mut first, mut left) = (0, Vec::new());
        for of in group {
            let is_done: Vec<bool> =
                (first..first + of.load.len()).map(|i| done.contains(&i)).collect();
            first += of.load.len();
            let success = || applied(State::Success, now, None);
            let answers: Vec<_> = is_done.iter().map(|done| done.then(success)).collect();
            match answers.iter().cloned().collect::<Option<Vec<_>>>() {
                Some(answers) => of.answer(Ok(answers)),
                None => left.push(Recorder::after(of, answers)),
            }
        }
        if !left.is_empty() {
            self.record_others(left).await;
        }
    }

    /// Records ends in a transaction that others share.
    async fn record_others(&self, group: Vec<Recorder>) {
        let ends = group.iter().flat_map(|of| of.ends.iter().cloned()).collect();
        match self.attempt(&RecordAll { ends }).await {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for of in group {
                    let mine = answers.by_ref().take(of.ends.len()).collect();
                    of.answer(mine);
                }
            }
            Err(Trouble::Failed(_)) if group.len() > 1 => {
                for of in group {
                    match self.attempt(&RecordAll { ends: of.ends.clone() }).await {
                        Ok(mine) => of.answer(mine),
                        Err(trouble) => of.refuse(trouble),
                    }
                }
            }
            Err(trouble) => group.into_iter().for_each(|of| of.refuse(trouble.clone())),
        }
    }

    async fn succeed(
        &self,
        now: longshore_core::Timestamp,
        ends: Vec<&Ending>,
    ) -> Result<HashSet<i64>, Trouble> {
        let phase = Phase::default();
        let held = self.holds.rows(self.base.epoch(), &ends);
        let recorded = in_time(&phase, async {
            let mut tries = 0;
            loop {
                let mut link = self.links.work().await?;
                link.soil();
                phase.commits();
                match plain_successes(&link, now, &ends, held.as_ref()).await {
                    Err(Trouble::Again(_)) if tries < 8 => tries += 1,
                    answer => {
                        if answer.is_ok() {
                            link.cleanse();
                        }
                        return answer;
                    }
                }
                drop(link);
                pause(tries).await;
            }
        });
        let recorded = recorded.await.inspect_err(|trouble| self.proof.doubt(trouble));
        let (done, queues) = recorded?;
        queues.iter().for_each(|queue| self.hub.tell_of_room(queue.as_str()));
        Ok(done)
    }
}

/// Somebody whose ends go by the long way, and what was recorded of them before.
struct Recorder {
    of: Recording,
    ends: Vec<Arc<Ending>>,
    answers: Vec<Option<Recorded>>,
}

impl Recorder {
    fn new(of: Recording) -> Self {
        let answers = vec![None; of.load.len()];
        Self::after(of, answers)
    }

    fn after(mut of: Recording, answers: Vec<Option<Recorded>>) -> Self {
        let load = std::mem::take(&mut of.load);
        let left = load.into_iter().zip(&answers).filter(|(_, answer)| answer.is_none());
        let ends = left.map(|(end, _)| Arc::new(end)).collect();
        Self { of, ends, answers }
    }

    fn answer(self, left: Vec<Recorded>) {
        let mut left = left.into_iter();
        let filled = |answer: Option<Recorded>| answer.or_else(|| left.next());
        let answers = self.answers.into_iter().filter_map(filled).collect();
        self.of.answer(Ok(answers));
    }

    /// Nothing came of what was left. What was recorded before is kept: to repeat it finds it stale.
    fn refuse(self, trouble: Trouble) {
        let in_part = self.answers.iter().any(Option::is_some);
        let trouble = if in_part { Trouble::Unknown(trouble.to_string()) } else { trouble };
        self.of.answer(Err(trouble.into_error(DEADLINE)));
    }
}

/// Tells everybody of a group that it came to nothing.
fn refuse<T, A>(group: Vec<Passenger<T, A>>, trouble: &Trouble) {
    for of in group {
        of.answer(Err(trouble.clone().into_error(DEADLINE)));
    }
}
