//! Counting and timing requests, by route template: what clients send never becomes a label.

use http::{Method, StatusCode};
use longshore_runtime::telemetry::{BUCKETS, Telemetry};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    method: &'static str,
    path: &'static str,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    path: &'static str,
}

/// The metrics of the door.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    requests: Family<Call, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    /// The engine's, once there is one.
    telemetry: Arc<OnceLock<Arc<Telemetry>>>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            telemetry: Arc::default(),
        }
    }
}

impl Meter {
    /// Shows the metrics beside those of the engine.
    pub(crate) fn register(&self, telemetry: &Arc<Telemetry>) {
        // A door has one engine.
        let _ = self.telemetry.set(telemetry.clone());
        telemetry.register(|registry| {
            // The crate appends `_total` and the unit to the names.
            registry.register("http_requests", "Requests answered", self.requests.clone());
            registry.register_with_unit(
                "http_request_duration",
                "From the request's head to the answer's",
                Unit::Seconds,
                self.durations.clone(),
            );
        });
    }

    /// Returns when it is worth to come back, as far as the engine knows.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.telemetry.get().map(|telemetry| telemetry.retry_after())
    }

    /// Notes one answer.
    pub(crate) fn note(
        &self,
        method: &'static str,
        path: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let status = u32::from(status.as_u16());
        self.requests.get_or_create(&Call { method, path, status }).inc();
        self.durations.get_or_create(&Route { method, path }).observe(took.as_secs_f64());
    }
}

/// Returns the label of a method.
pub(crate) fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_under_the_names_that_boards_know() {
        let (telemetry, meter) = (Arc::new(Telemetry::default()), Meter::default());
        meter.register(&telemetry);
        meter.note("POST", "/v1/tasks", StatusCode::CREATED, Duration::from_millis(2));
        let text = telemetry.encode();
        for line in [
            r#"http_requests_total{method="POST",path="/v1/tasks",status="201"} 1"#,
            r#"http_request_duration_seconds_count{method="POST",path="/v1/tasks"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
