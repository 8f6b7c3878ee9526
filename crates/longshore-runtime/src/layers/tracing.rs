//! A span around every attempt.

use super::ending::{is_failure, word};
use super::{Layer, Next, attributes as name};
use crate::handler::{Call, Message};
use longshore_core::Outcome;
use std::pin::Pin;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// Runs everything below it in a span `process {queue}`, or `process {topic}`, at info under the target
/// `longshore::process`: whoever does not want spans filters that. The names are in
/// [`attributes`](super::attributes); who submitted the task is a field, to be linked to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tracing;

fn span(call: &Call) -> Span {
    let task = &call.task;
    if let Some(message) = &call.message {
        return span_of(message, call);
    }
    tracing::info_span!(
        target: "longshore::process",
        "process",
        otel.name = %format_args!("process {}", task.queue),
        otel.kind = "consumer",
        otel.status_code = Empty,
        { name::SYSTEM } = name::SYSTEM_VALUE,
        { name::OPERATION_NAME } = "process",
        { name::OPERATION_TYPE } = "process",
        { name::DESTINATION } = task.queue.as_str(),
        { name::MESSAGE_ID } = %task.lease.id,
        { name::KIND } = task.kind.as_str(),
        { name::ATTEMPT } = task.attempt,
        { name::TENANT } = task.tenant.as_str(),
        { name::CREATOR } = task.traceparent.as_deref(),
        { name::ERROR_TYPE } = Empty,
    )
}

fn span_of(message: &Message, call: &Call) -> Span {
    let topic = message.topic().map(|topic| topic.as_str());
    tracing::info_span!(
        target: "longshore::process",
        "process",
        otel.name = %format_args!("process {}", topic.unwrap_or(message.consumer())),
        otel.kind = "consumer",
        otel.status_code = Empty,
        { name::SYSTEM } = name::SYSTEM_VALUE,
        { name::OPERATION_NAME } = "process",
        { name::OPERATION_TYPE } = "process",
        { name::DESTINATION } = topic,
        { name::GROUP } = message.group().map(|group| group.as_str()),
        { name::MESSAGE_ID } = message.identity(),
        { name::CONSUMER } = message.consumer(),
        { name::ATTEMPT } = call.task.attempt,
        { name::CREATOR } = call.task.traceparent.as_deref(),
        { name::ERROR_TYPE } = Empty,
    )
}

impl Layer for Tracing {
    fn call(&self, call: Call, next: Next) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let span = span(&call);
        let around = span.clone();
        let below = async move {
            let outcome = next.run(call).await;
            if is_failure(&outcome) {
                span.record(name::ERROR_TYPE, word(&outcome));
                span.record("otel.status_code", "ERROR");
            }
            outcome
        };
        Box::pin(below.instrument(around))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::stack::tests::{answers, call};
    use crate::layers::{Logging, Stack};
    use longshore_core::Fault;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a call that ends so, as JSON lines.
    async fn logged(outcome: Outcome) -> Vec<serde_json::Value> {
        let page = Page::default();
        let written = page.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || written.clone())
            .finish();
        let _here = tracing::subscriber::set_default(subscriber);
        let stack = Stack::default().with(Tracing).with(Logging);
        stack.wrap(answers(outcome)).call(call()).await;
        let bytes = page.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("it is text");
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }

    #[tokio::test]
    async fn the_span_has_the_names_of_the_conventions() {
        let lines = logged(Outcome::Success(None)).await;
        let span = &lines[1]["span"];
        assert_eq!(span["name"], "process");
        assert_eq!(span["otel.name"], "process mail");
        assert_eq!(span["messaging.system"], "longshore");
        assert_eq!(span["messaging.operation.type"], "process");
        assert_eq!(span["messaging.destination.name"], "mail");
        assert_eq!(span["messaging.longshore.attempt"], 2);
        let creator = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(span["messaging.longshore.traceparent"], creator);
        assert_eq!(span.get("error.type"), None);
    }

    #[tokio::test]
    async fn a_failure_is_a_warning_with_its_class_and_quotes_nothing() {
        let mut fault = Fault::bad_data("cannot read \"secret\"");
        fault.code = Some("json.1".into());
        let lines = logged(Outcome::Fault(fault)).await;
        let (level, fields) = (&lines[1]["level"], &lines[1]["fields"]);
        assert_eq!(
            (level, &fields["class"], &fields["code"]),
            (&"WARN".into(), &"bad_data".into(), &"json.1".into())
        );
        assert!(lines.iter().all(|line| !line.to_string().contains("secret")), "{lines:?}");
    }

    #[tokio::test]
    async fn a_success_is_no_news() {
        let lines = logged(Outcome::Success(None)).await;
        let said: Vec<_> =
            lines.iter().map(|line| (&line["level"], &line["fields"]["message"])).collect();
        let debug = &serde_json::Value::from("DEBUG");
        assert_eq!(said, [(debug, &"began".into()), (debug, &"ended".into())]);
    }
}
