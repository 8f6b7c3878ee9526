//! What a handler may name as its arguments.

use super::{Call, Cx};
use longshore_core::Fault;
use serde::de::DeserializeOwned;
use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

/// Values that handlers share, one of each type.
#[derive(Debug, Clone, Default)]
pub struct States {
    values: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    of_messages: bool,
}

impl States {
    /// Adds a value, or replaces the one of its type.
    pub fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// Returns the same values for a handler of messages, which may name a [`Message`](super::Message) too.
    #[must_use]
    pub fn for_messages(&self) -> Self {
        Self { of_messages: true, ..self.clone() }
    }

    fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.values.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }

    /// Fails unless the handler is one of messages.
    pub(super) fn needs_messages(&self, argument: &'static str) -> Result<(), MissingState> {
        if self.of_messages { Ok(()) } else { Err(MissingState::OfMessages { argument }) }
    }
}

/// A handler names something that nobody provides. Found at start-up, not at the first task.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MissingState {
    /// A [`State`] of a type that nobody provided.
    #[error("no state of type {type_name} was provided")]
    State {
        /// The type.
        type_name: &'static str,
    },
    /// Something that only messages have, in a handler of tasks.
    #[error("{argument} is there for consumers of messages alone, and this handler runs tasks")]
    OfMessages {
        /// The argument.
        argument: &'static str,
    },
}

/// Something that can be made out of a call.
pub trait FromCall: Sized {
    /// Checks at start-up that it will be possible.
    fn check(_states: &States) -> Result<(), MissingState> {
        Ok(())
    }

    /// Makes it. A fault ends the attempt before the handler is called.
    fn from_call(call: &Call, states: &States) -> Result<Self, Fault>;
}

/// The payload, read as `T`. One that does not fit goes straight to the dead letters.
///
/// JSON, but for messages of a consumer that takes text (`String`) or bytes (`Vec<u8>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<T>(pub T);

impl<T: DeserializeOwned> FromCall for Payload<T> {
    fn from_call(call: &Call, _: &States) -> Result<Self, Fault> {
        let bad = |why: &dyn std::fmt::Display| {
            Fault::bad_data(format!("the payload does not fit: {why}"))
        };
        match &call.message {
            Some(message) => message.read().map(Self).map_err(|why| bad(&why)),
            None => serde_json::from_slice(call.task.payload.as_bytes())
                .map(Self)
                .map_err(|why| bad(&why)),
        }
    }
}

/// A value that was provided when the service was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromCall for State<T> {
    fn check(states: &States) -> Result<(), MissingState> {
        states.get::<T>().map(drop).ok_or(MissingState::State { type_name: type_name::<T>() })
    }

    fn from_call(_: &Call, states: &States) -> Result<Self, Fault> {
        // `check` has seen it; states never lose a value.
        states
            .get::<T>()
            .map(Self)
            .ok_or_else(|| Fault::transient(format!("no state of type {}", type_name::<T>())))
    }
}

impl FromCall for Cx {
    fn from_call(call: &Call, _: &States) -> Result<Self, Fault> {
        Ok(Self(call.clone()))
    }
}

impl FromCall for longshore_core::Payload {
    fn from_call(call: &Call, _: &States) -> Result<Self, Fault> {
        match &call.message {
            Some(message) => message.as_json(),
            None => Ok(call.task.payload.clone()),
        }
    }
}
