//! What a measurement says, for people and as JSON.

use hdrhistogram::Histogram;
use std::time::Duration;

/// One measurement.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Report {
    /// What was measured.
    pub(crate) what: String,
    /// How safe an answer was: `disk`, or `none` for the yardstick.
    pub(crate) durability: &'static str,
    /// In flight at a time; or the rate of an open loop.
    pub(crate) load: String,
    /// How many were counted, after the warm-up.
    pub(crate) n: u64,
    /// In seconds.
    pub(crate) took: f64,
    /// A second.
    pub(crate) rate: f64,
    /// Latencies in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// CPU microseconds for each one, of the load and of the server.
    pub(crate) client_cpu_us: Option<f64>,
    pub(crate) server_cpu_us: Option<f64>,
    /// From the start of the server's process to its first line, in milliseconds.
    pub(crate) start_ms: Option<f64>,
    /// Largest memory of the server in MiB.
    pub(crate) peak_mib: f64,
    /// Answered and not there; there and never asked for.
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    /// Everything else that was refused.
    pub(crate) errors: u64,
}

impl Report {
    /// Makes a report of latencies in microseconds.
    pub(crate) fn new(what: &str, load: String, times: &Histogram<u64>, took: Duration) -> Self {
        let at = |quantile| times.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            what: what.to_owned(),
            durability: "disk",
            load,
            n: times.len(),
            took: took.as_secs_f64(),
            rate: times.len() as f64 / took.as_secs_f64(),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            client_cpu_us: None,
            server_cpu_us: None,
            start_ms: None,
            peak_mib: 0.0,
            lost: 0,
            duplicated: 0,
            errors: 0,
        }
    }

    /// Returns CPU microseconds for each one.
    pub(crate) fn per_item(&self, cpu: Duration, all: u64) -> f64 {
        cpu.as_secs_f64() * 1e6 / all.max(1) as f64
    }

    /// Prints it: one JSON object a line on stdout, or a few lines for people.
    pub(crate) fn print(&self, json: bool) {
        if json {
            let text = serde_json::to_string(self).unwrap_or_default();
            anstream::println!("{text}");
            return;
        }
        let start = self.start_ms.map_or(String::new(), |ms| format!("; ready after {ms:.0} ms"));
        // What lay there before was to come at no certain time.
        let times = match self.p999 > 0.0 {
            true => format!(
                "\n  ms p50 {:.2}  p95 {:.2}  p99 {:.2}  p99.9 {:.2}",
                self.p50, self.p95, self.p99, self.p999
            ),
            false => String::new(),
        };
        let cpu = |us: Option<f64>| us.map_or("-".to_owned(), |us| format!("{us:.1}"));
        anstream::println!(
            "{}: {:.0}/s  ({} in {:.1} s, {}, durability {}){times}\n  \
             CPU µs each: client {}, server {}; peak {:.0} MiB; lost {}, duplicated {}, errors {}{start}",
            self.what,
            self.rate,
            self.n,
            self.took,
            self.load,
            self.durability,
            cpu(self.client_cpu_us),
            cpu(self.server_cpu_us),
            self.peak_mib,
            self.lost,
            self.duplicated,
            self.errors,
        );
    }
}

/// A histogram of microseconds up to a minute.
pub(crate) fn histogram() -> Histogram<u64> {
    // The bounds are constant and fit.
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds fit")
}
