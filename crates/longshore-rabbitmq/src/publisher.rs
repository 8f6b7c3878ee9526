//! Publishing: what many callers send is gathered into flights, a few of which are on their way at a time.

use crate::board::Board;
use crate::connection::STEP;
use crate::desk::Desk;
use crate::error::{Trouble, within};
use crate::flight::{Answer, Fail, Parcel, fly};
use crate::link::Link;
use crate::live::Live;
use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use longshore_core::broker::BrokerError;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

/// No call waits longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Flights at a time.
const FLIGHTS: usize = 8;
/// A flight takes no more callers in once it has so many parcels.
const FULL: usize = 512;
/// Callers who wait for a flight; more have to wait to be among them.
const WAITING: usize = 1024;
/// A channel may be closed under a flight so often before the rest is given up.
const ROUNDS: usize = 3;

/// What one caller sends.
#[derive(Debug)]
struct Batch {
    parcels: Vec<Arc<Parcel>>,
    deadline: Instant,
    reply: oneshot::Sender<Vec<Answer>>,
}

/// Publishes.
#[derive(Debug)]
pub(crate) struct Publisher {
    link: Arc<Link>,
    batches: mpsc::Sender<Batch>,
}

impl Publisher {
    /// Makes a publisher; the future gathers flights until the publisher is dropped.
    pub(crate) fn new(link: Arc<Link>, board: Arc<Board>) -> (Self, impl Future<Output = ()>) {
        let (batches, waiting) = mpsc::channel(WAITING);
        let airport = Airport {
            link: link.clone(),
            board,
            resting: Mutex::new((0, Vec::new())),
            exchanges: Mutex::new((0, HashSet::new())),
        };
        (Self { link, batches }, gather(Arc::new(airport), waiting))
    }

    /// Sends parcels, in order; answers for each.
    pub(crate) async fn send(&self, parcels: Vec<Arc<Parcel>>) -> Vec<Answer> {
        let count = parcels.len();
        if count == 0 {
            return Vec::new();
        }
        let all = |fail: Fail| (0..count).map(|_| Err(fail.clone())).collect();
        let began = Instant::now();
        let live = match self.link.wait().await {
            Ok(live) => live,
            Err(error) => return all(not_sent(error)),
        };
        if let Some(why) = live.blocked() {
            return all(Fail::Blocked(why));
        }
        let deadline = began + DEADLINE;
        let (reply, answers) = oneshot::channel();
        let queued = self.batches.send(Batch { parcels, deadline, reply });
        match tokio::time::timeout_at(deadline, queued).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return all(Fail::Closed),
            Err(_) => return all(Fail::Unavailable("too much is being published".to_owned())),
        }
        match tokio::time::timeout_at(deadline + Duration::from_millis(100), answers).await {
            Ok(Ok(answers)) => answers,
            _ => all(Fail::Unconfirmed(began.elapsed())),
        }
    }
}

/// Says why nothing was sent.
pub(crate) fn not_sent(error: BrokerError) -> Fail {
    match error {
        BrokerError::Closed => Fail::Closed,
        BrokerError::Refused { why } => Fail::Refused(why),
        BrokerError::Unavailable { why } => Fail::Unavailable(why),
        error => Fail::Unavailable(error.to_string()),
    }
}

async fn gather(airport: Arc<Airport>, mut waiting: mpsc::Receiver<Batch>) {
    let flights = Arc::new(Semaphore::new(FLIGHTS));
    while let Some(first) = waiting.recv().await {
        let Ok(permit) = flights.clone().acquire_owned().await else { return };
        let mut count = first.parcels.len();
        let mut batches = vec![first];
        while count < FULL
            && let Ok(more) = waiting.try_recv()
        {
            count += more.parcels.len();
            batches.push(more);
        }
        let airport = airport.clone();
        tokio::spawn(async move {
            airport.start(batches).await;
            drop(permit);
        });
    }
}

/// Where flights start: channels that rest, and exchanges that are known to be there, of one connection each.
#[derive(Debug)]
struct Airport {
    link: Arc<Link>,
    board: Arc<Board>,
    resting: Mutex<(u64, Vec<Channel>)>,
    exchanges: Mutex<(u64, HashSet<String>)>,
}

impl Airport {
    async fn start(&self, batches: Vec<Batch>) {
        let now = Instant::now();
        let (batches, late): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(|batch| batch.deadline > now && !batch.reply.is_closed());
        for Batch { parcels, reply, .. } in late {
            let why = Fail::Unavailable("too much is being published".to_owned());
            let _ = reply.send(parcels.iter().map(|_| Err(why.clone())).collect());
        }
        let parcels: Vec<&Parcel> =
            batches.iter().flat_map(|batch| &batch.parcels).map(|parcel| &**parcel).collect();
        let Some(deadline) = batches.iter().map(|batch| batch.deadline).max() else { return };
        let count = parcels.len() as u64;
        self.board.unconfirmed.fetch_add(count, Ordering::Relaxed);
        let mut answers = self.carry(&parcels, deadline).await.into_iter();
        self.board.unconfirmed.fetch_sub(count, Ordering::Relaxed);
        for Batch { parcels, reply, .. } in batches {
            let _ = reply.send(answers.by_ref().take(parcels.len()).collect());
        }
    }

    async fn carry(&self, parcels: &[&Parcel], deadline: Instant) -> Vec<Answer> {
        let Some(live) = self.link.live() else {
            return parcels.iter().map(|_| Err(lost())).collect();
        };
        let mut faults: BTreeMap<&str, Option<Fail>> = BTreeMap::new();
        for parcel in parcels {
            let exchange = parcel.route.exchange.as_str();
            if !faults.contains_key(exchange) {
                faults.insert(exchange, self.check(&live, exchange).await.err());
            }
        }
        let fault = |parcel: &&Parcel| faults[parcel.route.exchange.as_str()].clone();
        let mut answers: Vec<Option<Answer>> =
            parcels.iter().map(|parcel| fault(parcel).map(Err)).collect();
        for _ in 0..ROUNDS {
            let open: Vec<usize> = (0..parcels.len()).filter(|at| answers[*at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let channel = match self.channel(&live).await {
                Ok(channel) => channel,
                Err(trouble) => {
                    let fail = not_sent(trouble.into_error());
                    open.into_iter().for_each(|at| answers[at] = Some(Err(fail.clone())));
                    break;
                }
            };
            let some: Vec<&Parcel> = open.iter().map(|at| parcels[*at]).collect();
            let (told, is_clean) = fly(&live, &channel, &some, deadline).await;
            for (at, answer) in open.into_iter().zip(told) {
                answers[at] = answer;
            }
            if is_clean {
                self.rest(live.epoch, channel);
            } else {
                self.forget_exchanges();
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(lost()))).collect()
    }

    /// To publish to an exchange that is not there would close the channel under everybody else's.
    async fn check(&self, live: &Live, exchange: &str) -> Result<(), Fail> {
        if exchange.is_empty() || exchange.starts_with("amq.") {
            return Ok(());
        }
        let is_known = {
            let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
            exchanges.0 == live.epoch && exchanges.1.contains(exchange)
        };
        if is_known {
            return Ok(());
        }
        match Desk::new(live).has_exchange(exchange).await {
            Ok(true) => {
                let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
                if exchanges.0 != live.epoch {
                    *exchanges = (live.epoch, HashSet::new());
                }
                exchanges.1.insert(exchange.to_owned());
                Ok(())
            }
            Ok(false) => Err(Fail::Refused(format!(
                "there is no exchange {exchange}: declare it, or name another one before the / of the topic"
            ))),
            Err(trouble) => Err(not_sent(trouble.into_error())),
        }
    }

    fn forget_exchanges(&self) {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).1.clear();
    }

    async fn channel(&self, live: &Live) -> Result<Channel, Trouble> {
        let rested = {
            let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
            if resting.0 == live.epoch { resting.1.pop() } else { None }
        };
        match rested {
            Some(channel) if channel.status().connected() => Ok(channel),
            _ => {
                let channel = live.connection.channel().await?;
                within(STEP, channel.confirm_select(ConfirmSelectOptions::default())).await?;
                Ok(channel)
            }
        }
    }

    fn rest(&self, epoch: u64, channel: Channel) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.0 != epoch {
            *resting = (epoch, Vec::new());
        }
        resting.1.push(channel);
    }
}

fn lost() -> Fail {
    Fail::Unavailable("the connection was lost".to_owned())
}
