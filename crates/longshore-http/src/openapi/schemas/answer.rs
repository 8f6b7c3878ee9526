//! What every answer is made of.

use utoipa::ToSchema;

/// A success.
#[derive(ToSchema)]
pub(crate) struct Envelope<T> {
    /// The HTTP status.
    #[schema(example = 200)]
    code: u16,
    /// A word for it.
    #[schema(example = "ok")]
    message: String,
    /// What was asked for.
    data: T,
}

/// One thing that is wrong with a request.
#[derive(ToSchema)]
pub(crate) struct FieldError {
    /// Where, as you wrote it, such as `tags[3]`.
    #[schema(example = "priority")]
    field: String,
    /// What is wrong and what would be right.
    #[schema(example = "must be 0 to 9")]
    message: String,
}

/// An error: an RFC 9457 problem and the envelope at once.
#[derive(ToSchema)]
#[schema(examples(json!({
    "type": "/docs/errors/LS-40001", "title": "The request is not valid", "status": 400,
    "detail": "priority: must be 0 to 9", "instance": "/v1/tasks", "code": 40001,
    "message": "priority: must be 0 to 9", "data": null,
    "errors": [{"field": "priority", "message": "must be 0 to 9"}],
    "trace_id": "0af7651916cd43dd8448eb211c80319c"
})))]
pub(crate) struct Problem {
    /// A page that this server serves.
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    /// The path that was asked for.
    instance: String,
    /// Five digits that begin with the HTTP status.
    code: u32,
    message: String,
    /// Always null.
    #[schema(value_type = Value)]
    data: (),
    errors: Vec<FieldError>,
    /// Names this request in the server's log.
    trace_id: String,
}
