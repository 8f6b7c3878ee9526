//! The definition of a store, as tests.
//!
//! A store's crate holds one file, `tests/conformance.rs`, as a target with `harness = false`:
//!
//! ```text
//! async fn fresh() -> Box<dyn longshore_conformance::Rig> { … }
//! longshore_conformance::store_suite!(fresh);
//! ```
//!
//! Every case is a named test with a fresh [`Rig`] and a runtime of its own. Time is the rig's
//! [`ManualClock`](crate::ManualClock), so nothing sleeps; only a claim that waits does so on
//! real time, because a store may do real I/O on its threads.
//!
//! The rules are those of `docs/store.md`, a file of cases for each part. [`agreement`] runs
//! random operations and compares every answer with the [model](crate::model).

mod bench;
mod case;
mod rig;

pub mod agreement;
mod cases;

pub use case::run;
pub use rig::Rig;

/// Expands to the whole `main` of a test target (`harness = false`) that checks a store.
///
/// Takes the path of an `async fn() -> Box<dyn Rig>` which makes a fresh, empty store. A store that needs a
/// server names two more functions: one that starts it (or says what is missing: then the cases are ignored,
/// and fail where `CI` is set), and one that is called after the last case.
#[macro_export]
macro_rules! store_suite {
    ($fresh:path) => {
        fn main() -> ::std::process::ExitCode {
            $crate::__private::run(
                || ::std::boxed::Box::pin($fresh()),
                || ::std::result::Result::Ok(()),
            )
        }
    };
    ($fresh:path, needs: $need:path, after: $after:path) => {
        fn main() -> ::std::process::ExitCode {
            let code = $crate::__private::run(|| ::std::boxed::Box::pin($fresh()), $need);
            $after();
            code
        }
    };
}
