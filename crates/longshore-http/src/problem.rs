//! One error, one response: an RFC 9457 problem that is the API's envelope at the same time.
//!
//! Whatever goes wrong in a route ends as a [`Problem`]. It travels inside the response until
//! the [entrance](crate::entrance), which alone knows path and trace id, writes the body. Texts of
//! stores and panics stay in the log: what a problem says was written for the client.

use crate::codes::{self, Code};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use longshore_core::TaskId;
use longshore_core::store::{Refused, StoreError};
use longshore_runtime::{ActError, FieldError, ScheduleError, SubmitError};
use serde::Serialize;

/// Most field errors that one answer lists.
const MAX_ERRORS: usize = 50;
/// Seconds after which a busy, stopping or troubled server is worth another try; the entrance puts
/// what the engine says in its place.
const RETRY_AFTER: u32 = 1;

/// Something went wrong with a request. As the error of a route beside ours, it answers as ours do:
/// what the engine says becomes one by `?`.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: &'static Code,
    message: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// Makes a problem; `message` is for people and says what happened this time.
    pub(crate) fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// Makes the problem of these fields, of which some are not available yet: those lead.
    pub(crate) fn not_available(mut errors: Vec<FieldError>) -> Self {
        errors.sort_by_key(|error| error.message != NOT_AVAILABLE);
        Self::fields(errors).coded(&codes::NOT_AVAILABLE)
    }

    /// Makes the problem of these fields.
    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let message = match errors.as_slice() {
            [] => "the request is not valid".into(),
            [only] => format!("{}: {}", only.field, only.message),
            [first, rest @ ..] => {
                format!("{}: {} (and {} more)", first.field, first.message, rest.len())
            }
        };
        let mut problem = Self::new(&codes::INVALID, message);
        problem.0.errors = errors;
        problem
    }

    /// Gives it another code.
    pub(crate) fn coded(mut self, code: &'static Code) -> Self {
        self.0.code = code;
        self
    }

    /// Adds a header to the response.
    pub(crate) fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.headers.push((name, value));
        }
        self
    }

    /// Says that it is worth another try later.
    pub(crate) fn retry_after(self) -> Self {
        self.header(header::RETRY_AFTER, RETRY_AFTER.to_string())
    }

    fn at_task(self, id: TaskId) -> Self {
        self.header(header::LOCATION, format!("/v1/tasks/{id}"))
    }

    /// Returns what happened this time.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns what is wrong with which field, at most so many.
    pub(crate) fn errors(&self, at_most: usize) -> &[FieldError] {
        self.0.errors.get(..at_most).unwrap_or(&self.0.errors)
    }

    /// Says where it happened.
    pub(crate) fn inside(mut self, place: &str) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Returns its code.
    pub(crate) fn code(&self) -> &'static Code {
        self.0.code
    }

    /// Returns whether its time to come back is the engine's to say.
    pub(crate) fn is_about_load(&self) -> bool {
        self.0.code != &codes::TOO_MANY_TRIES
    }

    /// Says that it may or may not have been done.
    pub(crate) fn unknown_outcome() -> Self {
        Self::new(
            &codes::UNKNOWN_OUTCOME,
            "the task may or may not have been stored; repeat the request with the same \
             Idempotency-Key to find out",
        )
    }

    /// Says that a task does not exist.
    pub(crate) fn no_task(id: TaskId) -> Self {
        Self::new(&codes::NO_TASK, format!("there is no task {id}"))
    }

    /// Writes the body.
    pub(crate) fn body(&self, instance: &str, trace_id: &str) -> Vec<u8> {
        let Inner { code, message, errors, .. } = &*self.0;
        let body = Body {
            kind: format_args!("/docs/errors/{}", code.name()),
            title: code.title,
            status: code.status().as_u16(),
            detail: message,
            instance,
            code: code.number,
            message,
            data: (),
            errors: errors.get(..MAX_ERRORS).unwrap_or(errors),
            trace_id,
        };
        // Strings and numbers alone always serialize.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

/// What is said of a field that is documented but not built yet.
pub(crate) const NOT_AVAILABLE: &str = "is not available in this version";

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: std::fmt::Arguments<'a>,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: u32,
    message: &'a str,
    data: (),
    errors: &'a [FieldError],
    trace_id: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.code.status().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in &self.0.headers {
            headers.insert(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } | StoreError::Deadline { .. } => {
                tracing::warn!(%error, "the store could not serve a request");
                Self::new(&codes::STORE_AWAY, "the store is unavailable at the moment")
                    .retry_after()
            }
            StoreError::Full => Self::new(&codes::FULL, "there is no room for more tasks"),
            StoreError::Unknown { .. } => {
                tracing::warn!(%error, "the outcome of a request is unknown");
                Self::unknown_outcome()
            }
            StoreError::Closed | StoreError::Fatal { .. } => {
                tracing::error!(%error, "the store cannot go on");
                Self::new(&codes::STORE_CLOSED, "the store is closed; the server has to restart")
                    .retry_after()
            }
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::IdTaken { existing } => {
                Self::new(&codes::ID_TAKEN, format!("{message}: {existing}")).at_task(existing)
            }
            Refused::KeyReused => Self::new(&codes::KEY_REUSED, message),
            Refused::UniqueTaken { existing } => {
                Self::new(&codes::UNIQUE_TAKEN, format!("{message}: {existing}")).at_task(existing)
            }
            Refused::NoSuchParent { .. } => Self::fields(vec![FieldError::new("after", message)]),
            Refused::BacklogFull { .. } => Self::new(&codes::BACKLOG_FULL, message).retry_after(),
            Refused::NotFound => Self::new(&codes::NO_TASK, message),
            Refused::WrongState { .. } => Self::new(&codes::WRONG_STATE, message),
            Refused::Changed => Self::new(&codes::CHANGED, message),
        }
    }
}

impl From<ActError> for Problem {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Refused(refused) => refused.into(),
            ActError::Store(error) => error.into(),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(errors) => Self::fields(errors),
            SubmitError::Refused(refused) => refused.into(),
            SubmitError::Store(error) => error.into(),
            SubmitError::Stopping => {
                Self::new(&codes::STOPPING, "the server is stopping and takes nothing in")
                    .retry_after()
                    .header(header::CONNECTION, HeaderValue::from_static("close"))
            }
        }
    }
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        let message = error.to_string();
        match error {
            ScheduleError::Invalid(errors) => Self::fields(errors),
            ScheduleError::Taken => Self::new(&codes::SCHEDULE_TAKEN, message),
            ScheduleError::NotFound => Self::new(&codes::NO_SCHEDULE, message),
            ScheduleError::Changed => Self::new(&codes::CHANGED, message),
            ScheduleError::Configured => Self::new(&codes::CONFIGURED, message),
            ScheduleError::Submit(error) => error.into(),
            ScheduleError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::{QueueName, State};

    fn shown(problem: &Problem) -> serde_json::Value {
        serde_json::from_slice(&problem.body("/v1/tasks", "0af7")).unwrap()
    }

    #[test]
    fn the_body_is_a_problem_and_the_envelope_at_once() {
        let problem = Problem::fields(vec![FieldError::new("kind", "is required")]);
        assert_eq!(
            shown(&problem),
            serde_json::json!({
                "type": "/docs/errors/LS-40001",
                "title": "The request is not valid",
                "status": 400,
                "detail": "kind: is required",
                "instance": "/v1/tasks",
                "code": 40001,
                "message": "kind: is required",
                "data": null,
                "errors": [{"field": "kind", "message": "is required"}],
                "trace_id": "0af7",
            })
        );
    }

    #[test]
    fn what_the_store_says_stays_inside() {
        let secret = "SELECT * FROM tasks at /var/lib/longshore";
        for error in [
            StoreError::Unavailable { why: secret.into() },
            StoreError::Unknown { why: secret.into() },
            StoreError::Fatal { why: secret.into() },
        ] {
            let body = shown(&Problem::from(error)).to_string();
            assert!(!body.contains("SELECT") && !body.contains("/var"), "{body}");
        }
    }

    #[test]
    fn every_refusal_has_its_status_and_points_to_the_task_in_the_way() {
        let existing = TaskId::fresh();
        for (refused, status, located) in [
            (Refused::IdTaken { existing }, 409, true),
            (Refused::UniqueTaken { existing }, 409, true),
            (Refused::KeyReused, 422, false),
            (Refused::BacklogFull { queue: QueueName::default(), waiting: 7 }, 429, false),
            (Refused::NotFound, 404, false),
            (Refused::NoSuchParent { parent: existing }, 400, false),
            (Refused::WrongState { state: State::Running }, 409, false),
        ] {
            let response = Problem::from(refused).into_response();
            assert_eq!(response.status().as_u16(), status);
            let location = response.headers().get(header::LOCATION);
            assert_eq!(location.is_some(), located);
            if let Some(location) = location {
                assert_eq!(location.to_str().unwrap(), format!("/v1/tasks/{existing}"));
            }
        }
    }

    #[test]
    fn a_stopping_server_asks_for_another_connection_later() {
        let response = Problem::from(SubmitError::Stopping).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[header::CONNECTION], "close");
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn a_flood_of_errors_is_cut_short() {
        let errors = (0..1_000).map(|i| FieldError::new(format!("tags[{i}]"), "no")).collect();
        let body = shown(&Problem::fields(errors));
        assert_eq!(body["errors"].as_array().unwrap().len(), MAX_ERRORS);
    }
}
