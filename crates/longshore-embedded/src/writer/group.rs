//! One round of the writer: apply what waits, commit once, answer all.

use super::homeless::{self, Homeless};
use super::job::{Answer, Job, Needs, apply};
use super::parked::Parked;
use crate::error::Trouble;
use crate::names::NameId;
use crate::room::Room;
use crate::tasks::{Desk, Incoming};
use longshore_core::bucket::Bucket;
use longshore_core::store::{Condition, Opened, StoreError};
use longshore_core::{QueueName, failpoint};
use rustc_hash::FxHashMap as HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is tried to give back what is homeless once the store is closed.
const LAST_TRIES: u32 = 2;

/// The state that lives from round to round.
pub(super) struct Rounds<'c> {
    pub(super) desk: Desk<'c>,
    pub(super) parked: Vec<Parked>,
    pub(super) room: Room,
    path: PathBuf,
    pub(super) homeless: Homeless,
    /// Who asked to close.
    closes: Vec<Job>,
    /// Terms as they were before this round.
    terms: HashMap<String, (u64, Duration)>,
    /// How rates stood before the transaction that is under way.
    buckets: HashMap<NameId, Bucket>,
    synced: Option<bool>,
    /// Damaged tasks that were set aside since the start.
    set_aside: u64,
    never_sync: bool,
}

/// What one attempt at a transaction came to.
enum Attempted {
    Committed(Vec<Option<Answer>>),
    /// That one cannot be served.
    Spoiled(Culprit, Trouble),
    /// Nothing can be served.
    Broken(Trouble),
    /// The commit itself failed: nobody knows.
    Unknown(String),
}

/// Who cannot be served.
enum Culprit {
    Job(usize),
    Claim(usize),
    Homeless(usize),
}

/// Why a round failed, and whose fault it was if it was somebody's.
type Failure = (Option<Culprit>, Trouble);

impl<'c> Rounds<'c> {
    pub(super) fn new(desk: Desk<'c>, room: Room, path: PathBuf) -> Self {
        Self {
            path,
            desk,
            parked: Vec::new(),
            room,
            homeless: Homeless::new(homeless::SOON),
            closes: Vec::new(),
            terms: HashMap::default(),
            buckets: HashMap::default(),
            synced: None,
            set_aside: 0,
            never_sync: seeded_bug("skip_fsync"),
        }
    }

    /// Takes the queues in which something may be relayed that could not be before.
    pub(super) fn marked(&mut self) -> Vec<QueueName> {
        let marked = self.desk.memory.marked.drain();
        marked.filter_map(|queue| self.desk.names.queue(queue).ok()).collect()
    }

    /// Says why nothing can go on, and what to do.
    pub(super) fn last_words(&self, why: &str) -> Arc<str> {
        let path = self.path.display();
        format!(
            "{path}: {why}. What was answered is safe; what was not may be there or not. \
             Nothing more is written by this process: check the disk, then start again"
        )
        .into()
    }

    /// Runs one round over `jobs`. An error is final: the file cannot be trusted any more.
    pub(super) fn run(&mut self, mut jobs: Vec<Job>, log_bytes: u64) -> Result<(), String> {
        if self.room.is_short() && !self.room.recover() {
            jobs = refuse(
                jobs,
                |job| {
                    matches!(
                        job,
                        Job::Accept { .. }
                            | Job::Fire { .. }
                            | Job::PutSchedule { .. }
                            | Job::Publish { .. }
                    )
                },
                &StoreError::Full,
            );
        }
        let (claims, mut jobs): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| matches!(job, Job::Claim { .. }));
        self.parked.extend(claims.into_iter().map(Parked::new));
        self.parked.retain(|parked| !parked.is_forgotten());
        self.homeless.retry_due();
        self.take_in(&mut jobs);
        loop {
            let attempted = self.attempt(&jobs);
            if self.desk.is_to_be_repeated() {
                self.roll_back()?;
                continue;
            }
            match attempted {
                Attempted::Committed(answers) => {
                    self.desk.trust_again();
                    self.set_aside += self.desk.memory.set_aside;
                    self.answer(jobs, answers, log_bytes);
                    return Ok(());
                }
                Attempted::Spoiled(culprit, Trouble::Failed(why)) => {
                    self.roll_back()?;
                    match culprit {
                        Culprit::Job(place) => jobs.remove(place).fail(unserved(why)),
                        Culprit::Claim(place) => self.parked.remove(place).fail(unserved(why)),
                        Culprit::Homeless(place) => self.homeless.put_off(place, &why),
                    }
                }
                Attempted::Spoiled(_, trouble) | Attempted::Broken(trouble) => {
                    self.roll_back()?;
                    jobs = self.without(jobs, trouble)?;
                    if jobs.is_empty() {
                        return Ok(()); // what is homeless is given back in a later round
                    }
                }
                Attempted::Unknown(why) => {
                    for job in jobs {
                        job.fail(StoreError::Unknown { why: why.clone() });
                    }
                    return Err(why);
                }
            }
        }
    }

    /// Runs the last rounds. No task or message is handed out any more, and what was handed to somebody who had gone is given back: the
    /// next start would take it for a death. Who asked to close is answered at the [end](Self::end).
    pub(super) fn close(
        &mut self,
        jobs: impl Iterator<Item = Job>,
        log_bytes: u64,
    ) -> Result<(), String> {
        let (closes, jobs): (Vec<_>, Vec<_>) = jobs.partition(Job::is_close);
        self.closes = closes;
        for parked in self.parked.drain(..) {
            parked.fail(StoreError::Closed);
        }
        let hands_out = |job: &Job| matches!(job, Job::Claim { .. } | Job::Open { .. });
        self.run(refuse(jobs, hands_out, &StoreError::Closed), log_bytes)?;
        for _ in 0..LAST_TRIES {
            self.homeless.retry_all();
            if self.homeless.is_empty() {
                break;
            }
            self.run(Vec::new(), log_bytes)?;
        }
        self.homeless.lose_all();
        Ok(())
    }

    /// Answers those who asked to close, or everybody with the reason why nothing can go on.
    pub(super) fn end(self, ended: &Result<(), Arc<str>>) {
        let Err(why) = ended else {
            self.closes.into_iter().for_each(|job| drop(job.answer(Answer::Close(()))));
            return;
        };
        let error = StoreError::Fatal { why: why.clone() };
        self.closes.into_iter().for_each(|job| job.fail(error.clone()));
        self.parked.into_iter().for_each(|parked| parked.fail(error.clone()));
    }

    /// Takes in what was dropped, deliveries and leases. It is in memory alone, so that no round which fails keeps them.
    fn take_in(&mut self, jobs: &mut [Job]) {
        for job in jobs {
            match job {
                Job::Abandon { places, counts, .. } => self.desk.log.take_back(places, *counts),
                Job::GiveBack { leases, .. } => self.homeless.take(std::mem::take(leases)),
                _ => {}
            }
        }
        self.desk.log.let_go();
    }

    /// What can still be served after `trouble`.
    fn without(&mut self, jobs: Vec<Job>, trouble: Trouble) -> Result<Vec<Job>, String> {
        match trouble {
            Trouble::Full if !self.room.is_short() => {
                tracing::error!("no room on the disk: nothing is accepted until there is");
                self.room.give_up();
                let takes_in = |job: &Job| matches!(job, Job::Accept { .. } | Job::Publish { .. });
                Ok(refuse(jobs, takes_in, &StoreError::Full))
            }
            Trouble::Full => Ok(refuse(jobs, |_| true, &StoreError::Full)),
            Trouble::Failed(why) => {
                tracing::error!(%why, "a round could not be served");
                Ok(refuse(jobs, |_| true, &StoreError::Unavailable { why }))
            }
            Trouble::Fatal(why) => {
                let error = StoreError::Fatal { why: self.last_words(&why) };
                refuse(jobs, |_| true, &error);
                Err(why)
            }
        }
    }

    fn roll_back(&mut self) -> Result<(), String> {
        if !self.desk.db.is_autocommit() {
            // A failed transaction may have been rolled back already; then this one fails.
            let _ = self.desk.db.execute_batch("ROLLBACK");
        }
        self.desk.takers.clear();
        self.desk.memory.terms.clone_from(&self.terms);
        self.desk.memory.buckets.clone_from(&self.buckets);
        for parked in &mut self.parked {
            parked.forget();
        }
        self.desk.reload().map_err(|trouble| trouble.to_string())
    }

    /// Applies everything and commits.
    fn attempt(&mut self, jobs: &[Job]) -> Attempted {
        match self.apply_all(jobs) {
            Ok(answers) => match self.commit() {
                Ok(()) => Attempted::Committed(answers),
                Err(Trouble::Fatal(why)) => Attempted::Unknown(why),
                Err(trouble) => Attempted::Broken(trouble),
            },
            Err((Some(culprit), trouble)) => Attempted::Spoiled(culprit, trouble),
            Err((None, trouble)) => Attempted::Broken(trouble),
        }
    }

    fn commit(&mut self) -> Result<(), Trouble> {
        self.desk.memory.flush(self.desk.db)?;
        self.desk.log.flush(self.desk.db)?;
        failpoint::pass("store.before_commit")?;
        self.desk.db.prepare_cached("COMMIT")?.execute([])?;
        if let Err(injected) = failpoint::pass("store.committed") {
            return Err(Trouble::Fatal(injected.to_string()));
        }
        Ok(())
    }

    fn apply_all(&mut self, jobs: &[Job]) -> Result<Vec<Option<Answer>>, Failure> {
        let round = |trouble| (None, trouble);
        self.begin(jobs).map_err(round)?;
        let mut lent = Vec::with_capacity(self.parked.len());
        for (place, parked) in self.parked.iter_mut().enumerate() {
            let claim = |trouble| (Some(Culprit::Claim(place)), trouble);
            parked.prepare(&self.desk).map_err(claim)?;
            lent.push(parked.lend(&mut self.desk));
        }
        for (place, lease) in self.homeless.leases().enumerate() {
            let homeless = |trouble| (Some(Culprit::Homeless(place)), trouble);
            self.desk.give_back(lease).map_err(homeless)?;
        }
        self.desk.incoming = incoming(jobs);
        let mut answers = Vec::with_capacity(jobs.len());
        for (place, job) in jobs.iter().enumerate() {
            // Accepts look only where they write what waits before; others may look anywhere.
            if !matches!(job, Job::Accept { .. }) {
                self.desk.write_fresh().map_err(round)?;
            }
            answers.push(
                apply(&mut self.desk, job)
                    .map_err(|trouble| (Some(Culprit::Job(place)), trouble))?,
            );
        }
        self.desk.write_fresh().map_err(round)?;
        let mut takers = std::mem::take(&mut self.desk.takers).into_iter();
        let mut before = 0;
        for (parked, until) in self.parked.iter_mut().zip(lent) {
            parked.take_back(takers.by_ref().take(until - before));
            before = until;
        }
        for (place, parked) in self.parked.iter_mut().enumerate() {
            let claim = |trouble| (Some(Culprit::Claim(place)), trouble);
            parked.serve(&mut self.desk).map_err(claim)?;
        }
        if self.closes.is_empty() {
            self.desk.log.serve(self.desk.db, self.desk.now).map_err(round)?;
        }
        if !self.parked.is_empty() {
            failpoint::pass("store.claim_applied").map_err(|injected| (None, injected.into()))?;
        }
        Ok(answers)
    }

    /// Begins the transaction. Whether it syncs is chosen before.
    fn begin(&mut self, jobs: &[Job]) -> Result<(), Trouble> {
        failpoint::pass("store.before_begin")?;
        let closing = !self.closes.is_empty();
        let sync = closing
            || !self.homeless.is_empty()
            || jobs.iter().any(|job| job.needs() == Needs::Sync);
        let sync = sync && !self.never_sync;
        if self.synced != Some(sync) {
            let sql =
                if sync { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
            self.desk.db.execute_batch(sql)?;
            self.synced = Some(sync);
        }
        self.desk.db.prepare_cached("BEGIN")?.execute([])?;
        self.desk.begin();
        self.terms.clone_from(&self.desk.memory.terms);
        self.buckets.clone_from(&self.desk.memory.buckets);
        Ok(())
    }

    fn answer(&mut self, jobs: Vec<Job>, answers: Vec<Option<Answer>>, log_bytes: u64) {
        self.homeless.given_back();
        self.set_aside += self.desk.log.committed();
        for (job, answer) in jobs.into_iter().zip(answers) {
            let answer = answer.or_else(|| self.own_answer(&job, log_bytes));
            if let Some(answer) = answer {
                // Whoever does not wait any more will ask again, and holds nothing meanwhile.
                if let Some(Answer::Open(opened)) = job.answer(answer) {
                    self.homeless.take(opened.iter().filter_map(Opened::lease));
                }
            }
        }
        let now = Instant::now();
        let (over, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.parked).into_iter().partition(|parked| parked.is_over(now));
        self.parked = waiting;
        for parked in over {
            self.homeless.take(parked.answer());
        }
    }

    fn own_answer(&self, job: &Job, log_bytes: u64) -> Option<Answer> {
        match job {
            Job::Condition { .. } => {
                let used_bytes = self.desk.used_bytes().unwrap_or(0);
                let full = self.room.is_short();
                Some(Answer::Condition(Condition {
                    used_bytes,
                    log_bytes,
                    full,
                    set_aside: self.set_aside,
                }))
            }
            _ => None,
        }
    }
}

/// What is answered to somebody who cannot be served.
fn unserved(why: String) -> StoreError {
    tracing::error!(%why, "a request could not be served");
    StoreError::Unavailable { why }
}

/// What the jobs may bring in.
fn incoming(jobs: &[Job]) -> Incoming {
    let mut incoming = Incoming::default();
    for job in jobs {
        match job {
            Job::Accept { tasks, .. } => tasks.iter().for_each(|task| incoming.add(task)),
            Job::Record { ends, .. } => {
                ends.iter().flat_map(|end| &end.then).for_each(|task| incoming.add(task));
            }
            Job::Fire { firings, .. } => {
                firings.iter().flat_map(|firing| &firing.task).for_each(|task| incoming.add(task));
            }
            _ => {}
        }
    }
    incoming
}

/// Fails the jobs that `which` picks; returns the others.
fn refuse(jobs: Vec<Job>, which: impl Fn(&Job) -> bool, error: &StoreError) -> Vec<Job> {
    let (refused, served): (Vec<_>, Vec<_>) = jobs.into_iter().partition(which);
    for job in refused {
        job.fail(error.clone());
    }
    served
}

/// A bug that a test has asked for, to see that it is caught.
fn seeded_bug(name: &str) -> bool {
    cfg!(feature = "faults") && std::env::var("LONGSHORE_SEEDED_BUG").is_ok_and(|bug| bug == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::{self, Options};
    use crate::writer::thread::recover;
    use longshore_core::store::{Claim, Hold, Leased, Open, Want};
    use longshore_core::{KindName, NewTask, State, TaskId, Valid};
    use rusqlite::Connection;
    use tokio::sync::oneshot::{self, Receiver};

    fn kind() -> KindName {
        KindName::new("job").unwrap()
    }

    /// Runs `test` with the rounds of a new store, which has so many tasks.
    fn with_tasks(count: usize, test: impl FnOnce(Rounds<'_>, &Connection, Vec<TaskId>)) {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { reserve: 1 << 20, ..Options::new(folder.path()) };
        let open::Opened { db, path, names, room, boot, .. } = open::open(&options).unwrap();
        let mut desk = Desk::new(&db, names, options.clock).unwrap();
        recover(&mut desk, boot).unwrap();
        let mut rounds = Rounds::new(desk, room, path);
        let tasks: Vec<_> = (0..count).map(|_| Valid::vouch(NewTask::new(kind()))).collect();
        let ids = tasks.iter().map(|task| task.id).collect();
        let accept = Job::Accept { tasks: tasks.into(), reply: oneshot::channel().0 };
        rounds.run(vec![accept], 0).unwrap();
        test(rounds, &db, ids);
    }

    type Answered = Receiver<Result<Vec<Leased>, StoreError>>;

    fn claim(slots: usize) -> (Job, Answered) {
        let queue = QueueName::default();
        let kinds = [kind()].into();
        let outside = [].into();
        let want = Want { queue, tenant: None, kinds, outside, slots, limit: None, rate: None };
        let (worker, hold, wait) = ("worker".into(), Hold::Process, Duration::from_secs(20));
        let (reply, answer) = oneshot::channel();
        (Job::Claim { claim: Claim { worker, hold, wants: vec![want], wait }, reply }, answer)
    }

    /// How many tasks are in this state.
    fn count(db: &Connection, state: State) -> i64 {
        let sql = "SELECT count(*) FROM tasks WHERE state = ?1";
        db.query_row(sql, [state as u8], |row| row.get(0)).unwrap()
    }

    /// Runs rounds for as long as something is to be given back, as if it were due each time.
    fn give_back_all(rounds: &mut Rounds<'_>) {
        while rounds.homeless.patience().is_some() {
            rounds.homeless.retry_all();
            rounds.run(Vec::new(), 0).unwrap();
        }
    }

    #[test]
    fn whoever_asks_with_the_close_is_handed_nothing() {
        with_tasks(2, |mut rounds, db, ids| {
            let (claim, mut claimed) = claim(1);
            let (queue, worker) = (QueueName::default(), "worker".into());
            let want = Open { ids, queue, worker, hold: Hold::Process, limit: None, rate: None };
            let (reply, mut opened) = oneshot::channel();
            let open = Job::Open { want: Box::new(want), reply };
            let (reply, mut closed) = oneshot::channel();
            let close = Job::Close { reply };
            rounds.close([claim, open, close].into_iter(), 0).unwrap();
            assert!(matches!(claimed.try_recv().unwrap(), Err(StoreError::Closed)));
            assert!(matches!(opened.try_recv().unwrap(), Err(StoreError::Closed)));
            assert_eq!(count(db, State::Pending), 2);
            closed.try_recv().expect_err("it is answered at the end");
            rounds.end(&Ok(()));
            closed.try_recv().unwrap().unwrap();
        });
    }

    #[test]
    fn what_cannot_be_given_back_is_tried_again_and_holds_nothing_up() {
        with_tasks(3, |mut rounds, db, ids| {
            let (job, mut claimed) = claim(3);
            rounds.run(vec![job], 0).unwrap();
            let held = claimed.try_recv().unwrap().unwrap();
            let leases: Vec<_> = held.iter().map(|leased| leased.lease).collect();
            // Whatever the machine does meanwhile, the one that is stuck is not due again.
            rounds.homeless = Homeless::new(Duration::from_secs(3_600));
            let stuck = leases.iter().find(|lease| lease.id == ids[1]).unwrap().seq.0;
            db.execute_batch(&format!(
                "CREATE TRIGGER stuck BEFORE UPDATE ON tasks WHEN old.seq = {stuck}
                 BEGIN SELECT RAISE(ABORT, 'stuck'); END"
            ))
            .unwrap();
            rounds.run(vec![Job::GiveBack { leases, reply: oneshot::channel().0 }], 0).unwrap();
            assert_eq!(count(db, State::Running), 3, "they are one transaction");
            rounds.run(Vec::new(), 0).unwrap();
            assert_eq!((count(db, State::Pending), count(db, State::Running)), (2, 1));
            db.execute_batch("DROP TRIGGER stuck").unwrap();
            give_back_all(&mut rounds);
            assert_eq!(count(db, State::Pending), 3);
        });
    }
}
