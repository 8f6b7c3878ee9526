//! One opening of a task while its handler runs: what it was asked, and whether it still answers.

use crate::handler::{Call, Progress};
use crate::layers::{ENDING, allowed};
use crate::registry::{DEFAULT_GRACE, Kind};
use longshore_core::store::Leased;
use longshore_core::{Outcome, TaskId};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::task::{Context as Polling, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Its handler was not called.
const WAITING: u8 = 0;
/// Its handler was called.
const BEGUN: u8 = 1;
/// Its end was told, by itself or by whoever gave it up.
const OVER: u8 = 2;

/// Times are kept as nanoseconds since this.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How long a task that was fetched may wait for a slot and a thread.
pub(crate) const AHEAD: Duration = Duration::from_secs(2);

/// Why a handler is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Somebody cancelled the task.
    Cancel,
    /// The process stops: the task is given back.
    Release,
    /// The lease is lost: whatever it returns is refused.
    Lost,
}

/// One opening of a task.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) task: Arc<Leased>,
    /// The kind as it was when the task was handed out; a reload does not touch what runs.
    pub(crate) kind: Option<Arc<Kind>>,
    /// How long this attempt may take.
    pub(crate) allowed: Duration,
    fetched: Instant,
    /// When its lease was last held on.
    held: Mutex<Instant>,
    /// When its handler was called; before that it waits for its turn.
    began: OnceLock<Instant>,
    pub(crate) progress: Arc<Progress>,
    stop: CancellationToken,
    asked: Mutex<Option<(Asked, Instant)>>,
    /// Wakes whoever waits for the end of the grace when that has moved.
    moved: Notify,
    /// Since when the handler is inside its poll, plus one; zero while it waits for something.
    inside: AtomicU64,
    /// One of [`WAITING`], [`BEGUN`] and [`OVER`]; it only grows.
    phase: AtomicU8,
    complained: AtomicBool,
    /// Whether its slot counts as stuck.
    pub(super) stuck: AtomicBool,
    /// For how long the process had stood still when it began.
    lost_before: Duration,
    /// Goes to whoever tells its end.
    unrecorded: Mutex<Option<TaskTrackerToken>>,
}

impl Opening {
    /// Begins one; `lost` is for how long the process has stood still so far, `unrecorded` keeps a
    /// drain waiting until its end is recorded.
    pub(crate) fn new(
        task: Leased,
        kind: Option<Arc<Kind>>,
        lost: Duration,
        unrecorded: TaskTrackerToken,
    ) -> Arc<Self> {
        LazyLock::force(&BEGAN);
        let allowed = allowed(&task);
        let handed_out = task.handed_out;
        Arc::new(Self {
            task: Arc::new(task),
            kind,
            allowed,
            fetched: Instant::now(),
            held: Mutex::new(handed_out),
            began: OnceLock::new(),
            progress: Arc::default(),
            stop: CancellationToken::new(),
            asked: Mutex::default(),
            moved: Notify::new(),
            inside: AtomicU64::new(0),
            phase: AtomicU8::new(WAITING),
            complained: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            lost_before: lost,
            unrecorded: Mutex::new(Some(unrecorded)),
        })
    }

    /// Its turn has come; not if it was given up before.
    pub(crate) fn begin(&self) -> bool {
        let _ = self.began.set(Instant::now());
        let order = Ordering::AcqRel;
        self.phase.compare_exchange(WAITING, BEGUN, order, Ordering::Acquire).is_ok()
    }

    /// Gives it up, if it has not begun: the right to tell its end.
    pub(crate) fn withdraw(&self) -> Option<TaskTrackerToken> {
        let order = Ordering::AcqRel;
        let withdrawn = self.phase.compare_exchange(WAITING, OVER, order, Ordering::Acquire);
        withdrawn.ok().and_then(|_| self.token())
    }

    fn token(&self) -> Option<TaskTrackerToken> {
        self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Its lease was held on at that moment.
    pub(crate) fn held(&self, at: Instant) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Returns how long ago its lease was held on.
    pub(crate) fn held_for(&self) -> Duration {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Returns whether its handler was called.
    pub(crate) fn has_begun(&self) -> bool {
        self.began.get().is_some()
    }

    /// Returns for how long its handler has run.
    pub(crate) fn ran(&self) -> Duration {
        self.began.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    pub(crate) fn id(&self) -> TaskId {
        self.task.lease.id
    }

    /// Makes the call for the handler.
    pub(crate) fn call(&self) -> Call {
        // In a lane the layer of the time stops it too, and waits until it has.
        let stop = if self.task.in_lane { self.stop.child_token() } else { self.stop.clone() };
        let call = Call::new(self.task.clone(), self.allowed, stop, self.progress.clone());
        Call { grace: self.grace(), ..call }
    }

    /// Tells the handler to stop within `grace`. A later wish may shorten the time, never lengthen
    /// it; the first reason stays, but that a lost lease outdoes all.
    pub(crate) fn ask(&self, why: Asked, grace: Duration) {
        let until = Instant::now() + grace;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = Some(match *asked {
            Some((_, before)) if why == Asked::Lost => (why, before.min(until)),
            Some((first, before)) => (first, before.min(until)),
            None => (why, until),
        });
        drop(asked);
        self.stop.cancel();
        self.moved.notify_one();
    }

    /// Returns what was asked, and until when it has time.
    pub(crate) fn asked(&self) -> Option<(Asked, Instant)> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once the handler was told to stop.
    pub(crate) async fn told(&self) {
        self.stop.cancelled().await;
    }

    /// Returns once the grace of a handler that was told to stop is over. In a lane it has a moment
    /// more, for what it started may still be ending.
    pub(crate) async fn grace_over(&self) {
        let ending = if self.task.in_lane { ENDING } else { Duration::ZERO };
        while let Some((_, until)) = self.asked() {
            tokio::select! {
                () = tokio::time::sleep_until((until + ending).into()) => return,
                () = self.moved.notified() => {}
            }
        }
    }

    /// Returns the outcome of a handler that was told to stop and did not return in time.
    pub(crate) fn unfinished(&self) -> Outcome {
        match self.asked() {
            Some((Asked::Cancel, _)) => Outcome::Cancelled,
            _ => Outcome::Released,
        }
    }

    /// Returns how long its handler may go on once it was told to stop.
    pub(crate) fn grace(&self) -> Duration {
        self.kind.as_ref().map_or(DEFAULT_GRACE, |kind| kind.grace)
    }

    /// Returns when it is over at the latest; `lost` is for how long the process has stood still so
    /// far. One that has not begun is given back soon.
    pub(crate) fn deadline(&self, lost: Duration) -> Instant {
        let stalled = lost.saturating_sub(self.lost_before);
        let Some(began) = self.began.get() else { return self.fetched + AHEAD + stalled };
        let ending = if self.task.in_lane { self.grace() } else { Duration::ZERO };
        *began + self.allowed + ending + stalled
    }

    /// Returns whether nobody complained of it so far.
    pub(crate) fn first_complaint(&self) -> bool {
        !self.complained.swap(true, Ordering::Relaxed)
    }

    /// Claims the right to tell the end; only the first one gets it.
    pub(crate) fn end(&self) -> Option<TaskTrackerToken> {
        if self.phase.swap(OVER, Ordering::AcqRel) == OVER { None } else { self.token() }
    }

    /// Returns whether the end was told.
    pub(crate) fn is_over(&self) -> bool {
        self.phase.load(Ordering::Acquire) == OVER
    }

    /// Returns for how long the handler has been inside one poll.
    pub(crate) fn inside_for(&self) -> Option<Duration> {
        let since = self.inside.load(Ordering::Relaxed).checked_sub(1)?;
        Some(BEGAN.elapsed().saturating_sub(Duration::from_nanos(since)))
    }

    /// Notes when `future` goes in and out of its polls; answers nothing once it was given up, and
    /// does not poll it any more.
    pub(crate) fn watched<F: Future>(self: &Arc<Self>, future: F) -> Watched<F> {
        Watched { opening: self.clone(), future: Box::pin(future) }
    }
}

/// See [`Opening::watched`].
pub(crate) struct Watched<F> {
    opening: Arc<Opening>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, polling: &mut Polling<'_>) -> Poll<Option<F::Output>> {
        if self.opening.is_over() {
            return Poll::Ready(None);
        }
        let now = u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX - 1);
        self.opening.inside.store(now + 1, Ordering::Relaxed);
        let polled = self.future.as_mut().poll(polling);
        self.opening.inside.store(0, Ordering::Relaxed);
        polled.map(Some)
    }
}
