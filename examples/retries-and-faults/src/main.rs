//! What becomes of a task that fails? Nine handlers, each with its own way, and what is kept of each
//! attempt.

use longshore::Kind;
use longshore::client::{Attempt, Client, Submit, Task};
use longshore::core::{FaultClass, RetryPolicy, Span};
use longshore::handler::{Classify, Cx, HandlerError};
use std::time::Duration;

/// An error that knows how it is to be treated.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("there is no such mailbox")]
    NoMailbox,
    #[error("the mail server asks for patience")]
    Busy,
    #[error("the mail server is away")]
    Away(#[source] std::io::Error),
}

impl Classify for SendError {
    fn class(&self) -> FaultClass {
        match self {
            Self::NoMailbox => FaultClass::BadData, // no attempt would ever succeed
            Self::Busy => FaultClass::RateLimited,
            Self::Away(_) => FaultClass::Dependency,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        matches!(self, Self::Busy).then_some(Duration::from_millis(300)) // goes before the policy
    }
}

async fn no_mailbox() -> Result<(), SendError> {
    Err(SendError::NoMailbox)
}

async fn busy(cx: Cx) -> Result<&'static str, SendError> {
    if cx.attempt() == 1 { Err(SendError::Busy) } else { Ok("sent") }
}

async fn away(cx: Cx) -> Result<&'static str, SendError> {
    let refused = SendError::Away(std::io::ErrorKind::ConnectionRefused.into());
    if cx.attempt() < 3 { Err(refused) } else { Ok("sent") }
}

async fn any_error() -> Result<u32, HandlerError> {
    Ok("twelve".parse::<u32>()?) // `?` takes any error, as `transient`
}

async fn fatal() -> Result<(), HandlerError> {
    Err(HandlerError::dependency("the account is closed").fatal())
}

async fn not_yet(cx: Cx) -> Result<&'static str, HandlerError> {
    // Openings count each call; attempts only those that cost one.
    let later = HandlerError::snooze(Duration::from_millis(100));
    if cx.openings() < 3 { Err(later) } else { Ok("now") }
}

async fn outdated() -> Result<(), HandlerError> {
    Err(HandlerError::discard("nobody waits for it any more"))
}

async fn endless() {
    std::future::pending::<()>().await;
}

async fn broken() -> Result<(), HandlerError> {
    panic!("this should never happen")
}

/// Tries so many times, 50 ms apart, for a second each.
fn times(attempts: u32) -> impl FnOnce(Kind) -> Kind {
    let retry = RetryPolicy::fixed(Duration::from_millis(50)).jitter(0.0).max_attempts(attempts);
    move |kind| kind.retry(retry).timeout(Duration::from_secs(1))
}

fn tell(task: &Task, attempts: &[Attempt]) {
    let (status, result) = (task.status.as_str(), task.result.as_deref().map_or("", |r| r.get()));
    println!("{}: {status} {}{result}", task.kind, task.reason.as_deref().unwrap_or_default());
    for Attempt { attempt, outcome, error, ended_at, next_at, .. } in attempts {
        print!("  attempt {attempt}: {}", outcome.map_or("runs", |outcome| outcome.as_str()));
        if let Some(error) = error {
            print!(", {}: {}", error.class.as_str(), error.message);
        }
        if let (Some(next), Some(end)) = (next_at, ended_at) {
            print!("; again after {}", Span(next.since(*end)));
        }
        println!();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let service = longshore::builder()
        .store(format!("embedded:{}", folder.path().display()))
        .listen("127.0.0.1:0".parse()?) // any free port
        .handler_with("no-mailbox", no_mailbox, times(2))
        .handler_with("busy", busy, times(3))
        .handler_with("away", away, times(3))
        .handler_with("any-error", any_error, times(2))
        .handler_with("fatal", fatal, times(2))
        .handler_with("not-yet", not_yet, times(2))
        .handler_with("outdated", outdated, times(2))
        .handler_with("endless", endless, times(2))
        .handler_with("broken", broken, times(2))
        .start()
        .await?;
    let client = Client::connect(&format!("http://{}", service.addr()))?;
    for kind in service.engine().registry().kinds() {
        let id = client.submit(&Submit::new(kind.name.as_str())).await?.id;
        let task = client.tasks().wait(id, Duration::from_secs(20)).await?;
        tell(&task, &client.tasks().attempts(id).await?);
    }
    service.stop(Duration::from_secs(5)).await;
    Ok(())
}
