//! Random operations on a store and on the model side by side: every answer must be the same, and
//! now and then everything that is kept.
//!
//! Ids, keys, lanes, kinds, queues and tenants come out of small pools, so that tasks meet. What
//! a store may choose freely (tokens, places, durability) is compared by order and identity, not
//! by value. The environment variable `LONGSHORE_SEED` repeats a run; the seed is told on failure,
//! with the last operations.

mod operation;
mod pair;
mod view;

use super::bench::Bench;
use super::case::Case;
use operation::Operation;
use pair::Pair;
use std::collections::VecDeque;

pub(super) const CASE: Case = Case {
    name: "random_operations_agree_with_the_model",
    check: |bench| Box::pin(random_operations_agree_with_the_model(bench)),
};

/// How many operations pass between two looks at everything.
const LOOK_EVERY: usize = 100;

/// How many operations are told on failure.
const TOLD: usize = 25;

async fn random_operations_agree_with_the_model(bench: Bench) {
    let seed = std::env::var("LONGSHORE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let operations = bench.operations();
    let mut pair = Pair::new(bench);
    let mut last: VecDeque<Operation> = VecDeque::new();
    for n in 1..=operations {
        let operation = Operation::any(&mut random, &pair);
        last.push_back(operation.clone());
        if last.len() > TOLD {
            last.pop_front();
        }
        let mut compared = pair.apply(operation).await;
        if compared.is_ok() && (n % LOOK_EVERY == 0 || n == operations) {
            compared = pair.look_at_everything().await;
        }
        if let Err(difference) = compared {
            let told: Vec<String> = last.iter().map(|operation| format!("{operation:?}")).collect();
            panic!(
                "operation {n} of LONGSHORE_SEED={seed}: {difference}\n\nthe last operations:\n{}",
                told.join("\n"),
            );
        }
    }
}
