//! The effect ledger of the tests: what handlers did, told to somebody outside who is never killed.
//!
//! With `LONGSHORE_EFFECTS=/path/to.sock`, each start and end of a demo handler is one JSON
//! datagram to that socket.

use longshore::core::Outcome;
use longshore::handler::{BoxHandler, Call, Cx, FromCall, Handler, States};
use std::future::Future;
use std::os::unix::net::UnixDatagram;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

struct Watched {
    handler: BoxHandler,
    ledger: Arc<UnixDatagram>,
}

/// Names this life of this process.
static INCARNATION: LazyLock<String> =
    LazyLock::new(|| format!("{}-{}", std::process::id(), since_1970()));

/// Wraps `handler`, if there is a ledger.
pub(crate) fn watched(handler: BoxHandler) -> BoxHandler {
    let Some(path) = std::env::var_os("LONGSHORE_EFFECTS") else { return handler };
    let connected = UnixDatagram::unbound().and_then(|socket| {
        socket.connect(path)?;
        Ok(socket)
    });
    match connected {
        Ok(ledger) => BoxHandler::new(Watched { handler, ledger: Arc::new(ledger) }),
        Err(error) => panic!("LONGSHORE_EFFECTS: {error}"),
    }
}

impl Handler for Watched {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let Ok(cx) = Cx::from_call(&call, &States::default()) else {
            return self.handler.call(call);
        };
        let mut opened = Opened { ledger: self.ledger.clone(), cx, outcome: "dropped" };
        opened.note("start", "");
        let answer = self.handler.call(call);
        Box::pin(async move {
            let outcome = answer.await;
            opened.ended(&outcome);
            outcome
        })
    }
}

/// One opening; its end is told when this is dropped, so that a handler which panics, or is given
/// up, tells it too.
struct Opened {
    ledger: Arc<UnixDatagram>,
    cx: Cx,
    outcome: &'static str,
}

impl Opened {
    fn ended(&mut self, outcome: &Outcome) {
        self.outcome = match outcome {
            Outcome::Success(_) => "success",
            Outcome::Fault(_) => "fault",
            Outcome::Timeout { .. } => "timeout",
            Outcome::Panic(_) => "panic",
            Outcome::Snooze(_) => "snooze",
            Outcome::Discard(_) => "discard",
            Outcome::Cancelled => "cancelled",
            Outcome::Released => "released",
        };
    }

    fn note(&self, event: &str, outcome: &str) {
        let cx = &self.cx;
        let line = serde_json::json!({
            "id": cx.id(),
            "run": cx.run(),
            "attempt": cx.attempt(),
            "token": cx.token(),
            "incarnation": *INCARNATION,
            "event": event,
            "outcome": outcome,
            "at": since_1970(),
        });
        if let Err(error) = self.ledger.send(line.to_string().as_bytes()) {
            tracing::error!(%error, "the effect ledger is gone");
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.note("end", self.outcome);
    }
}

/// Now, in nanoseconds.
fn since_1970() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
