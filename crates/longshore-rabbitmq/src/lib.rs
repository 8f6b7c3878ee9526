//! The driver for RabbitMQ: publish, subscribe and settle over AMQP 0-9-1.
//!
//! What a broker answers is `docs/broker.md`; this is how RabbitMQ does it.
//!
//! - **Links**: one connection receives and declares, another one publishes; each is made, watched and made again by
//!   its own `link`; what both are is told by one `board`. The client's own recovery is off.
//! - **What has to be there** is remembered by the keeper (`topology`) and made at start, after each reconnect and where
//!   it is found missing: a quorum queue for each group, bound to an exchange (`shape`, `making`).
//! - **Publishing** gathers callers into flights, whose confirms are awaited together (`publisher`, `flight`).
//! - **Receiving** has a channel for each subscription (`reader`), and tells runs of settled deliveries by cumulative
//!   acks (`acks`). Retries climb the ladder of pauses, dead letters go to a queue, each confirmed before the original is
//!   acked (`delivery`, `ladder`).

mod acks;
mod board;
mod broker;
mod connection;
mod consumer;
mod delivery;
mod desk;
mod error;
mod flight;
mod greeting;
mod group;
mod ladder;
mod link;
mod live;
mod making;
mod mismatch;
mod names;
mod options;
mod publisher;
#[doc(hidden)]
pub mod raw;
mod reader;
mod request;
mod sending;
mod shape;
mod source;
mod stream;
mod tls;
mod topology;
mod wire;

pub use broker::RabbitMq;
pub use error::OpenError;
pub use group::{ExchangeType, GroupOptions};
pub use options::Options;
pub use request::RequestError;
