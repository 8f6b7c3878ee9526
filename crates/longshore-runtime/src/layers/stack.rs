//! Layers in their order, and handlers inside of them.

use super::{Layer, Logging, Metrics, Recovery, Timeout, Tracing};
use crate::handler::{BoxHandler, Call, Handler};
use crate::stall::StallWatch;
use crate::telemetry::Telemetry;
use longshore_core::Outcome;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// Layers, the outermost first. Cloning is cheap. Default: none.
#[derive(Clone, Default)]
pub struct Stack(Arc<[Arc<dyn Layer>]>);

impl Stack {
    /// Adds a layer inside of those that are there.
    pub fn with(self, layer: impl Layer + 'static) -> Self {
        let layer: Arc<dyn Layer> = Arc::new(layer);
        Self(self.0.iter().cloned().chain([layer]).collect())
    }

    /// Returns these layers with those of `inner` inside of them. To be made once, at the start: it
    /// copies.
    pub fn around(&self, inner: &Self) -> Self {
        Self(self.0.iter().chain(inner.0.iter()).cloned().collect())
    }

    /// Returns how many layers there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no layer.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes a handler that passes all layers before it comes to `handler`. Without any layer it is
    /// `handler` itself, and costs nothing.
    pub fn wrap(&self, handler: BoxHandler) -> BoxHandler {
        self.0
            .iter()
            .rev()
            .fold(handler, |inner, layer| BoxHandler::new(Layered { layer: layer.clone(), inner }))
    }
}

/// A handler inside of a layer is a handler.
struct Layered {
    layer: Arc<dyn Layer>,
    inner: BoxHandler,
}

impl Handler for Layered {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        self.layer.call(call, Next(self.inner.clone()))
    }

    fn runs_outside(&self) -> bool {
        self.inner.runs_outside()
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} layers", self.0.len())
    }
}

/// What lies inside of a layer: the next one, or the handler. A clone of it may be run again.
#[derive(Debug, Clone)]
pub struct Next(BoxHandler);

impl Next {
    /// Runs it.
    pub fn run(self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        self.0.call(call)
    }
}

/// Returns the layers that every call passes, in the order of the module's page. The user's go inside
/// of them, by [`Stack::around`].
pub fn standard(telemetry: Arc<Telemetry>, stall: StallWatch) -> Stack {
    Stack::default()
        .with(Tracing)
        .with(Metrics::new(telemetry))
        .with(Logging)
        .with(Recovery)
        .with(Timeout::new(stall))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::handler;
    use crate::layers::from_fn;
    use longshore_core::store::{LeaseRef, Leased};
    use longshore_core::{Fault, KindName, Payload, QueueName, Span, TaskId, TenantName};
    use longshore_core::{Timestamp, Token};
    use std::sync::Mutex;
    use std::time::Duration;
    use tokio_util::sync::CancellationToken;

    /// A call of the kind `work` of the queue `mail`, with half a second.
    pub(in crate::layers) fn call() -> Call {
        let allowed = Duration::from_millis(500);
        let task = Leased {
            lease: LeaseRef {
                id: TaskId::fresh(),
                seq: longshore_core::task::Seq(1),
                token: Token::new(1, 1),
            },
            kind: KindName::new("work").expect("a name"),
            queue: QueueName::new("mail").expect("a name"),
            tenant: TenantName::default(),
            payload: Payload::from_json("\"secret\""),
            headers: Vec::new(),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            run: 1,
            attempt: 2,
            openings: 2,
            max_attempts: 4,
            timeout: Span(allowed),
            total_left: None,
            created_at: Timestamp::default(),
            ready_at: Timestamp::default(),
            started_at: Timestamp::default(),
            expires_at: None,
            handed_out: std::time::Instant::now(),
            isolated: false,
            in_lane: false,
        };
        Call::new(Arc::new(task), allowed, CancellationToken::new(), Arc::default())
    }

    /// A handler that answers this.
    pub(in crate::layers) fn answers(outcome: Outcome) -> BoxHandler {
        struct Answers(Outcome);
        impl handler::Handler for Answers {
            fn call(&self, _: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
                Box::pin(std::future::ready(self.0.clone()))
            }
        }
        BoxHandler::new(Answers(outcome))
    }

    fn notes(name: &'static str, diary: &Arc<Mutex<Vec<String>>>) -> impl Layer + use<> + 'static {
        let diary = diary.clone();
        from_fn(move |call, next: Next| {
            let diary = diary.clone();
            async move {
                diary.lock().expect("not poisoned").push(format!("into {name}"));
                let outcome = next.run(call).await;
                diary.lock().expect("not poisoned").push(format!("out of {name}"));
                outcome
            }
        })
    }

    #[tokio::test]
    async fn the_first_layer_is_outermost() {
        let diary = Arc::default();
        let all = Stack::default().with(notes("all", &diary));
        let one = Stack::default().with(notes("one", &diary)).with(notes("two", &diary));
        let outcome = all.around(&one).wrap(handler::nothing()).call(call()).await;
        assert_eq!(outcome, Outcome::Success(None));
        let expected =
            ["into all", "into one", "into two", "out of two", "out of one", "out of all"];
        assert_eq!(*diary.lock().expect("not poisoned"), expected);
    }

    #[tokio::test]
    async fn a_layer_may_answer_itself() {
        let refuse = from_fn(|_, _| async { Outcome::Fault(Fault::bad_data("not today")) });
        let outcome = Stack::default().with(refuse).wrap(handler::nothing()).call(call()).await;
        assert_eq!(outcome, Outcome::Fault(Fault::bad_data("not today")));
    }

    #[tokio::test]
    async fn a_panic_of_a_users_layer_is_an_outcome_too() {
        let stall = StallWatch::start().expect("a thread");
        let ouch = from_fn(|_, _| async { panic!("ouch") });
        let stack = standard(Arc::default(), stall).with(ouch);
        assert_eq!(
            stack.wrap(handler::nothing()).call(call()).await,
            Outcome::Panic("ouch".into())
        );
    }
}
