//! Accepts and ends of many callers, in as few transactions as possible.
//!
//! What is plain goes by one statement for all; what has to be looked at goes one by one in a transaction
//! that others share. If such a transaction fails because of what is in it, each caller's is done by itself: one
//! bad request spoils no other.

use crate::engine::{DEADLINE, Engine, Phase, in_time, pause};
use crate::error::Trouble;
use crate::flight::Passenger;
use crate::jobs::{AcceptAll, RecordAll};
use crate::tasks::{applied, is_plain_end, is_plain_task, plain_accepts, plain_successes};
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
        self.records.board(ends, DEADLINE, start).await
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
        let accepted = accepted.await?;
        let queues: HashSet<&QueueName> = tasks.iter().map(|task| &task.queue).collect();
        self.hub.ring_all(queues.into_iter());
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

    async fn record_group(&self, mut group: Vec<Recording>) {
        let requests: Vec<Vec<Arc<Ending>>> = group
            .iter_mut()
            .map(|of| std::mem::take(&mut of.load).into_iter().map(Arc::new).collect())
            .collect();
        let ends: Vec<Arc<Ending>> = requests.iter().flatten().cloned().collect();
        match self.record_all(ends).await {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for (of, ends) in group.into_iter().zip(requests) {
                    let mine = answers.by_ref().take(ends.len()).collect();
                    of.answer(Ok(mine));
                }
            }
            Err(Trouble::Failed(_)) if group.len() > 1 => {
                for (of, ends) in group.into_iter().zip(requests) {
                    let mine = self.record_all(ends).await;
                    of.answer(mine.map_err(|trouble| trouble.into_error(DEADLINE)));
                }
            }
            Err(trouble) => refuse(group, &trouble),
        }
    }

    /// Records ends: those that are plain by one statement, then what is left.
    async fn record_all(&self, ends: Vec<Arc<Ending>>) -> Result<Vec<Recorded>, Trouble> {
        let mut answers: Vec<Option<Recorded>> = vec![None; ends.len()];
        let mut seen = HashSet::new();
        // Of two ends of one opening the first counts, whatever it is.
        let plain: Vec<usize> = (0..ends.len())
            .filter(|i| seen.insert(ends[*i].lease.seq) && is_plain_end(&ends[*i]))
            .collect();
        if !plain.is_empty() {
            let now = self.base.clock.now();
            let done = self.succeed(now, plain.iter().map(|i| &*ends[*i]).collect()).await?;
            for i in plain.into_iter().filter(|i| done.contains(&ends[*i].lease.seq.0)) {
                answers[i] = Some(applied(State::Success, now, None));
            }
        }
        let left: Vec<usize> = (0..ends.len()).filter(|i| answers[*i].is_none()).collect();
        if !left.is_empty() {
            let rest = left.iter().map(|i| ends[*i].clone()).collect();
            let recorded = self.attempt(&RecordAll { ends: rest }).await;
            // The plain ones are kept, whatever happens to these: to repeat them finds them stale.
            let recorded = match recorded {
                Err(Trouble::Away(why)) if left.len() < ends.len() => Err(Trouble::Unknown(why)),
                recorded => recorded,
            }?;
            for (i, recorded) in left.into_iter().zip(recorded) {
                answers[i] = Some(recorded);
            }
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(Recorded::Stale)).collect())
    }

    async fn succeed(
        &self,
        now: longshore_core::Timestamp,
        ends: Vec<&Ending>,
    ) -> Result<HashSet<i64>, Trouble> {
        let phase = Phase::default();
        let recorded = in_time(&phase, async {
            let mut tries = 0;
            loop {
                let mut link = self.links.work().await?;
                link.soil();
                phase.commits();
                match plain_successes(&link, now, &ends).await {
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
        let (done, queues) = recorded.await?;
        queues.iter().for_each(|queue| self.hub.tell_of_room(queue));
        Ok(done)
    }
}

/// Tells everybody of a group that it came to nothing.
fn refuse<T, A>(group: Vec<Passenger<T, A>>, trouble: &Trouble) {
    for of in group {
        of.answer(Err(trouble.clone().into_error(DEADLINE)));
    }
}
