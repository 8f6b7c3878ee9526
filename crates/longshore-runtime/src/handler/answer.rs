//! What a handler may return.

use longshore_core::{Fault, FaultClass, Outcome, Payload};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Largest result, in bytes.
const MAX_RESULT: usize = 1 << 20;

/// Why a handler failed, and how that is treated.
///
/// Any error becomes one by `?`, as `transient`: tried again. It does not implement
/// [`std::error::Error`] itself, for that is what makes the `?` possible.
#[derive(Clone, PartialEq, Eq)]
pub struct HandlerError(Fault);

impl HandlerError {
    /// Makes an error of that class.
    pub fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self(Fault::new(class, message))
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
        Self(Fault::new(FaultClass::RateLimited, message).retry_after(pause))
    }

    /// Adds the handler's own code, such as `smtp.550`.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.class.as_str(), self.0.message)
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self::transient(message)
    }
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
        Outcome::Fault(self.0)
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

impl<T: Serialize, E: Into<HandlerError>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => Json(value).into_outcome(),
            Err(error) => error.into().into_outcome(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_is_tried_again_and_names_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("no mail sent")]
        struct Outer(#[source] std::io::Error);
        let failed: Result<(), Outer> = Err(Outer(std::io::Error::other("disk on fire")));
        let Outcome::Fault(fault) = failed.into_outcome() else { panic!("a fault") };
        assert_eq!(fault.class, FaultClass::Transient);
        assert_eq!(fault.message, "no mail sent: disk on fire");
    }

    #[test]
    fn nothing_returned_is_no_result() {
        assert_eq!(Ok::<(), HandlerError>(()).into_outcome(), Outcome::Success(None));
    }
}
