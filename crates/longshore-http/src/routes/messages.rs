//! `POST /v1/brokers/{broker}/topics/{topic}/messages`: publishing, at once or by way of the outbox.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::idempotency::{self, KEY, REPLAYED};
use crate::request::query::Query;
use crate::request::{body, message};
use crate::trace;
use crate::view::Short;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use longshore_core::broker::{Broker, Envelope, PublishError, TopicName};
use longshore_core::failpoint;
use longshore_runtime::messages::outbox::{KIND, Parcel};
use longshore_runtime::messages::publish::{NewMessage, publish as send};
use longshore_runtime::nearest::nearest;
use longshore_runtime::{FieldError, Submission};
use serde::Serialize;
use std::sync::Arc;

const ROUTE: &str = "/v1/brokers/{broker}/topics/{topic}/messages";
/// Largest body of a request with many messages.
const MAX_BODY: usize = 16 << 20;

type Parts = Result<Path<(String, String)>, PathRejection>;

/// Publishes a message to a topic of a broker, or an array of them.
///
/// The answer is sent once the broker has confirmed; it tells of each message, in order, its id or why it was not
/// confirmed. If none was, that is the error. With `outbox` they are accepted here, durably, as a task that publishes them as
/// soon as the broker takes them, and tries for hours.
#[utoipa::path(
    post, path = "/v1/brokers/{broker}/topics/{topic}/messages", tag = "messages",
    operation_id = "publishMessages",
    params(
        ("broker" = String, Path, description = "The broker's name in the configuration", example = "main"),
        ("topic" = String, Path, description = "The topic: words with dots between them", example = "orders.created"),
        ("outbox" = Option<bool>, Query, description = "Accept now, publish as soon as possible"),
        crate::openapi::schemas::IdempotencyKey,
    ),
    request_body(content = crate::openapi::messages::Messages),
    responses(
        (status = 200, description = "The broker has confirmed them, those that say nothing else",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::messages::Published>)),
        (status = 202, description = "With `outbox`: they are on stable storage, as one task",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Accepted>),
            headers(("Location" = String, description = "The task's path"))),
        crate::openapi::messages::NotPublished,
    )
)]
pub(crate) async fn publish(
    State(house): State<House>,
    caller: Caller,
    parts: Parts,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let mut query = Query::read(head.uri.query(), &["outbox"], &[])?;
    let outbox = query.one("outbox", flag).unwrap_or(false);
    query.finish()?;
    let Path((name, topic)) = parts.map_err(|_| no_broker(&house, ""))?;
    let broker = house.engine().brokers().get(&name).ok_or_else(|| no_broker(&house, &name))?;
    let topic = TopicName::new(&topic)
        .map_err(|why| Problem::fields(vec![FieldError::new("topic", why.to_string())]))?;
    // What the outbox takes becomes one task, which is no larger than others.
    let limit = if outbox { house.max_body() } else { MAX_BODY };
    let body = body::read(&head.headers, body, limit).await?;
    if outbox {
        let place = head.uri.path().as_bytes();
        let key = idempotency::read(&head.headers, ROUTE, &[place, &body].concat())?;
        let messages = message::read(&body, house.max_body())?;
        let parent = trace::traceparent(&head.headers);
        let parcel = Parcel::new(&name, &topic, messages, parent);
        let submission = Submission {
            tenant: caller.tenant(),
            traceparent: parent.map(str::to_owned),
            idempotency: key,
            is_ours: true,
            ..Submission::new(KIND).payload(&parcel)?
        };
        return accept(&house, &head.headers, submission).await;
    }
    if head.headers.contains_key(&KEY) {
        let message =
            "a broker knows no idempotency keys: give each message an `id`, or use `?outbox=true`";
        return Err(Problem::new(&codes::BAD_KEY, message));
    }
    let messages = message::read(&body, house.max_body())?;
    let answers = confirmed(&house, (&name, broker), &topic, messages, &head.headers).await?;
    Ok(Shape::asked(&head.headers).answer(StatusCode::OK, &answers))
}

/// Takes it in as a task.
async fn accept(
    house: &House,
    headers: &HeaderMap,
    submission: Submission,
) -> Result<Response, Problem> {
    let accepted = house.engine().intake().submit(submission).await?;
    // The crash window: it is stored, and nobody knows yet.
    failpoint::pass("http.before_answer").map_err(|_| Problem::unknown_outcome())?;
    let mut response = Shape::asked(headers).answer(StatusCode::ACCEPTED, &Short::from(&accepted));
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/tasks/{}", accepted.id)) {
        headers.insert(header::LOCATION, location);
    }
    if accepted.how.is_replayed() {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Publishes, and waits for the confirms.
async fn confirmed(
    house: &House,
    (name, broker): (&str, &Arc<dyn Broker>),
    topic: &TopicName,
    messages: Vec<NewMessage>,
    headers: &HeaderMap,
) -> Result<Answers, Problem> {
    let parent = trace::traceparent(headers);
    let mut ids = Vec::with_capacity(messages.len());
    let mut envelopes: Vec<Envelope> = Vec::with_capacity(messages.len());
    for mut message in messages {
        ids.push(message.identified().to_owned());
        // They were judged when they were read.
        let envelope = message.envelope(parent);
        envelopes.push(
            envelope
                .map_err(|bad| Problem::fields(vec![FieldError::new(bad.field, bad.message)]))?,
        );
    }
    let telemetry = house.engine().telemetry();
    let answers = send((name, &**broker), topic, envelopes, telemetry).await;
    let became: Vec<Result<(), Problem>> = answers
        .into_iter()
        .map(|answer| answer.map(drop).map_err(|why| problem(name, &why)))
        .collect();
    // Of one message there is one answer; of many, what came of each.
    let confirmed = became.iter().any(Result::is_ok);
    if let (false, Some(Err(first))) = (confirmed, became.first()) {
        return Err(first.clone());
    }
    let items = ids.into_iter().zip(became).map(Shown::of).collect();
    Ok(Answers { items })
}

#[derive(Serialize)]
struct Answers {
    items: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Shown {
    fn of((id, became): (String, Result<(), Problem>)) -> Self {
        match became {
            Ok(()) => Self { id, code: None, message: None },
            Err(why) => {
                Self { id, code: Some(why.code().number), message: Some(why.message().to_owned()) }
            }
        }
    }
}

/// What a broker says of a message. Its own words may name addresses: they stay in the log.
fn problem(broker: &str, error: &PublishError) -> Problem {
    if !matches!(error, PublishError::Unroutable { .. } | PublishError::TooLarge { .. }) {
        tracing::warn!(broker, %error, "a message was not confirmed");
    }
    match error {
        PublishError::Unroutable { .. } => Problem::new(&codes::UNROUTABLE, error.to_string()),
        PublishError::TooLarge { .. } => Problem::new(&codes::TOO_LARGE, error.to_string()),
        PublishError::Unconfirmed { .. } => {
            let message = format!(
                "the broker {broker} did not confirm in time: the message may or may not be there; \
                 publish it again with the same id"
            );
            Problem::new(&codes::UNCONFIRMED, message).retry_after()
        }
        PublishError::Refused { .. } => {
            let message =
                format!("the broker {broker} refuses this; its administrator can tell why");
            Problem::new(&codes::BROKER_REFUSES, message)
        }
        PublishError::Blocked { .. } => {
            let message = format!("the broker {broker} takes nothing in at the moment");
            Problem::new(&codes::BROKER_AWAY, message).retry_after()
        }
        PublishError::Nacked { .. } => {
            let message = format!("the broker {broker} did not take it");
            Problem::new(&codes::BROKER_AWAY, message).retry_after()
        }
        PublishError::Unavailable { .. } | PublishError::Closed => {
            let message = format!("the broker {broker} is unavailable at the moment");
            Problem::new(&codes::BROKER_AWAY, message).retry_after()
        }
    }
}

fn no_broker(house: &House, name: &str) -> Problem {
    let known = || house.engine().brokers().iter().map(|(name, _)| &**name);
    let near = nearest(name, known());
    let message = match (near.is_empty(), known().next()) {
        (_, None) => "no broker is configured".to_owned(),
        (true, Some(_)) => format!("there is no broker {name:.128}"),
        (false, Some(_)) => {
            format!("there is no broker {name:.128}; did you mean {}?", near.join(" or "))
        }
    };
    Problem::new(&codes::NO_BROKER, message)
}

fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}
