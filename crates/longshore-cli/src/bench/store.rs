//! `longshore bench store`: the store alone, held against loops that somebody would write by hand.

use super::report::histogram;
use super::scratch::Place;
use crate::failure::Failure;
use clap::Args;
use hdrhistogram::Histogram;
use longshore::core::store::{Claim, Ending, Hold, Recorded, Store, StoreError, Want};
use longshore::core::{KindName, NewTask, Payload, QueueName, Valid, Verdict};
use longshore::drivers::{self, ByHand};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How the store is measured.
#[derive(Debug, Args)]
pub(crate) struct StoreAlone {
    #[command(flatten)]
    place: Place,
    /// How many tasks in each round.
    #[arg(long, default_value_t = 50_000)]
    number: u64,
    /// Rounds, in each of which the store and the loops by hand take turns.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
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
        let raw = match &self.place.store {
            Some(_) => {
                Some(Arc::new(drivers::by_hand(scratch.url(), self.callers, self.size).await?))
            }
            None => None,
        };
        let (mut accepts, mut lives) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let accepted = self.accept(&store).await?;
            let inserted = match &raw {
                Some(raw) => Some(self.insert(raw).await?),
                None => None,
            };
            accepts.push(Round { ours: accepted, raw: inserted });
            let recorded = self.claim_and_record(&store).await?;
            let ended = match &raw {
                Some(raw) => Some(self.claim_and_end(raw).await?),
                None => None,
            };
            lives.push(Round { ours: recorded, raw: ended });
        }
        store.close().await.map_err(failed)?;
        drop(store);
        scratch.clear().await?;
        self.print("accept", &accepts);
        self.print("claim and record", &lives);
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

    async fn insert(&self, raw: &Arc<Vec<ByHand>>) -> Result<Done, Failure> {
        self.drive(|caller| {
            let (raw, batch) = (raw.clone(), self.batch);
            async move {
                let inserted = raw[caller].insert(batch).await;
                inserted.map(|()| batch).map_err(|error| Failure::Bench(error.to_string()))
            }
        })
        .await
    }

    async fn claim_and_end(&self, raw: &Arc<Vec<ByHand>>) -> Result<Done, Failure> {
        let most = i64::try_from(self.batch).unwrap_or(i64::MAX);
        self.drive(|caller| {
            let raw = raw.clone();
            async move {
                let ended = raw[caller].claim_and_end(most).await;
                ended.map_err(|error| Failure::Bench(error.to_string()))
            }
        })
        .await
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

    fn print(&self, what: &str, rounds: &[Round]) {
        let mut times = histogram();
        for round in rounds {
            let _ = times.add(&round.ours.times); // all have the same bounds
        }
        let ms = |at| times.value_at_quantile(at) as f64 / 1e3;
        let rate = median(rounds.iter().map(|round| round.ours.rate)).unwrap_or(0.0);
        let by_hand = median(rounds.iter().filter_map(|round| Some(round.raw.as_ref()?.rate)));
        let ratios: Vec<f64> = rounds.iter().filter_map(Round::ratio).collect();
        let ratio = median(ratios.iter().copied());
        if self.json {
            let told = serde_json::json!({
                "what": what, "batch": self.batch, "callers": self.callers, "rate": rate,
                "p50": ms(0.5), "p99": ms(0.99), "by_hand": by_hand, "ratio": ratio, "ratios": ratios,
            });
            anstream::println!("{told}");
            return;
        }
        anstream::println!(
            "{what}: {rate:.0}/s  ({} at a time, {} callers)\n  ms a batch p50 {:.2}  p99 {:.2}",
            self.batch,
            self.callers,
            ms(0.5),
            ms(0.99)
        );
        if let (Some(by_hand), Some(ratio)) = (by_hand, ratio) {
            let ratios: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
            let ratios = ratios.join(" ");
            anstream::println!("  {ratio:.2} of loops written by hand: {by_hand:.0}/s  ({ratios})");
        }
    }
}

/// The store, and the loops by hand right after it.
struct Round {
    ours: Done,
    raw: Option<Done>,
}

impl Round {
    fn ratio(&self) -> Option<f64> {
        Some(self.ours.rate / self.raw.as_ref()?.rate)
    }
}

/// The middle one; of two the lower.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
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
