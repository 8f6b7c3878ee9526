//! `longshore bench consume`: messages of a broker, received and settled by a consumer that does nothing.

use super::listener::Listener;
use super::precise::Alarm;
use super::produce::{Names, connect, failed, micros, outgoing, print, progress, threads};
use super::report::{Report, histogram};
use super::scratch::Place;
use crate::child::usage;
use crate::failure::Failure;
use clap::Args;
use longshore::core::broker::{Broker, TopicName};
use longshore::drivers::RawMessages;
use longshore::handler::{Decode, Message};
use longshore::messages::Consumer;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The name of the broker and of the consumer.
const NAME: &str = "bench";
/// So many are acknowledged with one frame in the second loop by hand.
const TOGETHER: u64 = 100;
/// Nothing coming for so long means that something is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// How consuming is measured.
#[derive(Debug, Args)]
pub(crate) struct Consume {
    /// The broker that is measured, such as amqp://guest:guest@127.0.0.1:5672/%2f; queues of its own are made there, and
    /// removed afterwards.
    #[arg(long, value_name = "URL")]
    broker: String,
    /// How many messages; they lie there when it begins.
    #[arg(long, default_value_t = 100_000)]
    number: u64,
    /// Bytes of the payload.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Handlers at a time.
    #[arg(long, default_value_t = 256)]
    parallel: u32,
    /// Handles so many a second at most.
    #[arg(long, value_name = "N")]
    limit: Option<f64>,
    /// Publishes so many a second on a fixed schedule while they are consumed, instead of before; the time is counted
    /// from when each was to be published to the handler's start.
    #[arg(long, conflicts_with = "limit")]
    rate: Option<f64>,
    #[command(flatten)]
    place: Place,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

type Handling = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the handlers have seen.
#[derive(Debug, Default)]
struct Seen {
    count: AtomicU64,
    first: OnceLock<Instant>,
    /// When each message was to be published, by its number.
    due: Mutex<Vec<Instant>>,
    times: Mutex<Vec<Duration>>,
    change: Notify,
}

impl Consume {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), Failure> {
        threads()?.block_on(self.measure())
    }

    async fn measure(&self) -> Result<(), Failure> {
        let names = Names::fresh()?;
        let payload = vec![b'x'; self.size];
        let raw = RawMessages::make(&self.broker, &names.raw).await.map_err(failed)?;
        let broker = connect(&self.broker, names.group()).await?;
        let one_by_one = self.by_hand(&raw, &payload, 1).await?;
        let together = self.by_hand(&raw, &payload, TOGETHER).await?;
        if self.rate.is_none() {
            let group = names.group().as_str();
            raw.publish(group, self.number, &payload).await.map_err(failed)?;
        }
        let report = self.ours(&names, &broker, payload.into()).await;
        broker.close(PATIENCE).await;
        raw.remove(&[names.group().as_str(), names.dead.as_str()]).await.map_err(failed)?;
        let report = report?;
        print(&report, one_by_one, "single acks", self.json);
        if !self.json {
            let ratio = report.rate / together;
            anstream::println!(
                "  {ratio:.2} of the same with {TOGETHER} acknowledged at once: {together:.0}/s"
            );
        }
        Ok(())
    }

    /// Returns the rate of a loop over the client.
    async fn by_hand(&self, raw: &RawMessages, payload: &[u8], every: u64) -> Result<f64, Failure> {
        raw.publish_own(self.number, payload).await.map_err(failed)?;
        let prefetch = u16::try_from(self.parallel * 5 / 4).unwrap_or(u16::MAX);
        let began = Instant::now();
        let seen = raw.consume(self.number, prefetch.max(2 * TOGETHER as u16), every).await;
        if seen.map_err(failed)? < self.number {
            return Err(Failure::Bench("the loop by hand has lost messages".to_owned()));
        }
        Ok(self.number as f64 / began.elapsed().as_secs_f64())
    }

    async fn ours(
        &self,
        names: &Names,
        broker: &Arc<dyn Broker>,
        payload: Arc<[u8]>,
    ) -> Result<Report, Failure> {
        let scratch = self.place.make()?;
        let seen = Arc::new(Seen::default());
        let topic = format!("{NAME}.nothing.{}", std::process::id());
        let topic = TopicName::new(&topic).map_err(failed)?;
        let consumer = Consumer::topic(topic.as_str())
            .group(names.group().as_str())
            .broker(NAME)
            .decode(Decode::Bytes)
            .parallel(self.parallel);
        let server = Listener::at(&self.broker);
        let (cpu, theirs) = (usage("self").0, server.cpu());
        let began = Instant::now();
        let service = longshore::builder()
            .store(scratch.url())
            .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
            .broker(NAME, &self.broker)
            .consumer(NAME, consumer, self.handler(&seen, began)?)
            .start()
            .await?;
        let bar = progress(self.number, self.json);
        let publishing = self.publish(names, broker, &payload, &seen);
        let waiting = async {
            loop {
                let count = seen.count.load(Ordering::Relaxed);
                bar.set_position(count);
                if count >= self.number {
                    return Ok(());
                }
                let change = seen.change.notified();
                if tokio::time::timeout(PATIENCE, change).await.is_err() {
                    let count = seen.count.load(Ordering::Relaxed);
                    let why = format!("{count} of {} came, then nothing", self.number);
                    return Err(Failure::Bench(why));
                }
            }
        };
        let done = futures_util::future::try_join(publishing, waiting).await;
        // From the first message on: the loops by hand are connected when they begin, too.
        let took = seen.first.get().unwrap_or(&began).elapsed();
        bar.finish_and_clear();
        service.stop(Duration::from_secs(10)).await;
        done?;
        let left = broker.inspect(names.group()).await.map_err(failed)?.ready;
        scratch.clear().await?;
        let mut times = histogram();
        for time in seen.times.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            times.saturating_record(micros(*time));
        }
        let load = match self.rate {
            Some(rate) => format!("{rate}/s, {} handlers", self.parallel),
            None => format!("{} handlers", self.parallel),
        };
        let mut report = Report::new("consumed", load, &times, took);
        report.n = seen.count.load(Ordering::Relaxed);
        report.rate = self.number as f64 / took.as_secs_f64();
        let each = |before: Duration, now: Duration| report_each(before, now, self.number);
        report.client_cpu_us = Some(each(cpu, usage("self").0));
        report.server_cpu_us = theirs.zip(server.cpu()).map(|(before, now)| each(before, now));
        report.peak_mib = usage("self").1 as f64 / f64::from(1 << 20);
        report.duplicated = report.n.saturating_sub(self.number);
        report.lost = left; // what was not settled waits again
        Ok(report)
    }

    /// Makes the handler: it counts.
    fn handler(
        &self,
        seen: &Arc<Seen>,
        began: Instant,
    ) -> Result<impl Fn(Message) -> Handling + Clone + use<>, Failure> {
        let alarm = self.limit.map(|_| Alarm::start()).transpose()?;
        let (seen, limit) = (seen.clone(), self.limit);
        let number = self.number;
        Ok(move |message: Message| {
            let (seen, alarm) = (seen.clone(), alarm.clone());
            let handle = async move {
                seen.first.get_or_init(Instant::now);
                let count = seen.count.fetch_add(1, Ordering::Relaxed) + 1;
                if let (Some(alarm), Some(limit)) = (&alarm, limit) {
                    let at = began + Duration::from_secs_f64(count as f64 / limit);
                    alarm.sleep_until(at).await;
                }
                if let Some(due) = message.header("number").and_then(|number| number.parse().ok()) {
                    let due: Option<Instant> = seen
                        .due
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get::<usize>(due)
                        .copied();
                    let times = due.map(|due| due.elapsed());
                    seen.times.lock().unwrap_or_else(PoisonError::into_inner).extend(times);
                }
                if count >= number || count.is_multiple_of(500) {
                    seen.change.notify_one();
                }
            };
            Box::pin(handle) as _
        })
    }

    /// Publishes on a fixed schedule, if that is wanted.
    async fn publish(
        &self,
        names: &Names,
        broker: &Arc<dyn Broker>,
        payload: &Arc<[u8]>,
        seen: &Arc<Seen>,
    ) -> Result<(), Failure> {
        let Some(rate) = self.rate else { return Ok(()) };
        let alarm = Alarm::start()?;
        let began = Instant::now() + Duration::from_millis(500);
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..self.number {
            let at = began + Duration::from_secs_f64(number as f64 / rate);
            alarm.sleep_until(at).await;
            seen.due.lock().unwrap_or_else(PoisonError::into_inner).push(at);
            let mut one = outgoing(names.group(), payload);
            one.envelope.headers.set("number", number.to_string());
            let broker = broker.clone();
            calls.spawn(async move { broker.publish(vec![one]).await });
        }
        while let Some(call) = calls.join_next().await {
            for answer in call.map_err(failed)? {
                answer.map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn report_each(before: Duration, now: Duration, number: u64) -> f64 {
    now.saturating_sub(before).as_secs_f64() * 1e6 / number as f64
}
