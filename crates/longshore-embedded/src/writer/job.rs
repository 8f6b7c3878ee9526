//! What can be asked of the writer.

use crate::error::Trouble;
use crate::messages::{Hand, Parcel, Place};
use crate::tasks::{Desk, Done, Taken};
use crate::workers;
use longshore_core::broker::{
    Envelope, GroupName, GroupStats, PublishError, Receipt, Settled, Topology, TopologyDiff, What,
};
use longshore_core::store::{
    Act, Carried, Claim, Condition, Ending, Extend, Fired, Firing, KnownKind, LeaseRef, LeaseState,
    Leased, MarkRef, Moved, Open, Opened, Outbox, Pruned, Recorded, Refused, Relay, Retention,
    Schedule, StoreError, Term,
};
use longshore_core::task::{Accepted, Idempotency};
use longshore_core::{NewTask, QueueName, TenantName, Timestamp, Valid, failpoint};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// How much a job needs of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Somebody is promised something: it has to be synced.
    Sync,
    /// May ride along: after a power cut it is as if it had not happened.
    Ride,
    /// Changes nothing.
    Look,
}

macro_rules! jobs {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $answer:ty, $needs:ident;)*) => {
        /// A request and where its answer goes.
        #[derive(Debug)]
        pub(crate) enum Job {
            $($(#[$doc])* $name { $($arg: $type,)* reply: Reply<$answer> },)*
        }

        /// An answer that waits for the commit.
        #[derive(Debug)]
        pub(super) enum Answer {
            $($name($answer),)*
        }

        impl Job {
            /// How much the job needs of the disk.
            pub(super) fn needs(&self) -> Needs {
                match self {
                    $(Self::$name { .. } => Needs::$needs,)*
                }
            }

            /// How much room it takes among those that wait.
            pub(super) fn weight(&self) -> usize {
                match self {
                    Self::Accept { tasks, .. } => tasks.len(),
                    Self::Act { acts, .. } => acts.len(),
                    Self::Record { ends, .. } => ends.len(),
                    Self::Fire { firings, .. } => firings.len(),
                    Self::Publish { parcels, .. } => parcels.len(),
                    _ => 1,
                }
            }

            /// Sends the answer; returns it if nobody waits for it any more. What was asked is let go before, so that
            /// whoever shares it is the last to hold it, and frees it on the thread that made it.
            pub(super) fn answer(self, answer: Answer) -> Option<Answer> {
                match (self, answer) {
                    $((Self::$name { reply, $($arg),* }, Answer::$name(answer)) => {
                        let _ = ($($arg,)*);
                        match reply.send(Ok(answer)) {
                            Ok(()) => None,
                            Err(Ok(answer)) => Some(Answer::$name(answer)),
                            Err(Err(_)) => None,
                        }
                    })*
                    (_, answer) => Some(answer),
                }
            }

            /// Sends an error.
            pub(crate) fn fail(self, error: StoreError) {
                match self {
                    // Whoever does not wait any more does not care.
                    $(Self::$name { reply, .. } => drop(reply.send(Err(error))),)*
                }
            }

            /// Whether nobody waits for the answer any more.
            pub(super) fn is_forgotten(&self) -> bool {
                match self {
                    $(Self::$name { reply, .. } => reply.is_closed(),)*
                }
            }
        }
    };
}

jobs! {
    Accept(tasks: Arc<Vec<Valid<NewTask>>>) -> SmallVec<[Result<Taken, Refused>; 1]>, Sync;
    Replay(tenant: TenantName, key: Idempotency) -> Option<Result<Accepted, Refused>>, Look;
    Act(acts: Vec<Act>) -> Vec<Result<Done, Refused>>, Sync;
    /// Goes on with a purge.
    Purge(act: Box<Act>, below: i64) -> Box<Done>, Sync;
    Claim(claim: Claim) -> Vec<Leased>, Ride;
    Open(want: Box<Open>) -> Vec<Opened>, Sync;
    Extend(leases: Vec<Extend>) -> Vec<LeaseState>, Ride;
    Record(ends: Vec<Ending>) -> Vec<Recorded>, Sync;
    /// Taken in before a round, which is synced then.
    GiveBack(leases: Vec<LeaseRef>) -> (), Look;
    MakeReady() -> Moved, Ride;
    Rescue() -> Moved, Sync;
    Expire() -> Moved, Sync;
    Prune(keep: Retention) -> Pruned, Ride;
    Outbox(want: Relay) -> Outbox, Look;
    /// Undone, it makes a double; so it need not be synced.
    Relayed(marks: Vec<MarkRef>) -> (), Ride;
    Carried(queue: QueueName) -> Vec<Carried>, Look;
    Lost(marks: Vec<MarkRef>) -> usize, Ride;
    PutSchedule(schedule: Box<Schedule>, before: Option<u64>) -> Box<Result<Schedule, Refused>>, Sync;
    RemoveSchedule(tenant: TenantName, id: uuid::Uuid) -> bool, Sync;
    DueSchedules(limit: usize) -> (Vec<Schedule>, Option<Timestamp>), Look;
    Fire(firings: Vec<Firing>) -> Vec<Fired>, Sync;
    Acquire(name: String, holder: String, lasts: Duration) -> Option<Term>, Sync;
    Renew(term: Term, lasts: Duration) -> bool, Ride;
    Know(kinds: Vec<KnownKind>) -> (), Sync;
    Publish(parcels: Vec<Parcel>) -> Vec<Result<Receipt, PublishError>>, Sync;
    Declare(topology: Box<Topology>, create: bool) -> TopologyDiff, Sync;
    Subscribe(what: Box<What>, hand: Arc<Hand>) -> bool, Ride;
    Settle(place: Place) -> Settled, Ride;
    Release(place: Place) -> Settled, Ride;
    /// Stores the next attempt, and forgets this one.
    Postpone(place: Place, after: Duration, headers: Option<String>) -> Settled, Sync;
    /// Stores a dead letter, and forgets what it was.
    Bury(place: Place, letter: Box<Envelope>) -> Option<Settled>, Sync;
    /// Gives deliveries back; also with none, to have it looked who has ended or goes on.
    Abandon(places: Vec<Place>, counts: bool) -> (), Look;
    Inspect(name: GroupName) -> Option<GroupStats>, Look;
    Condition() -> Condition, Look;
    Close() -> (), Sync;
}

impl Job {
    pub(super) fn is_close(&self) -> bool {
        matches!(self, Self::Close { .. })
    }
}

/// Applies one request inside the transaction. Claims, the condition and closing are the
/// round's own business.
pub(super) fn apply(desk: &mut Desk<'_>, job: &Job) -> Result<Option<Answer>, Trouble> {
    fn each<T, R>(
        items: &[T],
        mut one: impl FnMut(&T) -> Result<R, Trouble>,
    ) -> Result<Vec<R>, Trouble> {
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            all.push(one(item)?);
        }
        Ok(all)
    }
    let answer = match job {
        Job::Accept { tasks, .. } => {
            let mut accepted = SmallVec::with_capacity(tasks.len());
            for task in tasks.iter() {
                accepted.push(desk.take(task)?);
            }
            failpoint::pass("store.accept_applied")?;
            Answer::Accept(accepted)
        }
        Job::Replay { tenant, key, .. } => Answer::Replay(desk.replay(tenant, key)?),
        Job::Act { acts, .. } => Answer::Act(each(acts, |act| desk.act(act))?),
        Job::Purge { act, below, .. } => Answer::Purge(Box::new(desk.purge_on(act, *below)?)),
        Job::Open { want, .. } => {
            let opened = each(&want.ids, |id| desk.open_carried(*id, want))?;
            failpoint::pass("store.claim_applied")?;
            Answer::Open(opened)
        }
        Job::Extend { leases, .. } => Answer::Extend(each(leases, |lease| desk.extend(lease))?),
        Job::Record { ends, .. } => {
            let recorded = each(ends, |end| desk.record(end))?;
            failpoint::pass("store.record_applied")?;
            Answer::Record(recorded)
        }
        Job::MakeReady { .. } => {
            let moved = desk.make_ready()?;
            failpoint::pass("store.upkeep_applied")?;
            Answer::MakeReady(moved)
        }
        Job::Rescue { .. } => Answer::Rescue(desk.rescue()?),
        Job::Expire { .. } => Answer::Expire(desk.expire()?),
        Job::Prune { keep, .. } => Answer::Prune(desk.prune(keep)?),
        Job::Outbox { want, .. } => Answer::Outbox(desk.outbox(want)?),
        Job::Relayed { marks, .. } => {
            desk.relayed(marks)?;
            Answer::Relayed(())
        }
        Job::Carried { queue, .. } => Answer::Carried(desk.carried(queue)?),
        Job::Lost { marks, .. } => Answer::Lost(desk.lost(marks)?),
        Job::PutSchedule { schedule, before, .. } => {
            Answer::PutSchedule(Box::new(desk.put_schedule(schedule, *before)?))
        }
        Job::RemoveSchedule { tenant, id, .. } => {
            Answer::RemoveSchedule(desk.remove_schedule(tenant, *id)?)
        }
        Job::DueSchedules { limit, .. } => Answer::DueSchedules(desk.due_schedules(*limit)?),
        Job::Fire { firings, .. } => Answer::Fire(each(firings, |firing| desk.fire(firing))?),
        Job::Acquire { name, holder, lasts, .. } => {
            Answer::Acquire(desk.acquire(name, holder, *lasts)?)
        }
        Job::Renew { term, lasts, .. } => Answer::Renew(desk.renew(term, *lasts)),
        Job::Know { kinds, .. } => Answer::Know(workers::know(desk.db, kinds, desk.now)?),
        Job::Publish { parcels, .. } => {
            Answer::Publish(desk.log.publish(desk.db, desk.now, parcels)?)
        }
        Job::Declare { topology, create, .. } => {
            Answer::Declare(desk.log.declare(desk.db, topology, *create)?)
        }
        Job::Subscribe { what, hand, .. } => Answer::Subscribe(desk.log.join(desk.db, what, hand)?),
        Job::Settle { place, .. } => Answer::Settle(desk.log.ack(desk.db, *place)?),
        Job::Release { place, .. } => Answer::Release(desk.log.release(*place)?),
        Job::Postpone { place, after, headers, .. } => {
            let headers = headers.as_deref();
            Answer::Postpone(desk.log.postpone(desk.db, desk.now, *place, *after, headers)?)
        }
        Job::Bury { place, letter, .. } => {
            Answer::Bury(desk.log.bury(desk.db, desk.now, *place, letter)?)
        }
        // Taken in before the transaction.
        Job::Abandon { .. } => Answer::Abandon(()),
        Job::GiveBack { .. } => Answer::GiveBack(()),
        Job::Inspect { name, .. } => Answer::Inspect(desk.log.inspect(desk.db, desk.now, name)?),
        Job::Claim { .. } | Job::Condition { .. } | Job::Close { .. } => return Ok(None),
    };
    Ok(Some(answer))
}
