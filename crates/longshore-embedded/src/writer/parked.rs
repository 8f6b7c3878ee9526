//! Claims that wait for work.

use super::job::{Answer, Job};
use crate::error::Trouble;
use crate::store::LONGEST_WAIT;
use crate::tasks::{Desk, Taker};
use longshore_core::KindName;
use longshore_core::store::{Claim, LeaseRef};
use std::time::{Duration, Instant};

/// A claim that is not answered yet. `job` is always a [`Job::Claim`].
#[derive(Debug)]
pub(super) struct Parked {
    job: Job,
    until: Instant,
    /// When a rate lets it have something, as long as nothing else happens.
    look: Option<Instant>,
    takers: Vec<Taker>,
}

impl Parked {
    pub(super) fn new(job: Job) -> Self {
        let wait = match &job {
            Job::Claim { claim, .. } => claim.wait.min(LONGEST_WAIT),
            _ => Duration::ZERO,
        };
        Self { job, until: Instant::now() + wait, look: None, takers: Vec::new() }
    }

    fn claim(&self) -> Option<&Claim> {
        match &self.job {
            Job::Claim { claim, .. } => Some(claim),
            _ => None,
        }
    }

    /// Looks up the numbers of what is wanted; a kind that was never seen has none, and gets one
    /// so that its first task finds this claim.
    pub(super) fn prepare(&mut self, desk: &Desk<'_>) -> Result<(), Trouble> {
        if !self.takers.is_empty() {
            return Ok(());
        }
        let Some(claim) = self.claim() else { return Ok(()) };
        let id = |name: &str| desk.names.intern(desk.db, name);
        let worker = id(&claim.worker)?;
        let mut takers = Vec::with_capacity(claim.wants.len());
        for want in &claim.wants {
            let ids = |kinds: &[KindName]| -> rusqlite::Result<Vec<_>> {
                kinds.iter().map(|kind| id(kind.as_str())).collect()
            };
            takers.push(Taker {
                queue: id(want.queue.as_str())?,
                tenant: want.tenant.as_ref().map(|tenant| id(tenant.as_str())).transpose()?,
                kinds: ids(&want.kinds)?,
                outside: ids(&want.outside)?,
                left: want.slots,
                limit: want.limit.map(|limit| limit as usize),
                rate: want.rate,
                worker,
                hold: claim.hold,
                given: Vec::new(),
            });
        }
        self.takers = takers;
        Ok(())
    }

    /// Serves what is ready.
    pub(super) fn serve(&mut self, desk: &mut Desk<'_>) -> Result<(), Trouble> {
        for taker in &mut self.takers {
            desk.serve(taker)?;
        }
        let wait = self.takers.iter().filter_map(|taker| desk.wait_of(taker)).min();
        self.look = wait.map(|wait| Instant::now() + wait);
        Ok(())
    }

    /// Lends the takers to the desk, so that what is accepted can be handed over at once.
    pub(super) fn lend(&mut self, desk: &mut Desk<'_>) -> usize {
        desk.takers.append(&mut self.takers);
        desk.takers.len()
    }

    pub(super) fn take_back(&mut self, takers: impl Iterator<Item = Taker>) {
        self.takers.extend(takers);
    }

    /// Forgets what a transaction that was rolled back had given.
    pub(super) fn forget(&mut self) {
        self.takers.clear();
    }

    /// When it has to be looked at again, if nothing happens before.
    pub(super) fn until(&self) -> Instant {
        self.look.map_or(self.until, |look| look.min(self.until))
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.job.is_forgotten()
    }

    /// Whether there is something to answer: work, or that the time is up.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.until || self.takers.iter().any(|taker| !taker.given.is_empty())
    }

    /// Answers. What was handed out to somebody who is gone by now is returned, to be given back.
    pub(super) fn answer(self) -> Vec<LeaseRef> {
        let given = self.takers.into_iter().flat_map(|taker| taker.given).collect();
        match self.job.answer(Answer::Claim(given)) {
            Some(Answer::Claim(given)) => given.into_iter().map(|leased| leased.lease).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn fail(self, error: longshore_core::store::StoreError) {
        self.job.fail(error);
    }
}
