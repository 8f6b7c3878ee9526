//! Tests that need something which may not be there: ignored with the reason, and failed where `CI` is set.

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::pin::Pin;
use std::process::ExitCode;

/// Tells what is missing, if anything is.
pub type Need = fn() -> Result<(), String>;

/// A test by its name.
pub type Test = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()>>>);

/// Makes a trial that is ignored with the reason while its need is not met.
pub(crate) fn trial(
    name: String,
    need: Need,
    check: impl FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Err(missing) = need() {
            if std::env::var_os("CI").is_some() {
                return Err(Failed::from(missing));
            }
            return Ok(Completion::ignored_with(missing));
        }
        // A test may stand still while it tells a server something; its clients' heartbeats go on.
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).enable_all().build()?.block_on(check());
        Ok(Completion::Completed)
    })
}

/// Runs tests as libtest would, with its arguments. Called by [`needy_tests!`](crate::needy_tests).
#[doc(hidden)]
pub fn run(groups: &[(Need, &[Test])]) -> ExitCode {
    let trials = groups
        .iter()
        .flat_map(|(need, tests)| tests.iter().map(move |test| (*need, *test)))
        .map(|(need, (name, check))| trial(name.to_owned(), need, move || check()))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Expands to the `main` of a test target (`harness = false`): tests are `async fn()`, what they need is told by a
/// function, those that need something else follow, and another function is called after the last.
#[macro_export]
macro_rules! needy_tests {
    ($(needs: $need:path, [$($module:ident :: $test:ident),* $(,)?]),+, after: $after:path $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            let code = $crate::needy::run(&[$(($need, &[$((
                concat!(stringify!($module), "::", stringify!($test)),
                || ::std::boxed::Box::pin($module::$test()),
            )),*])),+]);
            $after();
            code
        }
    };
}
