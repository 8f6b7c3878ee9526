//! The rules of `docs/store.md`, a file for each part of the page.

mod accept;
mod acts;
mod attempts;
mod backlog;
mod boot;
mod carried;
mod ends;
mod expiry;
mod extend;
mod fencing;
mod isolation;
mod lanes;
mod lifecycle;
mod order;
mod oversight;
mod parents;
mod pauses;
mod payloads;
mod prune;
mod rates;
mod reading;
mod relaying;
mod reopen;
mod rescue;
mod schedules;
mod survival;
mod terms;
mod unique;
mod upkeep;
mod waiting;
mod workers;

use super::bench;
use super::case::{Case, case_list};

/// All cases, by the part they check.
pub(super) const ALL: &[(&str, &[Case])] = &[
    ("accept", accept::CASES),
    ("acts", acts::CASES),
    ("attempts", attempts::CASES),
    ("backlog", backlog::CASES),
    ("boot", boot::CASES),
    ("carried", carried::CASES),
    ("relaying", relaying::CASES),
    ("ends", ends::CASES),
    ("expiry", expiry::CASES),
    ("extend", extend::CASES),
    ("fencing", fencing::CASES),
    ("isolation", isolation::CASES),
    ("lanes", lanes::CASES),
    ("lifecycle", lifecycle::CASES),
    ("order", order::CASES),
    ("oversight", oversight::CASES),
    ("parents", parents::CASES),
    ("pauses", pauses::CASES),
    ("payloads", payloads::CASES),
    ("prune", prune::CASES),
    ("rates", rates::CASES),
    ("reading", reading::CASES),
    ("reopen", reopen::CASES),
    ("rescue", rescue::CASES),
    ("schedules", schedules::CASES),
    ("survival", survival::CASES),
    ("terms", terms::CASES),
    ("unique", unique::CASES),
    ("upkeep", upkeep::CASES),
    ("waiting", waiting::CASES),
    ("workers", workers::CASES),
];
