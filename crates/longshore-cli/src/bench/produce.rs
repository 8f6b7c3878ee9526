//! `longshore bench produce`: messages published to a broker, held against a loop over its client.

use super::listener::Listener;
use super::precise::Alarm;
use super::report::{Report, histogram};
use crate::child::usage;
use crate::failure::Failure;
use clap::Args;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use longshore::core::broker::{
    Broker, Envelope, Group, GroupName, Outgoing, PublishError, Topology, header,
};
use longshore::drivers::{self, RawMessages};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a broker may take to answer first.
const PATIENCE: Duration = Duration::from_secs(10);

/// How publishing is measured.
#[derive(Debug, Args)]
pub(crate) struct Produce {
    /// The broker that is measured, such as amqp://guest:guest@127.0.0.1:5672/%2f; queues of its own are made there, and
    /// removed afterwards.
    #[arg(long, value_name = "URL")]
    broker: String,
    /// How many messages.
    #[arg(long, default_value_t = 100_000)]
    number: u64,
    /// Bytes of the payload.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Messages in each call.
    #[arg(long, default_value_t = 100)]
    batch: u64,
    /// Calls at a time.
    #[arg(long, default_value_t = 8)]
    callers: usize,
    /// Messages a second on a fixed schedule, one a call, instead of as fast as they are confirmed; the time is
    /// counted from when each was to be published.
    #[arg(long, conflicts_with_all = ["batch", "callers"])]
    rate: Option<f64>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Produce {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), Failure> {
        threads()?.block_on(self.measure())
    }

    async fn measure(&self) -> Result<(), Failure> {
        let names = Names::fresh()?;
        let payload = vec![b'x'; self.size];
        let raw = RawMessages::make(&self.broker, &names.raw).await.map_err(failed)?;
        let began = Instant::now();
        let confirmed = raw.publish_own(self.number, &payload).await.map_err(failed)?;
        if confirmed < self.number {
            return Err(Failure::Bench("the loop by hand was not confirmed".to_owned()));
        }
        let by_hand = self.number as f64 / began.elapsed().as_secs_f64();
        let broker = connect(&self.broker, names.group()).await?;
        let report = self.ours(&broker, names.group(), payload.into()).await;
        broker.close(PATIENCE).await;
        raw.remove(&[names.group().as_str(), names.dead.as_str()]).await.map_err(failed)?;
        print(&report?, by_hand, "confirms pipelined", self.json);
        Ok(())
    }

    async fn ours(
        &self,
        broker: &Arc<dyn Broker>,
        group: &GroupName,
        payload: Arc<[u8]>,
    ) -> Result<Report, Failure> {
        let server = Listener::at(&self.broker);
        let (cpu, theirs) = (usage("self").0, server.cpu());
        let bar = progress(self.number, self.json);
        let began = Instant::now();
        let times = match self.rate {
            Some(rate) => self.paced(broker, group, &payload, rate, &bar).await?,
            None => self.fast(broker, group, &payload, &bar).await?,
        };
        let took = began.elapsed();
        bar.finish_and_clear();
        let load = match self.rate {
            Some(rate) => format!("{rate}/s"),
            None => format!("{} calls of {} at a time", self.callers, self.batch),
        };
        let mut report = Report::new("published", load, &times, took);
        (report.n, report.rate) = (self.number, self.number as f64 / took.as_secs_f64());
        let each = |before: Duration, now: Duration| {
            now.saturating_sub(before).as_secs_f64() * 1e6 / self.number as f64
        };
        report.client_cpu_us = Some(each(cpu, usage("self").0));
        report.server_cpu_us = theirs.zip(server.cpu()).map(|(before, now)| each(before, now));
        report.peak_mib = usage("self").1 as f64 / f64::from(1 << 20);
        Ok(report)
    }

    async fn fast(
        &self,
        broker: &Arc<dyn Broker>,
        group: &GroupName,
        payload: &Arc<[u8]>,
        bar: &ProgressBar,
    ) -> Result<Histogram<u64>, Failure> {
        let next = AtomicU64::new(0);
        let callers = (0..self.callers).map(|_| async {
            let mut times = Vec::new();
            loop {
                let from = next.fetch_add(self.batch, Ordering::Relaxed);
                let count = self.batch.min(self.number.saturating_sub(from));
                if count == 0 {
                    return Ok::<_, Failure>(times);
                }
                let batch = (0..count).map(|_| outgoing(group, payload)).collect();
                let asked = Instant::now();
                for answer in broker.publish(batch).await {
                    answer.map_err(refused)?;
                }
                times.push(asked.elapsed());
                bar.inc(count);
            }
        });
        let mut times = histogram();
        for time in futures_util::future::try_join_all(callers).await?.into_iter().flatten() {
            times.saturating_record(micros(time));
        }
        Ok(times)
    }

    async fn paced(
        &self,
        broker: &Arc<dyn Broker>,
        group: &GroupName,
        payload: &Arc<[u8]>,
        rate: f64,
        bar: &ProgressBar,
    ) -> Result<Histogram<u64>, Failure> {
        let alarm = Alarm::start()?;
        let began = Instant::now();
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..self.number {
            let at = began + Duration::from_secs_f64(number as f64 / rate);
            alarm.sleep_until(at).await;
            let (broker, one) = (broker.clone(), outgoing(group, payload));
            calls.spawn(async move {
                let answers = broker.publish(vec![one]).await;
                answers.into_iter().try_for_each(|answer| answer.map(drop)).map_err(refused)?;
                Ok::<_, Failure>(at.elapsed())
            });
            bar.inc(1);
        }
        let mut times = histogram();
        while let Some(call) = calls.join_next().await {
            let time = call.map_err(|error| Failure::Bench(error.to_string()))??;
            times.saturating_record(micros(time));
        }
        Ok(times)
    }
}

/// Names of one run.
pub(super) struct Names {
    pub(super) raw: String,
    group: GroupName,
    pub(super) dead: String,
}

impl Names {
    pub(super) fn fresh() -> Result<Self, Failure> {
        let word = format!("longshore.bench.{}", std::process::id());
        let group = GroupName::new(&word).map_err(|bad| Failure::Bench(bad.to_string()))?;
        Ok(Self { raw: format!("{word}.raw"), dead: format!("{word}.dead"), group })
    }

    pub(super) fn group(&self) -> &GroupName {
        &self.group
    }
}

/// Opens a broker, waits until it answers, and declares the group.
pub(super) async fn connect(url: &str, group: &GroupName) -> Result<Arc<dyn Broker>, Failure> {
    let broker = drivers::broker(url)?;
    let up = async {
        let mut link = broker.link();
        while !link.state.is_up() {
            link = broker.link_changed(link.version).await;
        }
    };
    if tokio::time::timeout(PATIENCE, up).await.is_err() {
        let shown = drivers::shown(url);
        return Err(Failure::Bench(format!("{shown} does not answer: {:?}", broker.link().state)));
    }
    let topology = Topology::of(Group::new(group.clone()));
    let declared = broker.declare(&topology, Default::default()).await;
    declared.map_err(|error| Failure::Bench(error.to_string()))?;
    Ok(broker)
}

pub(super) fn outgoing(group: &GroupName, payload: &Arc<[u8]>) -> Outgoing {
    let envelope = Envelope::new(payload.to_vec())
        .with(header::ID, longshore::core::TaskId::fresh().to_string());
    Outgoing::to_group(group.clone(), envelope)
}

/// A bar on a terminal, for people.
pub(super) fn progress(number: u64, json: bool) -> ProgressBar {
    if json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec}");
    ProgressBar::new(number).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Prints a measurement and what it is held against.
pub(super) fn print(report: &Report, by_hand: f64, how: &str, json: bool) {
    report.print(json);
    let ratio = report.rate / by_hand;
    if json {
        let told = serde_json::json!({"what": report.what, "by_hand": by_hand, "how": how, "ratio": ratio});
        anstream::println!("{told}");
    } else {
        anstream::println!("  {ratio:.2} of a loop over the client, {how}: {by_hand:.0}/s");
    }
}

/// The threads of a measurement.
pub(super) fn threads() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::system("cannot start threads"))
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

fn refused(error: PublishError) -> Failure {
    Failure::Bench(error.to_string())
}

pub(super) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Bench(error.to_string())
}
