//! What can be asked of a store, each as one transaction.

use crate::engine::Job;
use crate::error::Trouble;
use crate::index::nothing_held;
use crate::survey::Over;
use crate::tasks::{Desk, Done, OpenedRow, PruneCursor};
use async_trait::async_trait;
use longshore_core::failpoint;
use longshore_core::store::{
    Act, Ending, Extend, Fired, Firing, KnownKind, LeaseRef, LeaseState, MarkRef, Moved, Open,
    Pruned, Recorded, Refused, Retention, Schedule, SeenWorker, Term, Told, Worker,
};
use longshore_core::task::{Accepted, Idempotency};
use longshore_core::{NewTask, TenantName, Timestamp, Valid, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// Declares jobs: a struct, and what it does on a desk. `as ALONE`: one statement, which commits itself.
macro_rules! jobs {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* } -> $answer:ty $(as $alone:ident)? = |$job:ident, $desk:ident| $body:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }

        #[async_trait]
        impl Job for $name {
            type Answer = $answer;
            $(const $alone: bool = true;)?
            async fn apply(&self, $desk: &mut Desk<'_>) -> Result<$answer, Trouble> {
                let $job = self;
                $body
            }
        }
    )*};
}

jobs! {
    /// Accepts of several requests, each task judged by itself.
    AcceptAll { requests: Vec<Arc<Vec<Valid<NewTask>>>> } -> Vec<Vec<Result<Accepted, Refused>>> = |job, desk| {
        desk.lock_accepts(job.requests.iter().flat_map(|tasks| tasks.iter()).map(|task| &**task)).await?;
        let mut answers = Vec::with_capacity(job.requests.len());
        for tasks in &job.requests {
            let tasks: Vec<&NewTask> = tasks.iter().map(|task| &**task).collect();
            answers.push(desk.accept_all(&tasks).await?);
        }
        failpoint::pass("store.accept_applied")?;
        Ok(answers)
    };

    /// Ends, all or none of them.
    RecordAll { ends: Vec<Arc<Ending>> } -> Vec<Recorded> = |job, desk| {
        let all: Vec<&Ending> = job.ends.iter().map(|end| &**end).collect();
        let answers = desk.record_all(&all).await?;
        failpoint::pass("store.record_applied")?;
        Ok(answers)
    };

    /// Looks up what a key was answered with.
    Replay { tenant: TenantName, key: Idempotency } -> Option<Result<Accepted, Refused>> = |job, desk| {
        desk.replay(&job.tenant, &job.key).await
    };

    /// Acts, one after the other.
    Acts { acts: Vec<Act> } -> Vec<Result<Done, Refused>> = |job, desk| {
        let mut done = Vec::with_capacity(job.acts.len());
        for act in &job.acts {
            done.push(desk.act(act).await?);
        }
        Ok(done)
    };

    /// Goes on with a purge.
    PurgeOn { act: Act, below: i64 } -> Done = |job, desk| desk.purge_on(&job.act, job.below).await;

    /// Opens tasks that a broker carried.
    OpenAll { want: Open, line: i64 } -> Vec<OpenedRow> = |job, desk| {
        let opened = desk.open_all(&job.want, job.line).await?;
        failpoint::pass("store.claim_applied")?;
        Ok(opened)
    };

    /// Sets damaged tasks aside.
    SetAside { seqs: Vec<i64> } -> () = |job, desk| {
        for seq in &job.seqs {
            desk.set_aside(*seq).await?;
        }
        Ok(())
    };

    /// Heartbeats.
    Heartbeats { asked: Vec<Extend> } -> Vec<LeaseState> = |job, desk| desk.extend(&job.asked).await;

    /// Makes ready what is due.
    MakeReady {} -> Moved = |_job, desk| {
        let moved = desk.make_ready().await?;
        failpoint::pass("store.upkeep_applied")?;
        Ok(moved)
    };

    /// Takes back what was abandoned.
    Rescue { over: Vec<Over>, silent: Vec<(i32, i64)> } -> Moved = |job, desk| {
        desk.rescue(&job.over, &job.silent).await
    };

    /// Expires what was not started in time.
    Expire {} -> Moved = |_job, desk| desk.expire().await;

    /// Removes what was kept long enough. Answers how far it has come.
    Prune { keep: Retention, from: PruneCursor } -> (Pruned, PruneCursor) = |job, desk| {
        let mut cursor = job.from;
        let pruned = desk.prune(&job.keep, &mut cursor).await?;
        desk.forget_lost_workers().await?;
        Ok((pruned, cursor))
    };

    /// Folds the lines of the counters.
    FoldCounts {} -> () = |_job, desk| desk.fold_counts().await;

    /// Notes that a broker has these.
    Relayed { marks: Vec<MarkRef> } -> () = |job, desk| desk.relayed(&job.marks).await;

    /// Notes that a broker has lost these.
    Lost { marks: Vec<MarkRef> } -> usize = |job, desk| desk.lost(&job.marks).await;

    /// Takes an office.
    Acquire { name: String, holder: String, lasts: Duration } -> Option<Term> = |job, desk| {
        desk.acquire(&job.name, &job.holder, job.lasts).await
    };

    /// Stays in office.
    Renew { term: Term, lasts: Duration } -> bool = |job, desk| desk.renew(&job.term, job.lasts).await;

    /// Stays in office, if nobody can have taken it.
    RenewAtOnce { term: Term, lasts: Duration } -> bool as ALONE = |job, desk| {
        desk.renew_at_once(&job.term, job.lasts).await
    };

    /// Returns how many bytes are used.
    UsedBytes {} -> u64 as ALONE = |_job, desk| desk.used_bytes_by_a_write().await;

    /// Notes a worker.
    Announce { worker: Worker, kinds: Vec<KnownKind>, lasts: Duration } -> Told as ALONE = |job, desk| {
        desk.announce(&job.worker, &job.kinds, job.lasts).await
    };

    /// Takes a worker out of the register.
    Leave { id: String } -> () as ALONE = |job, desk| desk.leave(&job.id).await;

    /// Asks a worker to end.
    Drain { id: String } -> bool as ALONE = |job, desk| desk.drain(&job.id).await;

    /// Reads the register of workers.
    ReadWorkers {} -> Vec<SeenWorker> as ALONE = |_job, desk| desk.workers().await;

    /// Reads the kinds that are known.
    ReadKinds {} -> Vec<KnownKind> as ALONE = |_job, desk| desk.known_kinds().await;

    /// Writes a schedule.
    PutSchedule { schedule: Schedule, before: Option<u64> } -> Result<Schedule, Refused> = |job, desk| {
        desk.put_schedule(&job.schedule, job.before).await
    };

    /// Removes a schedule.
    RemoveSchedule { tenant: TenantName, id: uuid::Uuid } -> bool = |job, desk| {
        desk.remove_schedule(&job.tenant, job.id).await
    };

    /// Reads what is due.
    DueSchedules { limit: usize } -> (Vec<Schedule>, Option<Timestamp>) as ALONE = |job, desk| {
        desk.due_schedules(job.limit).await
    };

    /// Lets schedules fire.
    Fire { firings: Vec<Firing> } -> Vec<Fired> = |job, desk| desk.fire(&job.firings).await;

    /// Takes back what earlier openings under a name held; true if there is more.
    TakeOver { name: Option<String>, epoch: i32 } -> bool = |job, desk| {
        if let Some(name) = &job.name {
            desk.bury_namesakes(name, job.epoch).await?;
        }
        let more = desk.bury_the_dead(longshore_core::store::BATCH, &mut Vec::new()).await?;
        desk.look_at_terms().await?;
        Ok(more)
    };

    /// Signs this opening off, if it holds nothing any more.
    SignOff { epoch: i32 } -> () = |job, desk| {
        desk.execute(
            "DELETE FROM instances WHERE epoch = $1
               AND NOT EXISTS (SELECT 1 FROM held WHERE instance = $1)",
            &[&job.epoch],
        )
        .await?;
        desk.execute(
            concat!(
                "DELETE FROM holds WHERE instance = $1
                   AND NOT EXISTS (SELECT 1 FROM instances WHERE epoch = $1) AND ",
                nothing_held!()
            ),
            &[&job.epoch],
        )
        .await?;
        Ok(())
    };
}

impl RecordAll {
    /// Gives leases back, as if nothing had been begun.
    pub(crate) fn release(leases: &[LeaseRef]) -> Self {
        let release = |lease: &LeaseRef| {
            let (lease, verdict) = (*lease, Verdict::Release);
            Arc::new(Ending { lease, verdict, result: None, error: None, then: Vec::new() })
        };
        Self { ends: leases.iter().map(release).collect() }
    }
}
