//! How an attempt ended, as a value: success, fault, timeout and panic alike.

use crate::Payload;
use std::time::Duration;

/// How a failure is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// May work next time: the default for what says nothing of itself.
    Transient,
    /// The attempt took too long.
    Timeout,
    /// The target asked for patience; its time is honoured.
    RateLimited,
    /// Something the handler leans on is down.
    Dependency,
    /// No attempt will ever succeed: straight to the dead letters.
    BadData,
    /// The handler panicked.
    Panic,
    /// The process died too often while this task ran.
    Crash,
}

impl FaultClass {
    /// All classes with the words of the API.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Transient, "transient"),
        (Self::Timeout, "timeout"),
        (Self::RateLimited, "rate_limited"),
        (Self::Dependency, "dependency"),
        (Self::BadData, "bad_data"),
        (Self::Panic, "panic"),
        (Self::Crash, "crash"),
    ];

    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).map_or("", |(_, word)| word)
    }
}

/// A failure of the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How it is treated.
    pub class: FaultClass,
    /// The handler's own code.
    pub code: Option<String>,
    /// One sentence for people.
    pub message: String,
    /// The handler's own trace.
    pub trace: Option<String>,
    /// The pause that the target asked for; overrides the policy's.
    pub retry_after: Option<Duration>,
    /// Never tried again, whatever its class.
    pub fatal: bool,
}

impl Fault {
    /// Makes a fault of that class.
    pub fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self {
            class,
            code: None,
            message: message.into(),
            trace: None,
            retry_after: None,
            fatal: false,
        }
    }

    /// May work next time.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FaultClass::Transient, message)
    }

    /// Will never work.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self::new(FaultClass::BadData, message)
    }

    /// Says that no further attempt is to be made.
    pub fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// Asks for that pause before the next attempt.
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The handler returned this (JSON text; nothing means `null`).
    Success(Option<Payload>),
    /// The handler failed.
    Fault(Fault),
    /// The attempt's time was up.
    Timeout {
        /// How long it was allowed to take.
        allowed: Duration,
    },
    /// The handler panicked with this message.
    Panic(String),
    /// The handler asks to be called later; no attempt is used.
    Snooze(Duration),
    /// The handler asks to throw the task away.
    Discard(String),
    /// The handler stopped because it was cancelled.
    Cancelled,
    /// The process is stopping: give it back.
    Released,
}
