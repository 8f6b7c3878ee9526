//! Parts of paths, queries and headers.

use super::Status;
use utoipa::IntoParams;

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct IdParam {
    /// The task's id.
    #[param(format = "uuid")]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct QueueParam {
    /// The queue's name.
    #[param(example = "default")]
    queue: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct KindParam {
    /// The kind's name.
    #[param(example = "hello")]
    kind: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TenantParam {
    /// Your own tenant's name.
    #[param(example = "default")]
    tenant: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitParam {
    /// Wait so long for the end of the run, at most 60s.
    #[param(example = "10s")]
    wait: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IdempotencyKey {
    /// Your own name for the request, 1 to 128 visible characters, bare or quoted; kept for 24 h.
    #[param(rename = "Idempotency-Key")]
    key: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only of these; repeated or between commas.
    #[param(style = Form, explode = false)]
    status: Option<Vec<Status>>,
    /// Only of this queue.
    queue: Option<String>,
    /// Only of this kind.
    kind: Option<String>,
    /// Only with this tag.
    tag: Option<String>,
    /// Only of this tenant; others than your own have nothing to show.
    tenant: Option<String>,
    /// Only accepted then: `gt:`, `gte:`, `lt:` or `lte:` and a time; repeated for both ends.
    #[param(example = "gt:2026-11-20T09:00:00Z")]
    created: Option<Vec<String>>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ErrorParam {
    /// Only those whose last error is of this class, or has this code.
    #[param(example = "bad_data")]
    error: Option<String>,
}
