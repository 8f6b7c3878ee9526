//! The rules of `docs/broker.md`, a file for each part of the page.

mod close;
mod links;
mod publish;
mod reboot;
mod receive;
mod settle;
mod topology;

use super::bench;
use super::case::{Case, Needs, case_list};
use longshore_core::broker::Capabilities;

/// All cases, by the part they check.
pub(super) const ALL: &[(&str, &[Case])] = &[
    ("close", close::CASES),
    ("links", links::CASES),
    ("publish", publish::CASES),
    ("reboot", reboot::CASES),
    ("receive", receive::CASES),
    ("settle", settle::CASES),
    ("topology", topology::CASES),
];

const UNROUTABLE: Needs =
    Needs::Can("a word about what nobody receives", |can: &Capabilities| can.tells_unroutable);
const WILDCARDS: Needs = Needs::Can("patterns", |can| can.wildcards);
const ORDER: Needs = Needs::Can("order", |can| can.ordered);
const SINGLE: Needs = Needs::Can("a single active subscription", |can| can.single_active);
const BROADCAST: Needs = Needs::Can("broadcast", |can| can.broadcast);
const RETRY: Needs = Needs::Can("retries after a pause", |can| can.retry.is_some());
const DEAD: Needs = Needs::Can("dead letters", |can| can.dead_letters);
const COUNTS: Needs = Needs::Can("a count of hand-outs", |can| can.counts_hand_outs);
const IN_FLIGHT: Needs = Needs::Can("a count of what is in flight", |can| can.inspects_in_flight);
const FAULTS: Needs = Needs::Faults;
const REBOOT: Needs = Needs::Reboot;
