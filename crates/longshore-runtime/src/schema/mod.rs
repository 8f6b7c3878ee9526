//! What a kind's payload must look like: JSON Schema.
//!
//! A [`Schema`] is compiled once, when the service starts or its configuration is read again, and
//! then checks payloads before they are accepted. Checking is bounded: patterns run in linear
//! time, nothing is fetched from anywhere, and at most [`MAX_FAULTS`] faults are told.
//!
//! Numbers: integers of up to 64 bits are compared exactly. Larger ones, and those with a
//! fraction or an exponent, are compared as doubles (IEEE 754): the digits beyond that are kept
//! in the payload but do not count here. `1.0` is an integer, as the specification says.

mod compile;
mod cycles;
mod words;

pub use compile::{MAX_FAULTS, Schema, SchemaError};
