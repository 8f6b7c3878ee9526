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
/// Takes the path of an `async fn() -> Box<dyn Rig>` which makes a fresh, empty store.
#[macro_export]
macro_rules! store_suite {
    ($fresh:path) => {
        fn main() -> ::std::process::ExitCode {
            $crate::__private::run(|| ::std::boxed::Box::pin($fresh()))
        }
    };
}
