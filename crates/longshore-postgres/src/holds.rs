//! What this process was handed to run itself, and what it was handed without knowing.
//!
//! A claim whose answer is lost may have been committed: then tasks are held by a process that does not
//! know it, for as long as it lives. So it knows what it was handed, and when a claim's outcome is
//! unknown, it asks what it holds and gives back the rest.
//!
//! The database has a line for each hand-out, by which others find what a dead process held. It is removed a little after
//! the last of it has ended.

use crate::ctid::Ctid;
use crate::engine::{Engine, Phase, in_time, unless_it_panics};
use crate::error::Trouble;
use crate::index::nothing_held;
use crate::jobs::RecordAll;
use crate::tasks::{HeldRows, Sort};
use longshore_core::store::{Ending, LeaseRef, Leased};
use longshore_core::task::Seq;
use longshore_core::{TaskId, Token};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{RwLock, RwLockReadGuard};

/// Between two attempts to ask what is held.
const PAUSE: Duration = Duration::from_secs(1);

/// The same once the store is closed, and for how long it is tried then.
const SHORT: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(5);

/// Before lines of which nothing is held any more are removed: others are until then.
const GATHER: Duration = Duration::from_secs(1);

/// What is held for as long as this process lives.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    ledger: Mutex<Ledger>,
    /// Hand-outs so far.
    number: AtomicI64,
    /// Held by claims until what they were handed is noted.
    claims: RwLock<()>,
    /// Something may be held without being known.
    suspected: AtomicBool,
    /// Somebody asks again and again until nothing is suspected any more.
    asks: AtomicBool,
    /// Held by whoever asks, until what was found is given back.
    asking: tokio::sync::Mutex<()>,
    /// Somebody removes lines already, or is about to.
    sweeps: AtomicBool,
}

/// A task that is held.
#[derive(Debug)]
struct Held {
    lease: LeaseRef,
    sort: Sort,
    /// Of its hand-out.
    line: i64,
    /// Its row, as far as is known.
    lies: Ctid,
}

#[derive(Debug, Default)]
struct Ledger {
    /// What is held, by token.
    tokens: HashMap<i64, Held>,
    /// How much of each line is held.
    lines: HashMap<i64, usize>,
    /// Lines of which nothing is held any more.
    over: Vec<i64>,
}

impl Ledger {
    fn remove(&mut self, token: i64) {
        let Some(Held { line, .. }) = self.tokens.remove(&token) else { return };
        if let Entry::Occupied(mut left) = self.lines.entry(line) {
            *left.get_mut() -= 1;
            if *left.get() == 0 {
                left.remove();
                self.over.push(line);
            }
        }
    }
}

impl Holds {
    /// Taken by a claim before it asks, and kept until what it was handed is noted.
    pub(crate) async fn claiming(&self) -> RwLockReadGuard<'_, ()> {
        self.claims.read().await
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for the line of a hand-out.
    pub(crate) fn number(&self) -> i64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes what was handed out to be held by this process, and where it lies. Its line stays for as long as any of it is held, and
    /// while there is something `unread` in it.
    pub(crate) fn note<'l>(
        &self,
        line: i64,
        handed: impl Iterator<Item = (&'l Leased, Ctid)>,
        unread: usize,
    ) {
        let mut ledger = self.lock();
        let mut held = unread;
        for (task, lies) in handed.filter(|(task, _)| task.expires_at.is_none()) {
            let entry = Held { lease: task.lease, sort: Sort::of_leased(task), line, lies };
            ledger.tokens.insert(task.lease.token.number(), entry);
            held += 1;
        }
        if held > 0 {
            ledger.lines.insert(line, held);
        }
    }

    /// Notes where the row of a task lies now, if it is held.
    pub(crate) fn moved(&self, token: i64, lies: Ctid) {
        if let Some(held) = self.lock().tokens.get_mut(&token) {
            held.lies = lies;
        }
    }

    /// What is known of the tasks that end, if this process holds all of them.
    pub(crate) fn rows(&self, epoch: i32, ends: &[&Ending]) -> Option<HeldRows> {
        let ledger = self.lock();
        let find = |end: &&Ending| {
            let held = ledger.tokens.get(&end.lease.token.number())?;
            (held.lease == end.lease).then_some(held)
        };
        let held: Vec<&Held> = ends.iter().map(find).collect::<Option<_>>()?;
        let of = &held.first()?.sort;
        let are_alike = held.iter().all(|held| held.sort == *of);
        Some(HeldRows {
            epoch,
            lie: held.iter().map(|held| held.lies).collect(),
            of: are_alike.then(|| of.clone()),
        })
    }

    /// Forgets what is held no more as far as this process knows, though the database may say that it is: that is a stray then, and
    /// its line stays.
    pub(crate) fn lose(&self, tokens: impl Iterator<Item = i64>) {
        let mut ledger = self.lock();
        for token in tokens {
            ledger.tokens.remove(&token);
        }
    }

    /// Whether to go on asking. Otherwise the next suspicion begins anew.
    fn is_to_be_asked(&self) -> bool {
        let is_suspected = || self.suspected.load(Ordering::SeqCst);
        if is_suspected() {
            return true;
        }
        self.asks.store(false, Ordering::SeqCst);
        // It may have come just now, and found somebody who asks.
        is_suspected() && !self.asks.swap(true, Ordering::SeqCst)
    }

    /// The lines of which nothing is held any more; if there are none, nobody removes them from now on.
    fn take_over(&self) -> Option<Vec<i64>> {
        let mut ledger = self.lock();
        if ledger.over.is_empty() {
            self.sweeps.store(false, Ordering::SeqCst);
            return None;
        }
        Some(std::mem::take(&mut ledger.over))
    }

    /// The lines of which something is held.
    fn lines(&self) -> Vec<i64> {
        let mut ledger = self.lock();
        let held: HashSet<i64> = ledger.tokens.values().map(|held| held.line).collect();
        ledger.lines.retain(|line, _| held.contains(line));
        held.into_iter().collect()
    }
}

impl Engine {
    /// Forgets what has ended, and removes its lines before long.
    pub(crate) fn forget_held(self: &Arc<Self>, tokens: impl Iterator<Item = i64>) {
        let mut ledger = self.holds.lock();
        tokens.for_each(|token| ledger.remove(token));
        if ledger.over.is_empty() || self.holds.sweeps.swap(true, Ordering::SeqCst) {
            return;
        }
        drop(ledger);
        let engine = self.clone();
        self.handle.spawn(async move {
            loop {
                tokio::time::sleep(GATHER).await;
                let Some(over) = engine.holds.take_over() else { break };
                if engine.is_closed() {
                    break; // what it signs off with goes at once
                }
                if let Err(trouble) = engine.remove_lines(&over).await {
                    tracing::debug!(%trouble, "lines of what was held are removed later");
                    engine.holds.lock().over.extend(over);
                }
            }
        });
    }

    async fn remove_lines(&self, over: &[i64]) -> Result<(), Trouble> {
        let link = self.links.work().await?;
        let sql = "DELETE FROM holds WHERE instance = $1 AND number = ANY($2)";
        link.query(sql, &[&self.base.epoch(), &over]).await.map(drop)
    }

    /// Asks, as soon as the database answers, what this process holds without knowing, and gives it back.
    pub(crate) fn suspect_strays(self: &Arc<Self>) {
        self.holds.suspected.store(true, Ordering::SeqCst);
        if self.holds.asks.swap(true, Ordering::SeqCst) {
            return;
        }
        let engine = self.clone();
        self.handle.spawn(async move {
            while engine.holds.is_to_be_asked() {
                tokio::time::sleep(PAUSE).await;
                if engine.is_closed() {
                    return; // whoever closes it asks
                }
                if let Err(trouble) = engine.give_back_strays().await {
                    tracing::debug!(%trouble, "cannot ask yet what is held");
                }
            }
        });
    }

    /// Gives back what this process may hold without knowing, before it signs off: others would take that for a death.
    pub(crate) async fn give_back_last_strays(&self) {
        let given_back = async {
            while let Err(trouble) = self.give_back_strays().await {
                tracing::debug!(%trouble, "cannot ask yet what is held");
                tokio::time::sleep(SHORT).await;
            }
        };
        if tokio::time::timeout(LAST, given_back).await.is_err() {
            tracing::warn!("what was claimed without an answer may be taken for a death");
        }
    }

    /// Gives back what is held without being known, if anything may be.
    async fn give_back_strays(&self) -> Result<(), Trouble> {
        let _asking = self.holds.asking.lock().await;
        if !self.holds.suspected.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let given_back = async {
            let strays = in_time(&Phase::default(), self.strays()).await?;
            if !strays.is_empty() {
                self.attempt(&RecordAll::release(&strays)).await?;
                let tasks = strays.len();
                tracing::warn!(tasks, "claimed without an answer, and given back");
            }
            in_time(&Phase::default(), self.remove_other_lines()).await
        };
        let given_back = unless_it_panics(given_back).await;
        given_back.inspect_err(|_| self.holds.suspected.store(true, Ordering::SeqCst))
    }

    /// Removes lines of which this process holds nothing, and the database says so, too: a claim may have come through since.
    async fn remove_other_lines(&self) -> Result<(), Trouble> {
        let _alone = self.holds.claims.write().await;
        let lines = self.holds.lines();
        let mut link = self.links.work().await?;
        link.soil();
        let sql = concat!(
            "DELETE FROM holds WHERE instance = $1 AND number <> ALL($2) AND ",
            nothing_held!()
        );
        link.query(sql, &[&self.base.epoch(), &lines]).await?;
        link.cleanse();
        Ok(())
    }

    async fn strays(&self) -> Result<Vec<LeaseRef>, Trouble> {
        // All claims that were under way are answered, and their tasks noted; the next ones wait.
        let _alone = self.holds.claims.write().await;
        let mut link = self.links.work().await?;
        link.soil();
        let held = "SELECT seq, id, token FROM held WHERE instance = $1 ORDER BY seq";
        let rows = link.query(held, &[&self.base.epoch()]).await?;
        link.cleanse();
        let ledger = self.holds.lock();
        let mut strays = Vec::new();
        for row in &rows {
            let token: i64 = row.try_get(2)?;
            if !ledger.tokens.contains_key(&token) {
                let (seq, id) = (Seq(row.try_get(0)?), TaskId(row.try_get(1)?));
                strays.push(LeaseRef { id, seq, token: Token::from_number(token) });
            }
        }
        Ok(strays)
    }
}
