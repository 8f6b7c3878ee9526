//! Why something was not done, by what was asked for.

use super::Problem;
use utoipa::IntoResponses;

#[derive(IntoResponses)]
pub(crate) enum Refusals {
    /// Fields are wrong, or the body is not JSON; nothing was stored
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// A task of this id, or with this `unique` key, exists; `Location` is its path
    #[response(status = 409, content_type = "application/problem+json")]
    Taken(#[to_schema] Problem),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not JSON by its type, or of an unknown coding
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The idempotency key was used with another body
    #[response(status = 422, content_type = "application/problem+json")]
    KeyReused(#[to_schema] Problem),
    /// The outcome is unknown: repeat with the same idempotency key
    #[response(status = 500, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
    /// The store is unavailable, or the server is stopping; see `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
    /// The store is full
    #[response(status = 507, content_type = "application/problem+json")]
    Full(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum BatchRefusals {
    /// No JSON array, too many items, or an `Idempotency-Key`; nothing was stored
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// The body did not arrive in time
    #[response(status = 408, content_type = "application/problem+json")]
    Slow(#[to_schema] Problem),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not JSON by its type, or of an unknown coding
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The outcome is unknown: repeat it if its items have keys
    #[response(status = 500, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
    /// The store is unavailable, or the server is stopping; see `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
    /// The store is full
    #[response(status = 507, content_type = "application/problem+json")]
    Full(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NotNow {
    /// The id is no UUID, or the body holds something
    #[response(status = 400, content_type = "application/problem+json")]
    BadId(#[to_schema] Problem),
    /// There is no such task
    #[response(status = 404, content_type = "application/problem+json")]
    NoTask(#[to_schema] Problem),
    /// Not possible in its present state, or its `unique` key is taken
    #[response(status = 409, content_type = "application/problem+json")]
    WrongState(#[to_schema] Problem),
    /// The outcome is unknown
    #[response(status = 500, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NoSuchName {
    /// A parameter, or the body of a call, holds something
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is nothing of that name
    #[response(status = 404, content_type = "application/problem+json")]
    NoName(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NotChanged {
    /// A setting is out of its range, or unknown
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// There is no such queue
    #[response(status = 404, content_type = "application/problem+json")]
    NoQueue(#[to_schema] Problem),
    /// The settings changed since they were read
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(#[to_schema] Problem),
    /// The body is not JSON by its type, or of an unknown coding
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum NotFound {
    /// The id is no UUID, or a parameter is wrong
    #[response(status = 400, content_type = "application/problem+json")]
    BadId(#[to_schema] Problem),
    /// There is no such task
    #[response(status = 404, content_type = "application/problem+json")]
    NoTask(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

#[derive(IntoResponses)]
pub(crate) enum Unreadable {
    /// A parameter is wrong
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// The store is unavailable
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}
