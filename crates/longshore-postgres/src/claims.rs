//! Handing out: a claim that finds nothing waits, and one whose caller has gone takes nothing.

use crate::bounds::{Bound, SPEND, begin};
use crate::engine::{DEADLINE, Engine, Phase, give_up, in_time, pause};
use crate::error::Trouble;
use crate::jobs::{RecordAll, SetAside};
use crate::lines::Look;
use crate::tasks::{After, Columns, Marks, Taker, claim_want, lowest, note_claimed};
use futures_util::future::try_join;
use longshore_core::store::{Claim, Ending, Leased, StoreError, Want};
use longshore_core::{QueueName, Verdict, failpoint};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

/// A claim that waits for longer need not look first where another one looked in vain: whatever comes rings, and what
/// does not ring is found by a [look](crate::signal) that comes sooner.
const PATIENT: Duration = Duration::from_secs(5);
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
        let mut looks = claim.wait < PATIENT || !self.hub.is_vain(&claim);
        loop {
            if std::mem::replace(&mut looks, true) {
                parked.begin();
                let rings = self.hub.rings();
                let leased = self.claim_once(claim.clone()).await?;
                let taken =
                    |queue: &QueueName| leased.iter().filter(|task| task.queue == *queue).count();
                let is_full = |want: &Want| taken(&want.queue) >= want.slots.max(1);
                if !claim.wants.iter().any(is_full) {
                    parked.end();
                }
                if !leased.is_empty() {
                    return Ok(leased); // and if it took all it could, the next one is called
                }
                if self.gate(&claim).is_none() {
                    self.hub.note_vain(&claim, rings);
                }
            }
            let look = self.gate(&claim).map_or(until, |gate| until.min(Instant::now() + gate));
            let rung = tokio::time::timeout_at(look, parked.bell.notified()).await;
            if self.is_closed() {
                return Err(StoreError::Closed);
            }
            if rung.is_err() && Instant::now() >= until {
                return Ok(Vec::new());
            }
        }
    }

    /// While a rate lets none go, nobody here need ask.
    fn shut_gate(&self, want: &Want, bound: Option<&Bound>, tick: Duration) {
        if let Some((rate, wait)) = bound.and_then(Bound::wait) {
            self.gates.shut(&want.queue, rate, tick.saturating_add(wait));
        }
    }

    /// How long until a rate lets something of this claim go, if there is one that does not now.
    fn gate(&self, claim: &Claim) -> Option<Duration> {
        let tick = self.base.clock.monotonic();
        let shut = claim.wants.iter().filter_map(|want| self.gates.shut_until(want, tick)).min();
        shut.map(|until| until.saturating_sub(tick))
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
                    self.hub.ring(want.queue.as_str()); // for whoever can do better
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
        let _turn = match want.rate {
            Some(_) => Some(self.gates.turn(&want.queue).await),
            None => None,
        };
        loop {
            if self.gates.shut_until(want, self.base.clock.monotonic()).is_some() {
                return Ok(Vec::new());
            }
            let tried = self.try_want(phase, claim, want, reply).await;
            if tried.is_err() {
                // What it had locked may have been passed over by others.
                self.hub.lines.doubt(want.queue.as_str());
            }
            match tried {
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
        let look = self.hub.lines.look(&taker.queue, &taker.kinds);
        if matches!(&look, Look::At(lines) if lines.is_empty()) {
            return Ok(Ok(Vec::new()));
        }
        let mut link = self.links.work().await?;
        link.soil();
        let asked = Instant::now();
        let slots = i64::try_from(want.slots).unwrap_or(i64::MAX);
        let (now, tick) = (base.clock.now(), base.clock.monotonic());
        let mut bound = match (want.limit, want.rate) {
            (None, None) => None,
            _ => Some(Bound::look(&link, want, base, now).await?),
        };
        let found = match &bound {
            None => {
                Some(try_join(begin(&link), claim_want(&link, &taker, slots, now, &look)).await?.1)
            }
            Some(bound) => match bound.room(slots) {
                room if room > 0 => Some(claim_want(&link, &taker, room, now, &look).await?),
                _ => None,
            },
        };
        let (queue, kinds) = (&taker.queue, &taker.kinds);
        let rows = match (found, &look) {
            (None, Look::At(_)) => Vec::new(),
            (None, Look::All(_)) => {
                self.hub.lines.doubt(queue); // nobody has looked
                Vec::new()
            }
            (Some(found), Look::At(_)) => found.rows,
            (Some(found), Look::All(number)) => {
                self.hub.lines.seen(queue, kinds, *number, found.lines, asked.elapsed());
                found.rows
            }
        };
        if rows.is_empty() {
            self.shut_gate(want, bound.as_ref(), tick);
            give_up(link).await;
            return Ok(Ok(Vec::new()));
        }
        let (mut marks, mut after) = (Marks::default(), After::default());
        let claimed = note_claimed(&rows, now, &mut marks, &mut after)?;
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
        if let Some(bound) = &mut bound {
            bound.take(leased.len());
        }
        let spent = match bound.as_ref().and_then(Bound::spent) {
            Some(until) => Some((link.prepared(SPEND).await?, until)),
            None => None,
        };
        phase.commits();
        let values = columns.values();
        let spend = async {
            match &spent {
                Some((spend, until)) => {
                    let values: [&(dyn ToSql + Sync); 2] = [&want.queue.as_str(), until];
                    Ok(link.client().execute(spend, &values).await?)
                }
                None => Ok(0),
            }
        };
        let count = async { Ok(link.client().execute(&counted, &values).await?) };
        let commit = async {
            let done = link.client().batch_execute("COMMIT").await;
            done.map_err(|error| Trouble::of_commit(&error))
        };
        // Sent together, in this order. A commit behind a statement that failed undoes everything.
        let (spend, count, commit) = futures_util::future::join3(spend, count, commit).await;
        spend.and(count).and(commit.map(|()| 0))?;
        link.cleanse();
        if let Look::At(lines) = &look {
            let lowest = lowest(&rows)?;
            for (line, start) in lines {
                if let Some(rank) = lowest.get(line) {
                    self.hub.lines.served(queue, kinds, line, *start, *rank);
                }
            }
        }
        self.shut_gate(want, bound.as_ref(), tick);
        self.settle(after, tick);
        Ok(Ok(leased))
    }
}
