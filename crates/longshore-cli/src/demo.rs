//! The kinds that `longshore dev` brings: `hello` and `demo.work`.

use longshore::Builder;
use longshore::core::{Outcome, Payload, Span};
use longshore::handler::{self, BoxHandler, Cx, HandlerError, IntoOutcome, Json, States};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Adds the demo kinds.
pub(crate) fn add_to(builder: Builder) -> Builder {
    // Neither names a state, so none can be missing.
    let made = |handler: Result<BoxHandler, _>| {
        watched(handler.unwrap_or_else(|_: handler::MissingState| handler::nothing()))
    };
    builder
        .boxed_handler("hello", made(handler::boxed(hello, &States::default())))
        .boxed_handler("demo.work", made(handler::boxed(work, &States::default())))
}

#[cfg(not(feature = "faults"))]
fn watched(handler: BoxHandler) -> BoxHandler {
    handler
}

#[cfg(feature = "faults")]
fn watched(handler: BoxHandler) -> BoxHandler {
    crate::effects::watched(handler)
}

/// Takes any payload; an object's `name` is greeted.
async fn hello(payload: Payload) -> Outcome {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    let named = serde_json::from_str::<Named>(payload.as_str());
    let name = named.map_or_else(|_| "world".to_owned(), |named| named.name);
    Json(BTreeMap::from([("hello", name)])).into_outcome()
}

/// What `demo.work` is asked to do.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Work {
    sleep: Span,
    fail_times: u32,
    fail: Way,
    result: Box<RawValue>,
}

impl Default for Work {
    fn default() -> Self {
        let result = RawValue::NULL.to_owned();
        Self { sleep: Span::default(), fail_times: 0, fail: Way::Transient, result }
    }
}

/// A way to fail.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    Transient,
    BadData,
    Panic,
    Hang,
    Exit,
    /// Sleeps without ever yielding.
    #[cfg(feature = "faults")]
    Block,
}

/// Sleeps, fails so many openings in the way it is told, then succeeds with the given result.
async fn work(handler::Payload(work): handler::Payload<Option<Work>>, cx: Cx) -> Outcome {
    let work = work.unwrap_or_default();
    #[cfg(feature = "faults")]
    if matches!(work.fail, Way::Block) {
        return block(&work, &cx);
    }
    tokio::time::sleep(work.sleep.0).await;
    if cx.openings() > work.fail_times {
        let result = work.result.get();
        return Outcome::Success((result != "null").then(|| Payload::from_json(result)));
    }
    let message = format!("told to fail, opening {} of {}", cx.openings(), work.fail_times);
    match work.fail {
        Way::Transient => HandlerError::transient(message).into_outcome(),
        Way::BadData => HandlerError::bad_data(message).into_outcome(),
        Way::Panic => std::panic::panic_any(message),
        Way::Hang => {
            cx.stopped().await;
            Outcome::Cancelled
        }
        Way::Exit => std::process::exit(70),
        #[cfg(feature = "faults")]
        Way::Block => block(&work, &cx),
    }
}

/// Blocks its thread for so many openings, then succeeds at once.
#[cfg(feature = "faults")]
fn block(work: &Work, cx: &Cx) -> Outcome {
    if cx.openings() > work.fail_times {
        return Outcome::Success(None);
    }
    std::thread::sleep(work.sleep.0);
    HandlerError::transient("blocked its thread").into_outcome()
}
