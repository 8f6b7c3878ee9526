//! `longshore bench schedules`: many schedules in a server that does nothing else.

use super::report::{Report, histogram};
use super::scratch::Place;
use crate::child::Server;
use crate::failure::Failure;
use clap::Args;
use longshore::Client;
use longshore::client::{ClientError, ListFilter, NewSchedule, Submit};
use longshore::core::{Clock, SystemClock};
use std::time::{Duration, Instant};

/// What they have in common.
const KIND: &str = "hello";

/// How schedules are measured.
#[derive(Debug, Args)]
pub(crate) struct Schedules {
    /// How many schedules. Each fires once an hour, at a second of its own.
    #[arg(long, default_value_t = 10_000)]
    number: u32,
    /// So many more, all at once, half a minute after the start of a minute.
    #[arg(long, default_value_t = 0)]
    together: u32,
    /// Seconds that are counted.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    #[command(flatten)]
    place: Place,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Schedules {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.place.serve("", async |server: &Server| self.measure(server).await)
    }

    async fn measure(&self, server: &Server) -> Result<(), Failure> {
        let client = Client::connect(&format!("http://{}", server.addr)).map_err(failed)?;
        for number in 0..self.number {
            // Spread over the hour, in no order.
            let second = u64::from(number) * 3_600 / u64::from(self.number.max(1));
            let cron = format!("{} {} * * * *", second % 60, second / 60);
            self.add(&client, cron).await?;
        }
        for _ in 0..self.together {
            self.add(&client, "30 * * * * *".to_owned()).await?;
        }
        // What creating them cost is not counted.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let from = SystemClock.now();
        let (began, before) = (Instant::now(), server.usage().0);
        tokio::time::sleep(Duration::from_secs_f64(self.seconds)).await;
        let (took, (cpu, peak)) = (began.elapsed(), server.usage());
        let core = cpu.saturating_sub(before).as_secs_f64() / took.as_secs_f64() * 100.0;
        let mut times = histogram();
        let everything = ListFilter::new().limit(200).created_after(from);
        let mut filter = everything.clone();
        loop {
            let page = client.tasks().list(&filter).await.map_err(failed)?;
            for task in page.items.iter().filter(|task| task.run_at >= from) {
                let late = task.created_at.0.saturating_sub(task.run_at.0).max(0);
                times.saturating_record(late.unsigned_abs() * 1_000);
            }
            match page.next_cursor {
                Some(next) => filter = everything.clone().after(next),
                None => break,
            }
        }
        let load = format!("{} schedules, {} at once", self.number, self.together);
        let mut report = Report::new("lateness of slots", load, &times, took);
        report.start_ms = Some(server.start.as_secs_f64() * 1e3);
        report.peak_mib = peak as f64 / f64::from(1 << 20);
        report.print(self.json);
        let latest = times.max() as f64 / 1e3;
        if self.json {
            let told = serde_json::json!({ "what": "schedules", "core_percent": core, "latest_ms": latest });
            anstream::println!("{told}");
        } else {
            anstream::println!("  {core:.2} % of a core; the latest came after {latest:.0} ms");
        }
        Ok(())
    }

    async fn add(&self, client: &Client, cron: String) -> Result<(), Failure> {
        let schedule = NewSchedule::new(cron, Submit::new(KIND));
        client.schedules().create(&schedule).await.map(drop).map_err(failed)
    }
}

fn failed(error: ClientError) -> Failure {
    Failure::Bench(error.to_string())
}
