//! One rule, one named test.

use super::bench::Bench;
use super::{BrokerRig, cases};
use crate::needy::Need;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use longshore_core::broker::Capabilities;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) type Later<T> = Pin<Box<dyn Future<Output = T>>>;

/// What a case needs of a broker.
pub(super) enum Needs {
    /// Nothing that not every broker can.
    Nothing,
    /// Something that it can, and its name.
    Can(&'static str, fn(&Capabilities) -> bool),
    /// A server that can be broken.
    Faults,
    /// Data that outlive the server.
    Reboot,
}

/// A rule that a broker is checked for.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) needs: Needs,
    pub(super) check: fn(Bench) -> Later<()>,
}

/// Lists functions `async fn(Bench)` as cases; their names are the tests' names.
macro_rules! case_list {
    ($($check:ident $(needs $needs:expr)?),* $(,)?) => {
        pub(super) const CASES: &[$crate::broker::case::Case] = &[$(
            $crate::broker::case::Case {
                name: stringify!($check),
                needs: case_list!(@ $($needs)?),
                check: |bench| Box::pin($check(bench)),
            }
        ),*];
    };
    (@) => { $crate::broker::case::Needs::Nothing };
    (@ $needs:expr) => { $needs };
}
pub(super) use case_list;

/// Makes a rig, later.
type Fresh = fn() -> Later<Box<dyn BrokerRig>>;

/// Runs all cases as libtest would, with its arguments. Called by `broker_suite!`.
#[doc(hidden)]
pub fn run(broker: &str, fresh: Fresh, need: Need, listed: &'static str) -> ExitCode {
    let seen: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let trials = cases::ALL
        .iter()
        .flat_map(|(group, cases)| cases.iter().map(move |case| (*group, case)))
        .map(|(group, case)| {
            let name = format!("{broker}::{group}::{}", case.name);
            trial(name, case, fresh, need, seen.clone())
        })
        .collect();
    let mut args = Arguments::from_args();
    // Most of them wait for a server most of the time.
    args.test_threads.get_or_insert(6);
    let is_whole = args.filter.is_none() && args.skip.is_empty() && !args.list && !args.ignored;
    let conclusion = libtest_mimic::run(&args, trials);
    if is_whole && need().is_ok() && !conclusion.has_failed() && !is_as_listed(&seen, listed) {
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// Compares what was ignored with the file that says so.
fn is_as_listed(seen: &Mutex<BTreeSet<String>>, listed: &str) -> bool {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let known = listed.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    for more in seen.difference(&known) {
        eprintln!("ignored, and not in the list of what is: {more}");
    }
    for less in known.difference(&seen) {
        eprintln!("in the list of what is ignored, and was not: {less}");
    }
    *seen == known
}

fn trial(
    name: String,
    case: &'static Case,
    fresh: Fresh,
    need: Need,
    seen: Arc<Mutex<BTreeSet<String>>>,
) -> Trial {
    let shown = name.clone();
    Trial::ignorable_test(name, move || {
        if let Err(missing) = need() {
            if std::env::var_os("CI").is_some() {
                return Err(Failed::from(missing));
            }
            return Ok(Completion::ignored_with(missing));
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(async {
            let rig = fresh().await;
            let missing = match case.needs {
                Needs::Nothing => None,
                Needs::Can(what, can) => {
                    let broker = rig.connect().await;
                    (!can(&broker.capabilities())).then_some(what)
                }
                Needs::Faults => rig.faults().is_none().then_some("a server that can be broken"),
                Needs::Reboot => rig.reboot().await.is_none().then_some("data that outlive it"),
            };
            if let Some(what) = missing {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(format!("{shown}: needs {what}"));
                return Ok(Completion::ignored_with(format!("needs {what}")));
            }
            (case.check)(Bench::new(rig).await).await;
            Ok(Completion::Completed)
        })
    })
}
