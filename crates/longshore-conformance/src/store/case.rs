//! One rule, one named test.

use super::bench::Bench;
use super::{Rig, agreement, cases};
use libtest_mimic::{Arguments, Completion, Trial};
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

/// Tells what is missing for a rig, if anything is.
type Need = fn() -> Result<(), String>;

/// Runs all cases as libtest would, with its arguments. Called by `store_suite!`.
#[doc(hidden)]
pub fn run(fresh: Fresh, need: Need) -> ExitCode {
    let mut trials: Vec<Trial> = cases::ALL
        .iter()
        .flat_map(|(group, cases)| cases.iter().map(move |case| trial(group, case, fresh, need)))
        .collect();
    trials.push(trial("agreement", &agreement::CASE, fresh, need));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(group: &str, case: &'static Case, fresh: Fresh, need: Need) -> Trial {
    Trial::ignorable_test(format!("{group}::{}", case.name), move || {
        if let Err(missing) = need() {
            if std::env::var_os("CI").is_some() {
                return Err(missing.into());
            }
            return Ok(Completion::ignored_with(missing));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { (case.check)(Bench::new(fresh().await)).await });
        Ok(Completion::Completed)
    })
}
