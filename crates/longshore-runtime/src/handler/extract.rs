//! What a handler may name as its arguments.

use super::{Call, Cx};
use longshore_core::Fault;
use serde::de::DeserializeOwned;
use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

/// Values that handlers share, one of each type.
#[derive(Debug, Clone, Default)]
pub struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    /// Adds a value, or replaces the one of its type.
    pub fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }
}

/// A handler names a [`State`] that nobody provided. Found at start-up, not at the first task.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no state of type {type_name} was provided")]
pub struct MissingState {
    type_name: &'static str,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<T>(pub T);

impl<T: DeserializeOwned> FromCall for Payload<T> {
    fn from_call(call: &Call, _: &States) -> Result<Self, Fault> {
        serde_json::from_slice(call.task.payload.as_bytes())
            .map(Self)
            .map_err(|error| Fault::bad_data(format!("the payload does not fit: {error}")))
    }
}

/// A value that was provided when the service was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromCall for State<T> {
    fn check(states: &States) -> Result<(), MissingState> {
        states.get::<T>().map(drop).ok_or(MissingState { type_name: type_name::<T>() })
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
        Ok(call.task.payload.clone())
    }
}
