//! What goes over the wire, described for the document. Nothing here is ever made: the code that
//! reads and writes works on bytes.
#![expect(dead_code, reason = "these types exist for their descriptions alone")]

mod answer;
mod params;
mod queue;
mod refusals;
mod server;
mod submit;
mod task;

pub(crate) use answer::{Envelope, FieldError, Problem};
pub(crate) use params::{
    ErrorParam, IdParam, IdempotencyKey, KindParam, ListParams, PageParams, QueueParam,
    TenantParam, WaitParam,
};
pub(crate) use queue::{KindHeld, Purged, Queue, QueueChange, QueueList, Scaling, TenantHeld};
pub(crate) use refusals::{
    BatchRefusals, NoSuchName, NotChanged, NotFound, NotNow, Refusals, Unreadable,
};
pub(crate) use server::{AuditList, Config, Health, Probe};
pub(crate) use submit::{Accepted, BatchAnswer, Duration, NewTask, Replay, TaskOrAccepted, Unique};
pub(crate) use task::{AttemptList, Durability, Status, Task, TaskList};
