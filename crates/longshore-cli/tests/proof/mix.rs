//! What clients ask for, drawn by lot: tasks of every sort, and acts on those that exist.

use fastrand::Rng;
use serde_json::{Value, json};

/// Lanes and unique keys are few, so that tasks meet in them.
const LANES: u8 = 8;
const UNIQUE: u8 = 4;

/// What a client does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Submit,
    /// Cancels the task that was submitted last: it waits, or it runs.
    Cancel,
    /// Opens one of the last tasks again.
    Retry,
    /// Submits one of the last tasks once more.
    Replay,
}

impl Next {
    pub(crate) fn any(rng: &mut Rng) -> Self {
        match rng.u8(0..100) {
            0..76 => Self::Submit,
            76..86 => Self::Cancel,
            86..94 => Self::Retry,
            _ => Self::Replay,
        }
    }
}

/// A task of some sort: quick, slow, failing, hanging, late, big, in a lane, the only one.
pub(crate) fn any_task(rng: &mut Rng) -> Value {
    let failing = |way: &str| json!({"fail_times": 1, "fail": way});
    let mut task = match rng.u8(0..20) {
        0..7 => json!({"kind": "hello", "payload": {"name": "proof"}}),
        7..13 => {
            let sleep = format!("{}ms", rng.u32(1..60));
            json!({"kind": "demo.work", "payload": {"sleep": sleep, "result": rng.u32(..)}})
        }
        13 | 14 => json!({"kind": "demo.work", "payload": failing("transient")}),
        15 | 16 => json!({"kind": "demo.work", "payload": failing("bad_data")}),
        17 => json!({"kind": "demo.work", "payload": failing("panic")}),
        18 => json!({"kind": "demo.work", "payload": failing("hang"), "timeout": "500ms"}),
        _ => {
            let text = "x".repeat(rng.usize(1_000..12_000));
            json!({"kind": "hello", "payload": {"name": "proof", "ballast": text}})
        }
    };
    if rng.u8(0..4) == 0 {
        task["priority"] = Value::from(rng.u8(0..10));
    }
    match rng.u8(0..16) {
        0 | 1 => task["delay"] = Value::from(format!("{}ms", rng.u32(10..400))),
        2..5 => task["order_key"] = Value::from(format!("lane-{}", rng.u8(0..LANES))),
        5 | 6 => {
            let key = format!("unique-{}", rng.u8(0..UNIQUE));
            task["unique"] = json!({"key": key, "while": "active"});
        }
        _ => {}
    }
    task
}

/// A task that harms nobody and takes so many milliseconds.
pub(crate) fn healthy_task(rng: &mut Rng, millis: std::ops::Range<u32>) -> Value {
    let sleep = format!("{}ms", rng.u32(millis));
    json!({"kind": "demo.work", "payload": {"sleep": sleep}})
}

/// A task that ends its process whenever it runs, after a moment.
pub(crate) fn killer() -> Value {
    json!({"kind": "demo.work", "payload": {"sleep": "40ms", "fail_times": 99, "fail": "exit"}})
}
