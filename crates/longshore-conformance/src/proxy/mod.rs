//! A TCP proxy that breaks links on purpose, between programs of this machine.
//!
//! [`Proxy`] listens on a port of its own and forwards to a target. What a [`Fault`] does is told for
//! all connections, or for new ones only; links heal when [`Fault::None`] is told.
//!
//! What it cannot play: the kernel acknowledges what it has not forwarded yet, and completes the handshake of a
//! connection that then hears nothing. Both ends see a link that is silent, never one whose packets are lost.

mod fault;
mod link;
mod listener;

pub use fault::{Fault, Way};
pub use listener::Proxy;
