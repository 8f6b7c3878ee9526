//! What this process was handed to run itself, and what it was handed without knowing.
//!
//! A claim whose answer is lost may have been committed: then tasks are held by a process that does not
//! know it, for as long as it lives. So it knows what it was handed, and when a claim's outcome is
//! unknown, it asks what it holds and gives back the rest.

use crate::engine::Engine;
use crate::error::Trouble;
use crate::jobs::RecordAll;
use crate::tasks::{Marks, Sort};
use longshore_core::store::{Ending, LeaseRef, Leased};
use longshore_core::task::Seq;
use longshore_core::{State, TaskId, Token};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{RwLock, RwLockReadGuard};

/// Between two attempts to ask what is held.
const PAUSE: Duration = Duration::from_secs(1);

/// What is held for as long as this process lives.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    tokens: Mutex<HashMap<i64, Sort>>,
    /// Held by claims until what they were handed is noted.
    claims: RwLock<()>,
    /// Somebody asks already, or is about to.
    asks: AtomicBool,
}

impl Holds {
    /// Taken by a claim before it asks, and kept until what it was handed is noted.
    pub(crate) async fn claiming(&self) -> RwLockReadGuard<'_, ()> {
        self.claims.read().await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Sort>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what was handed out to be held by this process.
    pub(crate) fn note(&self, leased: &[Leased]) {
        let held = leased.iter().filter(|task| task.expires_at.is_none());
        self.lock().extend(held.map(|task| (task.lease.token.number(), Sort::of_leased(task))));
    }

    /// What ends change of the counters, if this process holds all of these tasks and they succeed.
    pub(crate) fn successes(&self, ends: &[&Ending]) -> Option<Marks> {
        let held = self.lock();
        let sort_of = |end: &&Ending| held.get(&end.lease.token.number());
        let mut marks = Marks::default();
        for run in ends.chunk_by(|a, b| sort_of(a) == sort_of(b)) {
            let sort = sort_of(&run[0])?;
            let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            let results = run.iter().filter_map(|end| end.result.as_ref());
            let bytes = results.map(|result| result.as_bytes().len()).sum();
            marks.count(sort, State::Running as u8, -signed(run.len()));
            marks.count(sort, State::Success as u8, signed(run.len()));
            marks.weigh(sort, State::Success as u8, signed(bytes));
        }
        Some(marks)
    }

    /// Forgets what has ended.
    pub(crate) fn forget(&self, tokens: impl Iterator<Item = i64>) {
        let mut all = self.lock();
        for token in tokens {
            all.remove(&token);
        }
    }
}

impl Engine {
    /// Asks, as soon as the database answers, what this process holds without knowing, and gives it back.
    pub(crate) fn suspect_strays(self: &Arc<Self>) {
        if self.holds.asks.swap(true, Ordering::SeqCst) {
            return;
        }
        let engine = self.clone();
        self.handle.spawn(async move {
            while !engine.is_closed() {
                tokio::time::sleep(PAUSE).await;
                match engine.give_back_strays().await {
                    Ok(0) => break,
                    Ok(count) => {
                        tracing::warn!(tasks = count, "claimed without an answer, and given back");
                        break;
                    }
                    Err(trouble) => tracing::debug!(%trouble, "cannot ask yet what is held"),
                }
            }
        });
    }

    async fn give_back_strays(&self) -> Result<usize, Trouble> {
        // All claims that were under way are answered, and their tasks noted; the next ones wait.
        let alone = self.holds.claims.write().await;
        self.holds.asks.store(false, Ordering::SeqCst);
        let strays = self.strays().await;
        if strays.is_err() {
            self.holds.asks.store(true, Ordering::SeqCst);
        }
        drop(alone);
        let strays = strays?;
        let count = strays.len();
        if count > 0 {
            let given = self.attempt(&RecordAll::release(&strays)).await;
            if given.is_err() {
                self.holds.asks.store(true, Ordering::SeqCst);
            }
            given?;
        }
        Ok(count)
    }

    async fn strays(&self) -> Result<Vec<LeaseRef>, Trouble> {
        let link = self.links.work().await?;
        let held =
            "SELECT seq, id, token FROM tasks WHERE state = 2 AND instance = $1 ORDER BY seq";
        let rows = link.query(held, &[&self.base.epoch()]).await?;
        let known = self.holds.lock();
        let mut strays = Vec::new();
        for row in &rows {
            let token: i64 = row.try_get(2)?;
            if !known.contains_key(&token) {
                let (seq, id) = (Seq(row.try_get(0)?), TaskId(row.try_get(1)?));
                strays.push(LeaseRef { id, seq, token: Token::from_number(token) });
            }
        }
        Ok(strays)
    }
}
