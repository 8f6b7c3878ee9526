//! `longshore bench store`: the store alone, held against loops that somebody would write by hand.

use super::report::histogram;
use super::scratch::Place;
use crate::failure::Failure;
use clap::Args;
use hdrhistogram::Histogram;
use longshore::core::store::{Claim, Ending, Hold, Recorded, Store, StoreError, Want};
use longshore::core::{KindName, NewTask, Payload, QueueName, Valid, Verdict};
use longshore::drivers;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How the store is measured.
#[derive(Debug, Args)]
pub(crate) struct StoreAlone {
    #[command(flatten)]
    place: Place,
    /// How many tasks.
    #[arg(long, default_value_t = 200_000)]
    number: u64,
    /// Tasks in each request.
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// Requests in flight.
    #[arg(long, default_value_t = 2)]
    callers: usize,
    /// Bytes of the payload.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What one loop came to.
struct Done {
    rate: f64,
    times: Histogram<u64>,
}

impl StoreAlone {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Failure::system("cannot start threads"))?;
        threads.block_on(self.measure())
    }

    async fn measure(&self) -> Result<(), Failure> {
        let scratch = self.place.make()?;
        let store = drivers::open(scratch.url()).await?;
        let accept = self.accept(&store).await?;
        let lives = self.claim_and_record(&store).await?;
        let raw = match &self.place.store {
            Some(_) => Some(self.by_hand(scratch.url()).await?),
            None => None,
        };
        store.close().await.map_err(failed)?;
        drop(store);
        scratch.clear().await?;
        let (inserts, ends) =
            raw.map_or((None, None), |(inserts, ends)| (Some(inserts), Some(ends)));
        self.print("accept", &accept, inserts.as_ref());
        self.print("claim and record", &lives, ends.as_ref());
        Ok(())
    }

    async fn accept(&self, store: &Arc<dyn Store>) -> Result<Done, Failure> {
        let queue = queue()?;
        let kind = kind()?;
        let payload =
            Payload::from_json(format!("\"{}\"", "x".repeat(self.size.saturating_sub(2))));
        self.drive(|_| {
            let tasks = (0..self.batch)
                .map(|_| {
                    let task = NewTask::new(kind.clone()).payload(payload.clone());
                    Valid::vouch(NewTask { queue: queue.clone(), id_is_chosen: false, ..task })
                })
                .collect();
            let store = store.clone();
            async move {
                let answers = store.accept(tasks).await.map_err(failed)?;
                let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
                if accepted < answers.len() {
                    return Err(Failure::Bench("a task was refused".to_owned()));
                }
                Ok(accepted)
            }
        })
        .await
    }

    async fn claim_and_record(&self, store: &Arc<dyn Store>) -> Result<Done, Failure> {
        let want = Want {
            queue: queue()?,
            tenant: None,
            kinds: Arc::new([kind()?]),
            outside: Arc::new([]),
            slots: self.batch,
            limit: None,
            rate: None,
        };
        self.drive(|caller| {
            let (store, want) = (store.clone(), want.clone());
            async move {
                let claim = Claim {
                    worker: format!("bench-{caller}").into(),
                    hold: Hold::Process,
                    wants: vec![want],
                    wait: Duration::ZERO,
                };
                let leased = store.claim(claim).await.map_err(failed)?;
                let end = |lease| Ending {
                    lease,
                    verdict: Verdict::Complete,
                    result: None,
                    error: None,
                    then: Vec::new(),
                };
                let ends: Vec<_> = leased.into_iter().map(|leased| end(leased.lease)).collect();
                let recorded = store.record(ends).await.map_err(failed)?;
                if recorded.contains(&Recorded::Stale) {
                    return Err(Failure::Bench("an end was refused".to_owned()));
                }
                Ok(recorded.len())
            }
        })
        .await
    }

    async fn by_hand(&self, url: &str) -> Result<(Done, Done), Failure> {
        let raw = Arc::new(drivers::by_hand(url, self.callers, self.size).await?);
        let most = i64::try_from(self.batch).unwrap_or(i64::MAX);
        let bad = |error: String| Failure::Bench(error);
        let inserts = self
            .drive(|caller| {
                let (raw, batch) = (raw.clone(), self.batch);
                async move {
                    let inserted = raw[caller].insert(batch).await;
                    inserted.map(|()| batch).map_err(|error| bad(error.to_string()))
                }
            })
            .await?;
        let ends = self
            .drive(|caller| {
                let raw = raw.clone();
                async move {
                    let ended = raw[caller].claim_and_end(most).await;
                    ended.map_err(|error| bad(error.to_string()))
                }
            })
            .await?;
        Ok((inserts, ends))
    }

    /// Lets the callers do `one` again and again until it has come to `number` together.
    async fn drive<F>(&self, one: impl Fn(usize) -> F) -> Result<Done, Failure>
    where
        F: Future<Output = Result<usize, Failure>> + Send,
    {
        let all = AtomicU64::new(0);
        let began = Instant::now();
        let callers = (0..self.callers).map(|caller| {
            let (one, all) = (&one, &all);
            async move {
                let mut times = Vec::new();
                while all.load(Ordering::Relaxed) < self.number {
                    let asked = Instant::now();
                    let done = one(caller).await?;
                    times.push(asked.elapsed());
                    all.fetch_add(done as u64, Ordering::Relaxed);
                    if done == 0 && began.elapsed() > Duration::from_secs(600) {
                        return Err(Failure::Bench("nothing is left, and not all was done".into()));
                    }
                }
                Ok::<_, Failure>(times)
            }
        });
        let seen = futures_util::future::try_join_all(callers).await?;
        let took = began.elapsed();
        let mut times = histogram();
        for time in seen.into_iter().flatten() {
            times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1));
        }
        Ok(Done { rate: all.load(Ordering::Relaxed) as f64 / took.as_secs_f64(), times })
    }

    fn print(&self, what: &str, ours: &Done, raw: Option<&Done>) {
        let ms = |done: &Done, at| done.times.value_at_quantile(at) as f64 / 1e3;
        let ratio = raw.map(|raw| ours.rate / raw.rate);
        if self.json {
            let told = serde_json::json!({
                "what": what, "batch": self.batch, "callers": self.callers, "rate": ours.rate,
                "p50": ms(ours, 0.5), "p99": ms(ours, 0.99), "by_hand": raw.map(|raw| raw.rate), "ratio": ratio,
            });
            anstream::println!("{told}");
            return;
        }
        anstream::println!(
            "{what}: {:.0}/s  ({} at a time, {} callers)\n  ms a batch p50 {:.2}  p99 {:.2}",
            ours.rate,
            self.batch,
            self.callers,
            ms(ours, 0.5),
            ms(ours, 0.99)
        );
        if let (Some(raw), Some(ratio)) = (raw, ratio) {
            let rate = raw.rate;
            anstream::println!("  {ratio:.2} of loops written by hand: {rate:.0}/s");
        }
    }
}

fn queue() -> Result<QueueName, Failure> {
    QueueName::new("bench").map_err(|bad| Failure::Bench(bad.to_string()))
}

fn kind() -> Result<KindName, Failure> {
    KindName::new("bench.noop").map_err(|bad| Failure::Bench(bad.to_string()))
}

fn failed(error: StoreError) -> Failure {
    Failure::Bench(error.to_string())
}
