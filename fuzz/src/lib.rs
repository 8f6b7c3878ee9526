//! Inputs that nobody should send, for everything that parses them.
//!
//! A [`Target`] takes bytes and says what came of them; [`hunt`] feeds it first with a committed
//! corpus, then with what chance makes of it, and keeps what led somewhere new. Whatever is fed:
//! no panic, no answer of 500 and more, no input that takes long, and what is accepted is right.
//!
//! It runs on a stable toolchain, for a few seconds with the other tests, or for as long as
//! `FUZZ_SECONDS` says.

mod corpus;
mod door;
mod hunt;
mod mutate;
mod target;
pub mod targets;

pub use corpus::corpus;
pub use hunt::{Found, Hunt, hunt};
pub use target::{Came, Target};
