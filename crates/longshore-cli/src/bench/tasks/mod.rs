//! `longshore bench tasks`: whole lives in process, with history kept.
//!
//! [`Tasks`] says what is wanted; `house` is the engine that is measured, `backlog` what lies there
//! before; `through` takes the way over HTTP, `carried` that by a broker.

mod backlog;
mod carried;
mod house;
mod through;

use super::precise::Alarm;
use super::produce::print;
use super::report::{Report, histogram};
use super::scratch::Place;
use crate::child::{resident, usage};
use crate::failure::Failure;
use backlog::Waits;
use clap::Args;
use house::{Does, KIND, Starts};
use longshore::core::{Payload, Span, State, TaskId};
use longshore::{Engine, Submission};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How whole lives are measured.
#[derive(Debug, Args)]
pub(crate) struct Tasks {
    /// Tasks in flight: submitted and not yet ended.
    #[arg(long, default_value_t = 256)]
    in_flight: usize,
    /// How many tasks.
    #[arg(long, default_value_t = 300_000)]
    number: u64,
    /// Bytes of the payload.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Tasks a second on a fixed schedule, instead of as fast as they end; what is counted then is
    /// the time from the intended submit to the handler's start.
    #[arg(long, conflicts_with_all = ["in_flight", "sleep"])]
    rate: Option<f64>,
    /// How long the handler waits, without using the CPU.
    #[arg(long, value_name = "DURATION")]
    sleep: Option<Span>,
    /// Slots of the queue. Default: as many as are in flight.
    #[arg(long)]
    slots: Option<usize>,
    /// Spreads the tasks over so many lanes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    order_keys: u64,
    /// Through a server of its own, over HTTP; counts until the last task has succeeded.
    #[arg(long, conflicts_with_all = ["sleep", "order_keys", "backlog"])]
    http: bool,
    /// With --http: how long tasks come in.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// With --http: runs this command for each of `number` tasks.
    #[arg(long, value_name = "ARGV", num_args = 1.., requires = "http", allow_hyphen_values = true)]
    command: Vec<String>,
    /// So many tasks lie there before the measurement begins.
    #[arg(long, default_value_t = 0)]
    backlog: u64,
    /// What those wait for.
    #[arg(long, value_enum, default_value_t = Waits::Ready)]
    backlog_is: Waits,
    /// Lets a broker carry the tasks, such as amqp://guest:guest@127.0.0.1:5672/%2f, held against a loop over its
    /// client that publishes and consumes as many messages.
    #[arg(long, value_name = "URL", conflicts_with_all = ["http", "backlog"])]
    carrier: Option<String>,
    #[command(flatten)]
    place: Place,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Tasks {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.http {
            through::measure(&self, self.seconds)?.print(self.json);
            return Ok(());
        }
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Failure::system("cannot start threads"))?;
        let done = threads.block_on(self.measure());
        threads.shutdown_background();
        done
    }

    async fn measure(&self) -> Result<(), Failure> {
        let scratch = self.place.make()?;
        let url = scratch.url();
        if self.backlog > 0 {
            backlog::fill(url, self.backlog, self.backlog_is, &self.payload()).await?;
        }
        let by_hand = match &self.carrier {
            Some(carrier) => Some(carried::by_hand(carrier, self.number, self.size).await?),
            None => None,
        };
        let began = Instant::now();
        let starts = Starts::default();
        let does = match (self.rate, self.sleep) {
            (Some(_), _) => Does::Note(starts.clone()),
            (None, Some(Span(time))) => Does::Sleep(time),
            (None, None) => Does::Nothing,
        };
        let slots = self.slots.unwrap_or(self.in_flight);
        let engine = house::engine(url, does, slots, self.carrier.as_deref()).await?;
        let start = began.elapsed();
        let before = usage("self").0;
        let (mut report, all) = match self.rate {
            Some(rate) => self.paced(&engine, rate, &starts).await?,
            None => self.lives(&engine).await?,
        };
        let (cpu, peak) = usage("self");
        report.server_cpu_us = Some(report.per_item(cpu.saturating_sub(before), all));
        report.peak_mib = peak as f64 / f64::from(1 << 20);
        let successes = successes(&engine).await?;
        report.lost = all.saturating_sub(successes);
        report.duplicated = successes.saturating_sub(all);
        match by_hand {
            Some(rate) => print(&report, rate, "both at once, single acks", self.json),
            None => report.print(self.json),
        }
        if self.backlog > 0 && !self.json {
            anstream::println!(
                "  with {} {:?} tasks lying there: opened in {:.0} ms, {:.0} MiB resident now",
                self.backlog,
                self.backlog_is,
                start.as_secs_f64() * 1e3,
                resident("self") as f64 / f64::from(1 << 20)
            );
        }
        engine.stop(Duration::from_secs(10)).await;
        drop(engine);
        if let Some(carrier) = &self.carrier {
            carried::clear(carrier).await?;
        }
        scratch.clear().await
    }

    fn payload(&self) -> Payload {
        Payload::from_json(format!("\"{}\"", "x".repeat(self.size.saturating_sub(2))))
    }

    /// Makes the wish of that number.
    fn task(&self, number: u64) -> Submission {
        Submission {
            id: Some(TaskId::fresh()),
            payload: Some(self.payload()),
            order_key: (self.order_keys > 0).then(|| (number % self.order_keys).to_string()),
            ..Submission::new(KIND)
        }
    }

    /// Submits on a fixed schedule; counts from the intended time to the handler's start.
    async fn paced(
        &self,
        engine: &Engine,
        rate: f64,
        starts: &Starts,
    ) -> Result<(Report, u64), Failure> {
        let warm_up = self.number / 10;
        let all = self.number + warm_up;
        let alarm = Alarm::start()?;
        let began = Instant::now();
        let mut times = histogram();
        let mut lives = tokio::task::JoinSet::new();
        for number in 0..all {
            let intended = began + Duration::from_secs_f64(number as f64 / rate);
            alarm.sleep_until(intended).await;
            let (task, engine, starts) = (self.task(number), engine.clone(), starts.clone());
            lives.spawn(async move {
                let id = task.id;
                live(&engine, task).await?;
                Ok::<_, Failure>((number, intended, id.and_then(|id| starts.take(id))))
            });
        }
        let took = began.elapsed().mul_f64(self.number as f64 / all as f64);
        while let Some(life) = lives.join_next().await {
            let (number, intended, start) =
                life.map_err(|error| Failure::Bench(error.to_string()))??;
            let start = start.ok_or_else(|| Failure::Bench("a handler was not called".into()))?;
            if number >= warm_up {
                let micros = start.saturating_duration_since(intended).as_micros();
                times.saturating_record(u64::try_from(micros).unwrap_or(u64::MAX).max(1));
            }
        }
        Ok((Report::new("submit to handler's start", format!("{rate}/s"), &times, took), all))
    }

    /// Submits and waits for the end, `in_flight` times at once.
    async fn lives(&self, engine: &Engine) -> Result<(Report, u64), Failure> {
        let warm_up = self.number / 10;
        let all = self.number + warm_up;
        let next = Arc::new(AtomicU64::new(0));
        let mut clients = Vec::new();
        let started = Arc::new(tokio::sync::OnceCell::new());
        let (template, keys) = (self.task(0), self.order_keys);
        for _ in 0..self.in_flight {
            let (engine, next, template, started) =
                (engine.clone(), next.clone(), template.clone(), started.clone());
            clients.push(tokio::spawn(async move {
                let mut times: Vec<u64> = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= all {
                        return Ok::<_, Failure>(times);
                    }
                    if number == warm_up {
                        let _ = started.set(Instant::now());
                    }
                    let began = Instant::now();
                    let order_key = (keys > 0).then(|| (number % keys).to_string());
                    let id = Some(TaskId::fresh());
                    let task = Submission { id, order_key, ..template.clone() };
                    live(&engine, task).await?;
                    if number >= warm_up {
                        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                        times.push(micros.max(1));
                    }
                }
            }));
        }
        let mut times = histogram();
        for client in clients {
            let seen = client.await.map_err(|error| Failure::Bench(error.to_string()))??;
            seen.into_iter().for_each(|micros| times.saturating_record(micros));
        }
        let took = started.get().map_or(Duration::ZERO, Instant::elapsed);
        Ok((Report::new("whole lives", format!("{} in flight", self.in_flight), &times, took), all))
    }
}

/// One life: accepted, run, ended.
async fn live(engine: &Engine, task: Submission) -> Result<(), Failure> {
    let watch = engine.hub().watch(task.id.unwrap_or_else(TaskId::fresh));
    engine.intake().submit(task).await.map_err(|error| Failure::Bench(error.to_string()))?;
    match watch.ended().await {
        Some(State::Success) => Ok(()),
        end => Err(Failure::Bench(format!("a task ended as {end:?}"))),
    }
}

async fn successes(engine: &Engine) -> Result<u64, Failure> {
    let counts =
        engine.store().counters().await.map_err(|error| Failure::Bench(error.to_string()))?;
    let bench = counts.iter().filter(|count| count.kind.as_str() == KIND);
    Ok(bench.filter(|count| count.state == State::Success).map(|count| count.count).sum())
}
