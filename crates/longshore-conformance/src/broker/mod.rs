//! The definition of a broker, as tests.
//!
//! A driver's crate holds one file, `tests/conformance.rs`, as a target with `harness = false`:
//!
//! ```text
//! async fn fresh() -> Box<dyn longshore_conformance::BrokerRig> { … }
//! longshore_conformance::broker_suite!("rabbitmq", fresh, ignored: "ignored.txt");
//! ```
//!
//! Every case is a named test with a [rig](BrokerRig) and a runtime of its own, and with names that no other case uses:
//! they share a server. The rules are those of `docs/broker.md`, a file of cases for each part. A case that needs
//! what this broker cannot do is *ignored: needs X*; which ones these are is a committed file, and a difference
//! fails the run.

mod bench;
mod case;
mod cases;
pub mod model;
mod rig;
#[cfg(test)]
mod seeded;

pub use case::run;
pub use model::ModelBroker;
pub use rig::{BrokerRig, Faults};

/// Expands to the whole `main` of a test target (`harness = false`) that checks a broker.
///
/// Takes the broker's name, which begins the names of the cases, the path of an `async fn() -> Box<dyn BrokerRig>`, and the text of the file with the cases that are ignored.
/// A driver that needs a server names two more functions: one that starts it (or says what is missing), and one
/// that is called after the last case.
#[macro_export]
macro_rules! broker_suite {
    ($name:literal, $fresh:path, ignored: $file:literal) => {
        fn main() -> ::std::process::ExitCode {
            let need = || ::std::result::Result::Ok(());
            $crate::broker::run(
                $name,
                || ::std::boxed::Box::pin($fresh()),
                need,
                include_str!($file),
            )
        }
    };
    ($name:literal, $fresh:path, ignored: $file:literal, needs: $need:path, after: $after:path) => {
        fn main() -> ::std::process::ExitCode {
            let code = $crate::broker::run(
                $name,
                || ::std::boxed::Box::pin($fresh()),
                $need,
                include_str!($file),
            );
            $after();
            code
        }
    };
}
