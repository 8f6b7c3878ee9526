//! One rule, one named test.

use super::bench::Bench;
use super::{Rig, agreement, cases};
use crate::needy::{self, Need};
use libtest_mimic::{Arguments, Trial};
use std::pin::Pin;
use std::process::ExitCode;

pub(super) type Later<T> = Pin<Box<dyn Future<Output = T>>>;

/// A rule that a store is checked for.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) check: fn(Bench) -> Later<()>,
}

/// Lists functions `async fn(Bench)` as cases; their names are the tests' names.
macro_rules! case_list {
    ($($check:ident),* $(,)?) => {
        pub(super) const CASES: &[$crate::store::case::Case] = &[$(
            $crate::store::case::Case {
                name: stringify!($check),
                check: |bench| Box::pin($check(bench)),
            }
        ),*];
    };
}
pub(super) use case_list;

/// Makes a rig, later.
type Fresh = fn() -> Later<Box<dyn Rig>>;

/// Runs all cases as libtest would, with its arguments. Called by `store_suite!`.
#[doc(hidden)]
pub fn run(fresh: Fresh, need: Need) -> ExitCode {
    let mut trials: Vec<Trial> = cases::ALL
        .iter()
        .flat_map(|(group, cases)| cases.iter().map(move |case| trial(group, case, fresh, need)))
        .collect();
    trials.push(trial("agreement", &agreement::CASE, fresh, need));
    let mut args = Arguments::from_args();
    // Most of them wait for a disk or a server most of the time.
    args.test_threads.get_or_insert(12);
    libtest_mimic::run(&args, trials).exit_code()
}

fn trial(group: &str, case: &'static Case, fresh: Fresh, need: Need) -> Trial {
    needy::trial(format!("{group}::{}", case.name), need, move || {
        Box::pin(async move { (case.check)(Bench::new(fresh().await)).await })
    })
}
