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
static INCARNATION: LazyLock<String> = LazyLock::new(|| {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{}-{}", std::process::id(), since.unwrap_or_default().as_nanos())
});

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
        let ledger = self.ledger.clone();
        note(&ledger, &cx, "start", "");
        let answer = self.handler.call(call);
        Box::pin(async move {
            let outcome = answer.await;
            let word = match &outcome {
                Outcome::Success(_) => "success",
                Outcome::Fault(_) => "fault",
                Outcome::Timeout { .. } => "timeout",
                Outcome::Panic(_) => "panic",
                Outcome::Snooze(_) => "snooze",
                Outcome::Discard(_) => "discard",
                Outcome::Cancelled => "cancelled",
                Outcome::Released => "released",
            };
            note(&ledger, &cx, "end", word);
            outcome
        })
    }
}

fn note(ledger: &UnixDatagram, cx: &Cx, event: &str, outcome: &str) {
    let line = serde_json::json!({
        "id": cx.id(),
        "run": cx.run(),
        "attempt": cx.attempt(),
        "token": cx.token(),
        "incarnation": *INCARNATION,
        "event": event,
        "outcome": outcome,
    });
    if let Err(error) = ledger.send(line.to_string().as_bytes()) {
        tracing::error!(%error, "the effect ledger is gone");
    }
}
