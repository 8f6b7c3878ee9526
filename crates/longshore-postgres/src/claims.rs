//! Handing out: a claim that finds nothing waits, and one whose caller has gone takes nothing. What a broker carried is opened.

use crate::bounds::{Bound, SPEND};
use crate::engine::{Engine, Phase, give_up, in_time, pause, unless_it_panics};
use crate::error::Trouble;
use crate::handover::Caller;
use crate::jobs::{OpenAll, RecordAll, SetAside};
use crate::lines::Look;
use crate::links::Link;
use crate::tasks::{After, Claimed, OpenedRow, Taker, claim_want};
use longshore_core::store::{Claim, Hold, LeaseRef, Leased, Open, Opened, StoreError, Want};
use longshore_core::{QueueName, failpoint};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

/// A claim that waits for longer need not look first where another one looked in vain: whatever comes rings, and what
/// does not ring is found by a [look](crate::signal) that comes sooner.
const PATIENT: Duration = Duration::from_secs(5);
/// The longest that a claim waits.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

impl Engine {
    /// Claims, and waits for work if there is none.
    pub(crate) async fn claim(self: &Arc<Self>, claim: Claim) -> Result<Vec<Leased>, StoreError> {
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
    fn shut_gate(&self, want: &Want, bound: &Bound, tick: Duration) {
        if let Some((rate, wait)) = bound.wait() {
            self.gates.shut(&want.queue, rate, tick.saturating_add(wait));
        }
    }

    /// How long until a rate lets something of this claim go, if there is one that does not now.
    fn gate(&self, claim: &Claim) -> Option<Duration> {
        let tick = self.base.clock.monotonic();
        let shut = claim.wants.iter().filter_map(|want| self.gates.shut_until(want, tick)).min();
        shut.map(|until| until.saturating_sub(tick))
    }

    async fn claim_once(self: &Arc<Self>, claim: Arc<Claim>) -> Result<Vec<Leased>, StoreError> {
        let serve = |engine: Arc<Self>, caller| async move { engine.serve(&claim, &caller).await };
        self.hand_over(serve).await
    }

    /// Opens tasks that a broker carried.
    pub(crate) async fn open(self: &Arc<Self>, want: Open) -> Result<Vec<Opened>, StoreError> {
        let serve =
            |engine: Arc<Self>, caller| async move { engine.serve_open(want, &caller).await };
        self.hand_over(serve).await
    }

    async fn serve_open(
        self: &Arc<Self>,
        want: Open,
        caller: &Caller,
    ) -> Result<Vec<Opened>, Trouble> {
        let _claiming = self.holds.claiming().await; // before the other lock, as claims do
        let _alone = match want.hold {
            Hold::Process => Some(self.isolation.lock().await),
            Hold::Beside | Hold::Lease { .. } => None,
        };
        if self.is_in_vain(caller) {
            return Ok(Vec::new());
        }
        let line = self.holds.number();
        let opened = self.attempt(&OpenAll { want, line }).await;
        if let Ok(opened) = &opened {
            self.holds.note(line, opened.iter().filter_map(OpenedRow::handed), 0);
        }
        Ok(opened?.into_iter().map(|row| row.opened).collect())
    }

    /// Serves the wants of a claim, one after the other.
    async fn serve(
        self: &Arc<Self>,
        claim: &Claim,
        caller: &Caller,
    ) -> Result<Vec<Leased>, Trouble> {
        let mut leased = Vec::new();
        for want in claim.wants.iter().filter(|want| want.slots > 0 && want.limit != Some(0)) {
            if self.is_in_vain(caller) {
                break;
            }
            let phase = Phase::default();
            let _claiming = self.holds.claiming().await;
            let line = self.holds.number();
            let served = in_time(&phase, self.serve_want(&phase, claim, want, line, caller));
            match unless_it_panics(served).await {
                Ok(Claimed { handed, damaged }) => {
                    if !matches!(claim.hold, Hold::Lease { .. }) {
                        let handed = handed.iter().map(|handed| (&handed.task, handed.lies));
                        self.holds.note(line, handed, damaged.len());
                    }
                    if !damaged.is_empty() {
                        self.suspect_strays(); // what could not be set aside is given back
                    }
                    leased.extend(handed.into_iter().map(|handed| handed.task));
                }
                Err(trouble) => {
                    if phase.is_commit() && !trouble.is_definite() {
                        self.suspect_strays();
                    }
                    if leased.is_empty() {
                        return Err(trouble);
                    }
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
        line: i64,
        caller: &Caller,
    ) -> Result<Claimed, Trouble> {
        let mut tries = 0;
        let _turn = match want.rate {
            Some(_) => Some(self.gates.turn(&want.queue).await),
            None => None,
        };
        loop {
            if self.gates.shut_until(want, self.base.clock.monotonic()).is_some() {
                return Ok(Claimed::default());
            }
            let tried = self.try_want(phase, claim, want, line, caller).await;
            if tried.is_err() {
                // What it had locked may have been passed over by others.
                self.hub.lines.doubt(want.queue.as_str());
            }
            match tried {
                Ok(claimed) => {
                    if !claimed.damaged.is_empty() {
                        self.set_aside(&claimed.damaged).await;
                    }
                    return Ok(claimed);
                }
                Err(Trouble::Again(_)) if tries < 8 => {
                    tries += 1;
                    pause(tries).await;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Puts what has lost its payload among the dead letters. What that fails for is handed out again, and found again.
    async fn set_aside(&self, damaged: &[LeaseRef]) {
        let seqs = damaged.iter().map(|lease| lease.seq.0).collect();
        let aside = async {
            self.attempt(&RecordAll::release(damaged)).await?;
            self.attempt(&SetAside { seqs }).await
        };
        if let Err(trouble) = aside.await {
            tracing::warn!(%trouble, "damaged tasks could not be set aside yet");
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

    /// Hands out by one statement, or in a transaction with what bounds it.
    async fn try_want(
        &self,
        phase: &Phase,
        claim: &Claim,
        want: &Want,
        line: i64,
        caller: &Caller,
    ) -> Result<Claimed, Trouble> {
        let base = &self.base;
        let mut taker = Taker::new(want, claim.hold, &claim.worker, base.epoch(), line);
        let _alone = if taker.runs_inside() && base.suspects() > 0 {
            taker.suspects = true;
            Some(self.isolation.lock().await)
        } else {
            None
        };
        let look = self.hub.lines.look(&taker.queue, &taker.kinds);
        if matches!(&look, Look::At(lines) if lines.is_empty()) {
            return Ok(Claimed::default());
        }
        let mut link = self.links.work().await?;
        if self.is_in_vain(caller) {
            return Ok(Claimed::default());
        }
        link.soil();
        let asked = Instant::now();
        let slots = i64::try_from(want.slots).unwrap_or(i64::MAX);
        let (now, tick) = (base.clock.now(), base.clock.monotonic());
        let held_since = self.held_since(claim.hold);
        let mut bound = match (want.limit, want.rate) {
            (None, None) => None,
            _ => Some(Bound::look(&link, want, base, now).await?),
        };
        let mut found = match &bound {
            None => {
                phase.commits();
                Some(claim_want(&link, &taker, slots, now, &look, true).await?)
            }
            Some(bound) => match bound.room(slots) {
                room if room > 0 => Some(claim_want(&link, &taker, room, now, &look, false).await?),
                _ => None,
            },
        };
        let (queue, kinds) = (&taker.queue, &taker.kinds);
        match (&mut found, &look) {
            (None, Look::All(_)) => self.hub.lines.doubt(queue), // nobody has looked
            (Some(found), Look::All(number)) => {
                let lines = std::mem::take(&mut found.lines);
                self.hub.lines.seen(queue, kinds, *number, lines, asked.elapsed());
            }
            (_, Look::At(_)) => {}
        }
        let found = found.unwrap_or_default();
        let mut after = After::default();
        let claimed = found.read(now, held_since, &mut after)?;
        if let Some(bound) = &mut bound {
            if found.rows.is_empty() {
                self.shut_gate(want, bound, tick);
                give_up(link).await;
                return Ok(Claimed::default());
            }
            failpoint::pass("store.claim_applied")?;
            bound.take(claimed.handed.len());
            self.commit_bound(phase, &link, want, bound).await?;
            self.shut_gate(want, bound, tick);
        } else if !found.rows.is_empty() {
            let applied = failpoint::pass("store.claim_applied");
            applied.map_err(|injected| Trouble::Unknown(injected.to_string()))?; // committed already
        }
        link.cleanse();
        if let Look::At(lines) = &look {
            let lowest = found.lowest()?;
            for (line, start) in lines {
                if let Some(rank) = lowest.get(line) {
                    self.hub.lines.served(queue, kinds, line, *start, *rank);
                }
            }
        }
        self.settle(after, tick);
        Ok(claimed)
    }

    /// Notes what a rate has let go, and commits.
    async fn commit_bound(
        &self,
        phase: &Phase,
        link: &Link,
        want: &Want,
        bound: &Bound,
    ) -> Result<(), Trouble> {
        let spent = match bound.spent() {
            Some(until) => Some((link.prepared(SPEND).await?, until)),
            None => None,
        };
        phase.commits();
        let spend = async {
            match &spent {
                Some((spend, until)) => {
                    let values: [&(dyn ToSql + Sync); 2] = [&want.queue.as_str(), until];
                    link.client().execute(spend, &values).await.map(drop).map_err(Trouble::from)
                }
                None => Ok(()),
            }
        };
        let commit = async {
            let done = link.client().batch_execute("COMMIT").await;
            done.map_err(|error| Trouble::of_commit(&error))
        };
        // Sent together, in this order. A commit behind a statement that failed undoes everything.
        let (spend, commit) = futures_util::future::join(spend, commit).await;
        spend.and(commit)
    }
}
