//! Group commit: requests of many callers share one transaction.
//!
//! A flight takes whatever waits, and while it is under way the next ones gather by themselves: nobody
//! waits for a group to fill, and a lone request leaves at once. A second flight joins the first once so much
//! waits that it is worth a statement of its own (few large ones cost the database less than many small ones), or
//! once the first one takes long: its connection may be a bad one.

use longshore_core::store::StoreError;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Flights of one kind that are under way together.
const FLIGHTS: usize = 2;
/// With fewer waiting, one flight is enough.
const CROWD: usize = 100;
/// A flight that is under way for longer is not waited for alone.
const LONG: Duration = Duration::from_millis(100);
/// Tasks or ends in one flight, at most.
const SEATS: usize = 1_000;
/// Tasks or ends that may wait or be under way; who has more waits outside.
const ROOM: usize = 16_384;

/// Somebody who waits for an answer.
#[derive(Debug)]
pub(crate) struct Passenger<T, A> {
    pub(crate) load: Vec<T>,
    reply: oneshot::Sender<Result<A, StoreError>>,
    taken: Arc<AtomicBool>,
}

impl<T, A> Passenger<T, A> {
    /// Answers; who has gone is not missed.
    pub(crate) fn answer(self, answer: Result<A, StoreError>) {
        let _ = self.reply.send(answer);
    }
}

/// Where requests of one kind gather.
#[derive(Debug)]
pub(crate) struct Terminal<T, A> {
    hall: Mutex<Hall<T, A>>,
    room: Semaphore,
}

#[derive(Debug)]
struct Hall<T, A> {
    waiting: VecDeque<Passenger<T, A>>,
    /// Tasks or ends that wait.
    seats: usize,
    flying: usize,
    /// When the last flight left.
    left: Instant,
}

impl<T, A> Default for Terminal<T, A> {
    fn default() -> Self {
        let hall = Mutex::new(Hall {
            waiting: VecDeque::new(),
            seats: 0,
            flying: 0,
            left: Instant::now(),
        });
        Self { hall, room: Semaphore::new(ROOM) }
    }
}

impl<T, A> Terminal<T, A> {
    fn hall(&self) -> MutexGuard<'_, Hall<T, A>> {
        self.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the answer to a request, at most until the deadline. `start` is called if another flight
    /// has to be started.
    pub(crate) async fn board(
        &self,
        load: Vec<T>,
        deadline: Duration,
        start: impl FnOnce(),
    ) -> Result<A, StoreError> {
        let late = StoreError::Deadline { waited: deadline };
        let until = Instant::now() + deadline;
        let seats = u32::try_from(load.len().clamp(1, ROOM)).unwrap_or(1);
        let room = tokio::time::timeout_at(until, self.room.acquire_many(seats)).await;
        let Ok(Ok(_room)) = room else { return Err(late) };
        let (reply, answer) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let passenger = Passenger { load, reply, taken: taken.clone() };
        {
            let mut hall = self.hall();
            hall.seats += passenger.load.len();
            hall.waiting.push_back(passenger);
            let is_needed = hall.seats >= CROWD || hall.left.elapsed() >= LONG;
            if hall.flying == 0 || (hall.flying < FLIGHTS && is_needed) {
                hall.flying += 1;
                drop(hall);
                start();
            }
        }
        match tokio::time::timeout_at(until, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::Unknown { why: "the store did not answer".to_owned() }),
            // Whoever takes it first has it.
            Err(_) if !taken.swap(true, Ordering::SeqCst) => Err(late),
            Err(_) => Err(StoreError::Unknown { why: format!("no answer within {deadline:?}") }),
        }
    }

    /// Takes a group for a flight; none ends the flight.
    pub(crate) fn take(&self) -> Option<Vec<Passenger<T, A>>> {
        let mut hall = self.hall();
        let (mut group, mut seats) = (Vec::new(), 0);
        while let Some(next) = hall.waiting.front() {
            if !group.is_empty() && seats + next.load.len() > SEATS {
                break;
            }
            let Some(passenger) = hall.waiting.pop_front() else { break };
            hall.seats -= passenger.load.len();
            if !passenger.taken.swap(true, Ordering::SeqCst) {
                seats += passenger.load.len();
                group.push(passenger);
            }
        }
        if group.is_empty() {
            hall.flying -= 1;
            return None;
        }
        hall.left = Instant::now();
        Some(group)
    }
}
