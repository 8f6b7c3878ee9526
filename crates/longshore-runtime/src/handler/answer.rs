//! What a handler may return.

use longshore_core::{Fault, FaultClass, Outcome, Payload};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Largest result, in bytes.
const MAX_RESULT: usize = 1 << 20;

/// Why a handler did not succeed, and what follows from it.
///
/// Any error becomes one by `?`, as `transient`: tried again, and buried after the last attempt. An
/// error type that knows better says so by [`Classify`]. It does not implement
/// [`std::error::Error`] itself, for that is what makes the `?` possible.
#[derive(Clone, PartialEq, Eq)]
pub struct HandlerError(Outcome);

impl HandlerError {
    /// Makes an error of that class.
    pub fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self(Outcome::Fault(Fault::new(class, message)))
    }

    /// May work next time.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FaultClass::Transient, message)
    }

    /// Will never work: straight to the dead letters.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self::new(FaultClass::BadData, message)
    }

    /// Something the handler leans on is down.
    pub fn dependency(message: impl Into<String>) -> Self {
        Self::new(FaultClass::Dependency, message)
    }

    /// The target asked for patience; the next attempt comes after `pause`.
    pub fn rate_limited(message: impl Into<String>, pause: Duration) -> Self {
        Self(Outcome::Fault(Fault::new(FaultClass::RateLimited, message).retry_after(pause)))
    }

    /// Not now: called again after `pause`, without using an attempt.
    pub fn snooze(pause: Duration) -> Self {
        Self(Outcome::Snooze(pause))
    }

    /// Not needed any more: the task ends `cancelled`, with this reason.
    pub fn discard(reason: impl Into<String>) -> Self {
        Self(Outcome::Discard(reason.into()))
    }

    /// Not here: given back without using an attempt, and handed out again after a second.
    pub fn release() -> Self {
        Self(Outcome::Released)
    }

    /// Takes an error that classifies itself.
    pub fn of(error: &impl Classify) -> Self {
        let mut fault = Fault::new(error.class(), chain_of(error));
        fault.code = error.code();
        fault.retry_after = error.retry_after();
        fault.fatal = error.is_fatal();
        Self(Outcome::Fault(fault))
    }

    /// Adds the handler's own code, such as `smtp.550`.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        if let Outcome::Fault(fault) = &mut self.0 {
            fault.code = Some(code.into());
        }
        self
    }

    /// Says that no further attempt is to be made.
    pub fn fatal(mut self) -> Self {
        if let Outcome::Fault(fault) = &mut self.0 {
            fault.fatal = true;
        }
        self
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Outcome::Fault(fault) => write!(f, "{}: {}", fault.class.as_str(), fault.message),
            other => other.fmt(f),
        }
    }
}

/// An error type that knows how it is to be treated.
///
/// ```
/// use longshore_runtime::handler::Classify;
/// use longshore_core::FaultClass;
///
/// #[derive(Debug, thiserror::Error)]
/// enum SendError {
///     #[error("no such mailbox")]
///     NoMailbox,
///     #[error("the mail server is away")]
///     Away(#[source] std::io::Error),
/// }
///
/// impl Classify for SendError {
///     fn class(&self) -> FaultClass {
///         match self {
///             Self::NoMailbox => FaultClass::BadData,
///             Self::Away(_) => FaultClass::Dependency,
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how its failures are treated",
    note = "implement `longshore::handler::Classify` for it (an empty impl will do) to have them tried again, or return `HandlerError`, which takes any error by `?`"
)]
pub trait Classify: std::error::Error {
    /// How it is treated. Default: `transient`, tried again and buried after the last attempt.
    fn class(&self) -> FaultClass {
        FaultClass::Transient
    }

    /// The handler's own code, such as `smtp.550`. Default: none.
    fn code(&self) -> Option<String> {
        None
    }

    /// The pause that the target asked for. Default: the policy decides.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// Whether no further attempt is to be made, whatever the class. Default: no.
    fn is_fatal(&self) -> bool {
        false
    }
}

impl Classify for std::io::Error {}
impl Classify for std::convert::Infallible {}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::transient(chain_of(&error))
    }
}

/// An error's message with those of its causes.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    message
}

/// Something that says how an attempt ended.
pub trait IntoOutcome {
    /// Says it.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Success(None)
    }
}

impl IntoOutcome for HandlerError {
    fn into_outcome(self) -> Outcome {
        self.0
    }
}

/// A result, written as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoOutcome for Json<T> {
    fn into_outcome(self) -> Outcome {
        match serde_json::to_string(&self.0) {
            Ok(text) if text == "null" => Outcome::Success(None),
            Ok(text) if text.len() > MAX_RESULT => Outcome::Fault(Fault::bad_data(format!(
                "the result has {} bytes, at most {MAX_RESULT} can be kept",
                text.len()
            ))),
            Ok(text) => Outcome::Success(Some(Payload::from_json(text))),
            Err(error) => {
                Outcome::Fault(Fault::bad_data(format!("the result cannot be JSON: {error}")))
            }
        }
    }
}

impl<T: Serialize> IntoOutcome for Result<T, HandlerError> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => Json(value).into_outcome(),
            Err(error) => error.into_outcome(),
        }
    }
}

impl<T: Serialize, E: Classify> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => Json(value).into_outcome(),
            Err(error) => HandlerError::of(&error).into_outcome(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no mail sent")]
    struct NotSent(#[source] std::io::Error);

    impl Classify for NotSent {
        fn class(&self) -> FaultClass {
            FaultClass::RateLimited
        }
        fn code(&self) -> Option<String> {
            Some("smtp.450".into())
        }
        fn retry_after(&self) -> Option<Duration> {
            Some(Duration::from_secs(9))
        }
    }

    fn not_sent() -> Result<(), NotSent> {
        Err(NotSent(std::io::Error::other("disk on fire")))
    }

    #[test]
    fn any_error_is_tried_again_and_names_its_causes() {
        let handler = || -> Result<(), HandlerError> { Ok(not_sent()?) };
        let Outcome::Fault(fault) = handler().into_outcome() else { panic!("a fault") };
        assert_eq!(fault.class, FaultClass::Transient);
        assert_eq!(fault.message, "no mail sent: disk on fire");
    }

    #[test]
    fn an_error_that_classifies_itself_is_treated_as_it_says() {
        let Outcome::Fault(fault) = not_sent().into_outcome() else { panic!("a fault") };
        assert_eq!(fault.class, FaultClass::RateLimited);
        assert_eq!(fault.retry_after, Some(Duration::from_secs(9)));
        assert_eq!(fault.code.as_deref(), Some("smtp.450"));
    }

    #[test]
    fn a_handler_may_ask_for_another_time_or_none() {
        let second = Duration::from_secs(1);
        let of = |error: HandlerError| Err::<(), _>(error).into_outcome();
        assert_eq!(of(HandlerError::snooze(second)), Outcome::Snooze(second));
        assert_eq!(of(HandlerError::discard("old")), Outcome::Discard("old".into()));
        assert_eq!(of(HandlerError::release()), Outcome::Released);
    }

    #[test]
    fn nothing_returned_is_no_result() {
        assert_eq!(Ok::<(), HandlerError>(()).into_outcome(), Outcome::Success(None));
    }
}
