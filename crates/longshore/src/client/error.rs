//! What can go wrong when a service is called.

use longshore_core::Span;
use longshore_runtime::FieldError;
use std::time::Duration;

/// What an error means: what somebody should do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The request is wrong: correct it.
    Invalid,
    /// There is no such thing, or it is somebody else's.
    NotFound,
    /// The state of things does not allow it.
    Conflict,
    /// The key is missing, wrong, or not allowed to do this.
    Auth,
    /// Too much at the moment, or no room: come back later.
    Busy,
    /// Nobody answers there. Nothing was done.
    Unreachable,
    /// It may or may not have been done: repeat it with the same idempotency key.
    Unknown,
    /// The server is broken, or is no Longshore.
    Server,
}

/// What can go wrong when a service is called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Something that was given to the client cannot be used; nothing was sent.
    #[error("{what} {why}")]
    Unusable {
        /// Which thing, such as `the key`.
        what: &'static str,
        /// What is wrong and what would be right.
        why: String,
    },
    /// No connection: nothing was done.
    #[error("{url} cannot be reached: {why}")]
    Unreachable {
        /// Where, without secrets.
        url: String,
        /// Why.
        why: String,
    },
    /// No answer in time: it may or may not have been done.
    #[error("no answer within {}", Span(*waited))]
    Timeout {
        /// How long was waited.
        waited: Duration,
    },
    /// The connection broke off before the whole answer was there: it may or may not have been
    /// done.
    #[error("the connection broke off: {why}")]
    Broken {
        /// Why.
        why: String,
    },
    /// The service says no.
    #[error("{message} (LS-{code})")]
    Api {
        /// The HTTP status.
        status: u16,
        /// The error's code: five digits with a page under `/docs/errors/LS-…`; the status followed
        /// by `00` if something between gave the answer.
        code: u32,
        /// One sentence for people.
        message: String,
        /// Which fields are wrong.
        errors: Vec<FieldError>,
        /// When to come back.
        retry_after: Option<Duration>,
        /// The request's trace, for whoever runs the service.
        trace_id: Option<String>,
    },
    /// The answer is none that a Longshore service gives.
    #[error("the answer (status {status}) is not of a Longshore service: {why}")]
    Protocol {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
    /// It may or may not have been done, also after it was repeated. The same request with the same
    /// key finds out, for 24 hours.
    #[error("the task may or may not have been stored (idempotency key {key}): {source}")]
    Unknown {
        /// The idempotency key, to repeat the request with.
        key: String,
        /// What happened last.
        source: Box<ClientError>,
    },
}

impl ClientError {
    /// Says that something given to the client cannot be used.
    pub(super) fn unusable(what: &'static str, why: impl Into<String>) -> Self {
        Self::Unusable { what, why: why.into() }
    }

    /// Returns what it means.
    pub fn class(&self) -> Class {
        match self {
            Self::Unusable { .. } => Class::Invalid,
            Self::Unreachable { .. } => Class::Unreachable,
            Self::Timeout { .. } | Self::Broken { .. } | Self::Unknown { .. } => Class::Unknown,
            Self::Api { code: 50_002, .. } => Class::Unknown,
            Self::Api { status, .. } => match status {
                401 | 403 => Class::Auth,
                404 | 410 => Class::NotFound,
                409 | 412 | 422 => Class::Conflict,
                429 | 503 | 507 => Class::Busy,
                400..=499 => Class::Invalid,
                _ => Class::Server,
            },
            Self::Protocol { .. } => Class::Server,
        }
    }

    /// Returns when to come back, if the service said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            Self::Unknown { source, .. } => source.retry_after(),
            _ => None,
        }
    }

    /// Whether the same request may go better in a moment.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Api { status, code, .. } => {
                matches!(status, 429 | 502 | 503 | 504) || *code == 50_002
            }
            _ => false,
        }
    }

    /// Whether the request may have been carried out.
    pub(super) fn is_doubtful(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Broken { .. } | Self::Protocol { .. } => true,
            // The service's own 503 says that nothing was done; 502 and 504 are from between.
            Self::Api { status, .. } => matches!(status, 500 | 502 | 504),
            _ => false,
        }
    }

    /// Whether it is the service's own word that the request was not carried out, now or before:
    /// it looks at the idempotency key first.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Api { status, .. } if (400..500).contains(status) && *status != 429)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(status: u16, code: u32) -> ClientError {
        let (message, errors) = ("no".into(), Vec::new());
        ClientError::Api { status, code, message, errors, retry_after: None, trace_id: None }
    }

    #[test]
    fn every_status_has_a_meaning() {
        for (status, class) in [
            (400, Class::Invalid),
            (401, Class::Auth),
            (403, Class::Auth),
            (404, Class::NotFound),
            (409, Class::Conflict),
            (413, Class::Invalid),
            (422, Class::Conflict),
            (429, Class::Busy),
            (500, Class::Server),
            (503, Class::Busy),
            (507, Class::Busy),
        ] {
            assert_eq!(api(status, u32::from(status) * 100 + 1).class(), class, "{status}");
        }
        assert_eq!(api(500, 50_002).class(), Class::Unknown);
    }
}
