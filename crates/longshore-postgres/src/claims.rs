//! Handing out: a claim that finds nothing waits, and one whose caller has gone takes nothing.

use crate::engine::{DEADLINE, Engine, Phase, give_up, in_time, pause};
use crate::error::Trouble;
use crate::jobs::{RecordAll, SetAside};
use crate::tasks::{After, Columns, Locked, Marks, Taker, claim_want, note_claimed};
use futures_util::future::try_join;
use longshore_core::store::{Claim, Ending, Hold, Leased, StoreError, Want};
use longshore_core::{Verdict, failpoint};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The longest that a claim waits.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

type Answer = Result<Vec<Leased>, StoreError>;

/// A claim that is on its way. Dropped with an answer, it gives back what it was handed.
struct Pending {
    answer: oneshot::Receiver<Answer>,
    engine: Arc<Engine>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Ok(leased)) = self.answer.try_recv() {
            self.engine.give_back(leased);
        }
    }
}

impl Engine {
    /// Claims, and waits for work if there is none.
    pub(crate) async fn claim(self: &Arc<Self>, claim: Claim) -> Answer {
        let until = Instant::now() + claim.wait.min(LONGEST_WAIT);
        let claim = Arc::new(claim);
        let parked = self.hub.park(&claim);
        loop {
            let leased = self.claim_once(claim.clone()).await?;
            if !leased.is_empty() {
                return Ok(leased);
            }
            let rung = tokio::time::timeout_at(until, parked.bell.notified()).await;
            if self.is_closed() {
                return Err(StoreError::Closed);
            }
            if rung.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn claim_once(self: &Arc<Self>, claim: Arc<Claim>) -> Answer {
        let (mut reply, answer) = oneshot::channel();
        let mut pending = Pending { answer, engine: self.clone() };
        let _call = self.enter().await?;
        let engine = self.clone();
        self.handle.spawn(async move {
            let answer = engine.serve(&claim, &mut reply).await;
            let answer = answer.map_err(|trouble| trouble.into_error(DEADLINE));
            if let Err(Ok(leased)) = reply.send(answer) {
                engine.give_back(leased);
            }
        });
        (&mut pending.answer).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Gives back what was handed to somebody who is gone.
    fn give_back(self: &Arc<Self>, leased: Vec<Leased>) {
        if leased.is_empty() {
            return;
        }
        let release = |leased: Leased| {
            let (lease, verdict) = (leased.lease, Verdict::Release);
            Arc::new(Ending { lease, verdict, result: None, error: None, then: Vec::new() })
        };
        let ends = leased.into_iter().map(release).collect();
        let engine = self.clone();
        self.handle.spawn(async move {
            if let Err(error) = engine.perform(&RecordAll { ends }).await {
                // Then it is taken back when this process has ended, or the leases have.
                tracing::warn!(%error, "tasks that nobody waits for could not be given back");
            }
        });
    }

    /// Serves the wants of a claim, one after the other.
    async fn serve(
        &self,
        claim: &Claim,
        reply: &mut oneshot::Sender<Answer>,
    ) -> Result<Vec<Leased>, Trouble> {
        let mut leased = Vec::new();
        for want in claim.wants.iter().filter(|want| want.slots > 0 && want.limit != Some(0)) {
            let phase = Phase::default();
            match in_time(&phase, self.serve_want(&phase, claim, want, reply)).await {
                Ok(more) => leased.extend(more),
                Err(trouble) if leased.is_empty() => return Err(trouble),
                Err(trouble) => {
                    tracing::warn!(%trouble, "a claim was served in part");
                    break;
                }
            }
        }
        Ok(leased)
    }

    async fn serve_want(
        &self,
        phase: &Phase,
        claim: &Claim,
        want: &Want,
        reply: &mut oneshot::Sender<Answer>,
    ) -> Result<Vec<Leased>, Trouble> {
        let mut tries = 0;
        loop {
            match self.try_want(phase, claim, want, reply).await {
                Ok(Ok(leased)) => return Ok(leased),
                Ok(Err(damaged)) => self.attempt(&SetAside { seqs: damaged }).await?,
                Err(Trouble::Again(_)) if tries < 8 => {
                    tries += 1;
                    pause(tries).await;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// From when on a lease lasts that is given now: what is held for as long as this process lives is so since
    /// its last sign of life.
    fn held_since(&self, hold: Hold) -> std::time::Instant {
        match hold {
            Hold::Process | Hold::Beside => self.pulse.seen_alive(),
            Hold::Lease { .. } => std::time::Instant::now(),
        }
    }

    /// Hands out in one transaction; answers with places of damaged tasks instead if it finds any.
    async fn try_want(
        &self,
        phase: &Phase,
        claim: &Claim,
        want: &Want,
        reply: &mut oneshot::Sender<Answer>,
    ) -> Result<Result<Vec<Leased>, Vec<i64>>, Trouble> {
        let base = &self.base;
        let mut taker = Taker::new(want, claim.hold, &claim.worker, base.epoch());
        let _alone = if taker.runs_inside() && base.suspects() > 0 {
            taker.suspects = true;
            Some(self.isolation.lock().await)
        } else {
            None
        };
        let mut link = self.links.work().await?;
        link.soil();
        let slots = i64::try_from(want.slots).unwrap_or(i64::MAX);
        let (now, tick) = (base.clock.now(), base.clock.monotonic());
        let held_since = self.held_since(claim.hold);
        let begin = async { Ok(link.client().batch_execute("BEGIN").await?) };
        let rows = match want.limit {
            None => try_join(begin, claim_want(&link, &taker, slots, now)).await?.1,
            Some(limit) => {
                begin.await?;
                let number = Locked::Limit(&want.queue).number(&base.schema);
                link.query("SELECT pg_advisory_xact_lock($1)", &[&number]).await?;
                let room = i64::from(limit) - running(&link, want, limit).await?;
                match room.min(slots) {
                    room if room > 0 => claim_want(&link, &taker, room, now).await?,
                    _ => Vec::new(),
                }
            }
        };
        if rows.is_empty() {
            give_up(link).await;
            return Ok(Ok(Vec::new()));
        }
        let (mut marks, mut after) = (Marks::default(), After::default());
        let claimed = note_claimed(&rows, now, held_since, &mut marks, &mut after)?;
        let leased = match claimed {
            Ok(leased) if !reply.is_closed() => leased,
            other => {
                give_up(link).await;
                // Somebody else may have passed these over while they were locked.
                self.hub.ring(want.queue.as_str());
                return Ok(other.map(|_| Vec::new()));
            }
        };
        failpoint::pass("store.claim_applied")?;
        let columns = marks.take();
        let counted = link.prepared(Columns::INSERT).await?;
        phase.commits();
        let values = columns.values();
        let count = async { Ok(link.client().execute(&counted, &values).await?) };
        let commit = async {
            let done = link.client().batch_execute("COMMIT").await;
            done.map_err(|error| Trouble::of_commit(&error))
        };
        // A commit behind a statement that failed undoes everything.
        let (count, commit) = futures_util::future::join(count, commit).await;
        count.and(commit.map(|()| 0))?;
        link.cleanse();
        self.settle(after, tick);
        Ok(Ok(leased))
    }
}

/// How many tasks of the queue run, at most as many as matter.
async fn running(link: &crate::links::Link, want: &Want, limit: u32) -> Result<i64, Trouble> {
    let rows = link
        .query(
            "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE queue = $1 AND state = 2 LIMIT $2) AS running",
            &[&want.queue.as_str(), &i64::from(limit)],
        )
        .await?;
    Ok(rows.first().map_or(Ok(0), |row| row.try_get(0))?)
}
