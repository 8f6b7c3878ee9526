//! Total accounting: a checker that believes nobody's word but three ledgers kept outside of the
//! store.
//!
//! **Clients** write down what they were told, **handlers** what they did, **observers** what they
//! saw; whoever breaks things writes down when. After everything has healed and come to rest,
//! [`check()`] compares the four and reports what no honest store could have caused. The file
//! format is [JSON lines](Ledgers::read_dir); `longshore-accounting DIR` is the same as one
//! command.

mod check;
mod files;
mod ledger;
mod report;

pub use check::{Rules, check};
pub use files::LedgerError;
pub use ledger::{
    ActEntry, ClientEntry, Did, EffectEntry, FaultEntry, Ledgers, Observation, Recorded, Status,
    Told, Wanted,
};
pub use report::{Finding, Report};
