//! Messages through a real RabbitMQ, and tasks that it carries, while it is killed, stopped, frozen, cut off and emptied:
//! whatever was confirmed or accepted is handled.
//!
//! [`account`] believes nobody: what publishers were told, and what a receiver saw that nothing breaks
//! ([`receiver`]). [`rig`] is a broker behind a link, and a server between both; [`soak`] breaks it by lot, [`bounces`]
//! twenty times in a row.

mod account;
mod bounces;
mod receiver;
mod rig;
mod soak;

pub(crate) use bounces::twenty_bounces_need_no_hand;
pub(crate) use soak::{on_postgresql, on_the_embedded_store};
