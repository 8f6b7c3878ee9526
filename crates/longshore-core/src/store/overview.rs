//! All that a server wants to know again and again.

use super::{Condition, Controls, Count, KnownKind};
use crate::Timestamp;

/// How everything stands, in one answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overview {
    /// How the store is.
    pub condition: Condition,
    /// What operators have set.
    pub controls: Controls,
    /// The kinds that are known because of workers.
    pub kinds: Vec<KnownKind>,
    /// How many tasks there are of each sort.
    pub counts: Vec<Count>,
    /// What there is to do.
    pub agenda: Agenda,
}

/// What upkeep there will be to do, as far as it is known now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agenda {
    /// When a task will have to be made ready.
    pub due: Option<Timestamp>,
    /// When a task will have to expire, if it is not started before.
    pub expires: Option<Timestamp>,
    /// When a schedule will have to fire.
    pub slot: Option<Timestamp>,
    /// Whether [`rescue`](super::Upkeep::rescue) finds something to do.
    pub abandoned: bool,
}
