//! Names of the broker's queues: one for each kind of a carried queue, so that nobody receives what he cannot run.

use longshore_core::broker::{BadName, Group, GroupName};
use longshore_core::{KindName, QueueName};
use sha2::{Digest, Sha256};

/// No queue, kind, topic or group of a user begins so: names have no slash.
const BEGIN: &str = "ls.tasks/";
/// Recovery is the store's alone: how often an envelope was handed out says nothing.
const BREAKER: u32 = 1_000_000;

/// Returns the name of the group of a kind's tasks in a queue.
pub(super) fn name(queue: &QueueName, kind: &KindName) -> Result<GroupName, BadName> {
    let plain = format!("{BEGIN}{queue}/{kind}");
    GroupName::new(&plain).or_else(|_| {
        // Two long names are too long for one.
        let hash: [u8; 32] = Sha256::digest(plain.as_bytes()).into();
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        GroupName::new(&format!("{BEGIN}{hex}"))
    })
}

/// Returns the group: without dead letters, for those of tasks are the store's.
pub(super) fn group(name: GroupName) -> Group {
    Group { dead: None, breaker: BREAKER, ..Group::new(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(queue: &str, kind: &str) -> String {
        let (queue, kind) = (QueueName::new(queue).unwrap(), KindName::new(kind).unwrap());
        name(&queue, &kind).unwrap().to_string()
    }

    #[test]
    fn each_kind_of_a_queue_has_a_name_of_its_own() {
        assert_eq!(named("mail", "invoice.send"), "ls.tasks/mail/invoice.send");
        assert_ne!(named("a.b", "c"), named("a", "b.c"));
        let long = "x".repeat(128);
        assert_ne!(named(&long, &long), named(&long, &"y".repeat(128)));
    }
}
