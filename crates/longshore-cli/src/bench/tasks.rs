//! `longshore bench tasks`: whole lives in process, with history kept.

use super::child::{resident, usage};
use super::report::{Report, histogram};
use crate::failure::Failure;
use clap::{Args, ValueEnum};
use longshore::core::{Clock, KindName, NewTask, Payload, State, SystemClock, Valid};
use longshore::handler::nothing;
use longshore::runtime::Options;
use longshore::{Engine, Error, Kind, Queue, Registry, Submission, drivers};
use std::path::PathBuf;
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
    /// So many tasks lie there before the measurement begins.
    #[arg(long, default_value_t = 0)]
    backlog: u64,
    /// What those wait for.
    #[arg(long, value_enum, default_value_t = Waits::Ready)]
    backlog_is: Waits,
    /// Keeps the data there. Default: a temporary folder in the working folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What a backlog waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Waits {
    /// For a worker: ready, of a kind that nobody here runs.
    Ready,
    /// For its time.
    Scheduled,
    /// For its lane.
    Lane,
}

impl Tasks {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), Failure> {
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
        let parent = self.data.clone().unwrap_or_else(|| PathBuf::from("."));
        let data = tempfile::Builder::new()
            .prefix("longshore-bench-")
            .tempdir_in(parent)
            .map_err(Failure::system("cannot make a folder for the data"))?;
        let url = format!("embedded:{}", data.path().display());
        if self.backlog > 0 {
            self.fill(&url).await?;
        }
        let began = Instant::now();
        let engine = self.engine(&url).await?;
        let start = began.elapsed();
        let before = usage("self").0;
        let (mut report, all) = self.lives(&engine).await?;
        let (cpu, peak) = usage("self");
        report.server_cpu_us = Some(report.per_item(cpu.saturating_sub(before), all));
        report.peak_mib = peak as f64 / f64::from(1 << 20);
        let successes = successes(&engine).await?;
        report.lost = all.saturating_sub(successes);
        report.duplicated = successes.saturating_sub(all);
        report.print(self.json);
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
        Ok(())
    }

    async fn engine(&self, url: &str) -> Result<Engine, Failure> {
        let store = drivers::open(url).await?;
        let mut registry = Registry::default();
        for (name, queue) in [("bench.noop", "bench"), ("bench.lie", "default")] {
            let kind = KindName::new(name).map_err(|bad| Failure::Bench(bad.to_string()))?;
            let queue = queue.parse().map_err(|_| Failure::Bench("a bad queue".into()))?;
            if name == "bench.noop" {
                registry.add(Kind { queue, ..Kind::new(kind, nothing()) });
            }
        }
        if let Ok(queue) = "bench".parse() {
            registry.add_queue(queue, Queue { slots: self.in_flight });
        }
        Ok(Engine::start(Options::new(store, registry)).map_err(Error::from)?)
    }

    /// Submits and waits for the end, `in_flight` times at once.
    async fn lives(&self, engine: &Engine) -> Result<(Report, u64), Failure> {
        let warm_up = self.number / 10;
        let all = self.number + warm_up;
        let next = Arc::new(AtomicU64::new(0));
        let payload =
            Payload::from_json(format!("\"{}\"", "x".repeat(self.size.saturating_sub(2))));
        let mut clients = Vec::new();
        let started = Arc::new(tokio::sync::OnceCell::new());
        for _ in 0..self.in_flight {
            let (engine, next, payload, started) =
                (engine.clone(), next.clone(), payload.clone(), started.clone());
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
                    live(&engine, payload.clone()).await?;
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

    /// Lays the backlog down.
    async fn fill(&self, url: &str) -> Result<(), Failure> {
        let store = drivers::open(url).await?;
        let failed = |error: longshore::core::store::StoreError| Failure::Bench(error.to_string());
        let kind = KindName::new("bench.lie").map_err(|bad| Failure::Bench(bad.to_string()))?;
        let payload =
            Payload::from_json(format!("\"{}\"", "x".repeat(self.size.saturating_sub(2))));
        let later = SystemClock.now().after(Duration::from_secs(86_400));
        let mut left = self.backlog;
        while left > 0 {
            let batch = left.min(5_000);
            let tasks = (0..batch)
                .map(|_| {
                    let mut task = NewTask::new(kind.clone()).payload(payload.clone());
                    match self.backlog_is {
                        Waits::Ready => {}
                        Waits::Scheduled => task.run_at = Some(later),
                        Waits::Lane => task.order_key = Some("one".into()),
                    }
                    Valid::vouch(task)
                })
                .collect();
            store.accept(tasks).await.map_err(failed)?;
            left -= batch;
        }
        store.close().await.map_err(failed)
    }
}

/// One life: accepted, run, ended.
async fn live(engine: &Engine, payload: Payload) -> Result<(), Failure> {
    let id = longshore::core::TaskId::fresh();
    let watch = engine.hub().watch(id);
    let wish = Submission { id: Some(id), payload: Some(payload), ..Submission::new("bench.noop") };
    engine.intake().submit(wish).await.map_err(|error| Failure::Bench(error.to_string()))?;
    match watch.ended().await {
        Some(State::Success) => Ok(()),
        end => Err(Failure::Bench(format!("a task ended as {end:?}"))),
    }
}

async fn successes(engine: &Engine) -> Result<u64, Failure> {
    let counts =
        engine.store().counters().await.map_err(|error| Failure::Bench(error.to_string()))?;
    let bench = counts.iter().filter(|count| count.kind.as_str() == "bench.noop");
    Ok(bench.filter(|count| count.state == State::Success).map(|count| count.count).sum())
}
