//! `/metrics`, for Prometheus.

use crate::house::House;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric, in the OpenMetrics text format.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "The metrics", body = String,
        content_type = "application/openmetrics-text"))
)]
pub(crate) async fn metrics(State(house): State<House>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], house.engine().telemetry().encode())
}
