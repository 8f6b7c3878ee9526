//! The surface as clients meet it, with a whole engine over the model store behind it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod baseline;
mod door;
mod house;
mod pages;
mod tasks;
