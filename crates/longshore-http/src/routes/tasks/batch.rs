//! `POST /v1/tasks:batch`: many promises with one sync.
//!
//! Items are judged while the body arrives, so that only tasks are kept of it. Then all that are
//! fine are accepted in one call; those that are not harm nobody else.

use super::create::{admit, must_show};
use crate::auth::Caller;
use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::body;
use crate::request::idempotency::{self, KEY};
use crate::request::items::{Item, Items};
use crate::request::object::{MAX_DEPTH, too_deep};
use crate::request::query::Query;
use crate::request::wish::{Place, Wish};
use crate::trace;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use longshore_core::task::{Accepted, Idempotency};
use longshore_core::{NewTask, TaskId, Valid, failpoint};
use longshore_runtime::{FieldError, Registry};
use serde::Serialize;
use std::sync::Arc;

/// The scope of items' idempotency keys.
const ROUTE: &str = "/v1/tasks:batch";
/// Largest body in bytes, after decompression.
const MAX_BODY: usize = 16 << 20;
/// Largest item in bytes.
const MAX_ITEM: usize = 256 << 10;
/// Most items.
const MAX_ITEMS: usize = 10_000;
/// Most faults that are listed for one item; its message says how many there are.
const MAX_ERRORS: usize = 10;
/// Keys of refused items that are looked up at the same time.
const LOOKUPS: usize = 64;

/// Submits many tasks.
///
/// The answer is sent once all that were accepted are on stable storage, with one sync. Each item
/// of the answer stands for the one at its place: `{id, status}`, or `{code, message, errors}` for
/// one that was refused. A body that is no JSON array is refused as a whole.
#[utoipa::path(
    post, path = "/v1/tasks:batch", tag = "tasks", operation_id = "createTasks",
    request_body(content = Vec<crate::openapi::schemas::NewTask>,
        description = "At most 10,000 items of at most 256 KiB, 16 MiB in all",
        example = json!([{"kind": "hello"}, {"kind": "hello", "idempotency_key": "order-7"}])),
    responses(
        (status = 200, description = "What became of each item, in the same order",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::BatchAnswer>)),
        crate::openapi::schemas::BatchRefusals,
    )
)]
pub(crate) async fn batch(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    Query::none(parts.uri.query())?;
    if parts.headers.contains_key(KEY) {
        let message = "a batch takes no Idempotency-Key; give its items an idempotency_key";
        return Err(Problem::new(&codes::BAD_KEY, message));
    }
    let traceparent = trace::traceparent(&parts.headers);
    let mut batch = Batch::new(&house, &caller, traceparent);
    let mut items = Items::new(MAX_ITEM, MAX_DEPTH);
    body::stream(&parts.headers, body, MAX_BODY, |piece| {
        items.feed(&piece, |item| batch.take(item))
    })
    .await?;
    items.finish()?;
    let answers = batch.submit().await?;
    // The crash window: they are stored, and nobody knows yet.
    failpoint::pass("http.before_answer").map_err(|_| Problem::unknown_outcome())?;
    let answers = Answers { items: answers.iter().map(Shown::from).collect() };
    Ok(Shape::asked(&parts.headers).answer(StatusCode::OK, &answers))
}

/// The items that were read so far.
struct Batch<'a> {
    house: &'a House,
    caller: &'a Caller,
    registry: Arc<Registry>,
    traceparent: Option<&'a str>,
    places: Vec<Judged>,
    tasks: Vec<Valid<NewTask>>,
}

/// What is known of an item before any is accepted.
enum Judged {
    /// The next one of those that are fine.
    Fine,
    /// It cannot be accepted; if its key is known, the first answer is given again.
    Refused(Problem, Option<Idempotency>),
}

/// What became of an item.
enum Became {
    Task { id: TaskId, status: &'static str },
    Refused(Problem),
}

impl Became {
    fn of(caller: &Caller, accepted: &Accepted) -> Self {
        match must_show(caller, accepted) {
            Ok(()) => Self::Task { id: accepted.id, status: accepted.state.as_str() },
            Err(problem) => Self::Refused(problem),
        }
    }
}

impl<'a> Batch<'a> {
    fn new(house: &'a House, caller: &'a Caller, traceparent: Option<&'a str>) -> Self {
        let registry = house.engine().intake().registry();
        Self { house, caller, registry, traceparent, places: Vec::new(), tasks: Vec::new() }
    }

    /// Judges an item. An error means that the whole body is unusable.
    fn take(&mut self, item: Item) -> Result<(), Problem> {
        if self.places.len() == MAX_ITEMS {
            let message = format!("the array may have at most {MAX_ITEMS} items");
            return Err(Problem::new(&codes::INVALID, message));
        }
        let judged = match item {
            Item::Text(text) => self.judge(&text)?,
            Item::TooDeep => Judged::Refused(too_deep(), None),
            Item::TooLarge => {
                let message = format!("an item may have at most {MAX_ITEM} bytes");
                Judged::Refused(Problem::new(&codes::TOO_LARGE, message), None)
            }
        };
        self.places.push(judged);
        Ok(())
    }

    fn judge(&mut self, text: &Bytes) -> Result<Judged, Problem> {
        let wish = match Wish::read(text, &self.registry, Place::Batch) {
            Ok(wish) => wish,
            Err(problem) if problem.code() == &codes::MALFORMED => {
                return Err(problem.inside(&format!("item {}", self.places.len())));
            }
            Err(problem) => return Ok(Judged::Refused(problem, None)),
        };
        let key = wish.own_key().map(|key| idempotency::named(ROUTE, key.to_owned(), text));
        let intake = self.house.engine().intake();
        let (mut submission, kind_as) = match wish.submission(|wish| intake.validate(wish)) {
            Ok(read) => read,
            Err(problem) => return Ok(Judged::Refused(problem, key)),
        };
        if let Err(problem) = admit(self.caller, &mut submission, &self.registry) {
            return Ok(Judged::Refused(problem, None));
        }
        submission.traceparent = self.traceparent.map(str::to_owned);
        submission.idempotency = key.clone();
        Ok(match intake.validate(submission) {
            Ok(task) => {
                self.tasks.push(task);
                Judged::Fine
            }
            Err(faults) => Judged::Refused(Problem::fields(kind_as.rename(faults)), key),
        })
    }

    /// Accepts what is fine, all at once, and says what became of each item.
    async fn submit(self) -> Result<Vec<Became>, Problem> {
        let Self { house, caller, places, tasks, .. } = self;
        let replayed: Vec<Option<Became>> = stream::iter(places)
            .map(|place| known(house, caller, place))
            .buffered(LOOKUPS)
            .try_collect()
            .await?;
        let mut accepted = match tasks.len() {
            0 => Vec::new(),
            _ => house.engine().intake().submit_all(tasks).await?,
        }
        .into_iter();
        let became = replayed.into_iter().map(|known| match known {
            Some(known) => Some(known),
            None => accepted.next().map(|answer| match answer {
                Ok(accepted) => Became::of(caller, &accepted),
                Err(refused) => Became::Refused(refused.into()),
            }),
        });
        // A store answers each task that it was given.
        became.collect::<Option<_>>().ok_or_else(Problem::unknown_outcome)
    }
}

/// Answers a refused item: keys are looked up before anything is judged.
async fn known(house: &House, caller: &Caller, place: Judged) -> Result<Option<Became>, Problem> {
    let (problem, key) = match place {
        Judged::Fine => return Ok(None),
        Judged::Refused(problem, key) => (problem, key),
    };
    let Some(key) = key else { return Ok(Some(Became::Refused(problem))) };
    Ok(Some(match house.store().replay(caller.tenant(), key).await? {
        None => Became::Refused(problem),
        Some(Ok(accepted)) => Became::of(caller, &accepted),
        Some(Err(refused)) => Became::Refused(refused.into()),
    }))
}

#[derive(Serialize)]
struct Answers<'a> {
    items: Vec<Shown<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Task { id: TaskId, status: &'a str },
    Refused { code: u32, message: &'a str, errors: &'a [FieldError] },
}

impl<'a> From<&'a Became> for Shown<'a> {
    fn from(became: &'a Became) -> Self {
        match became {
            Became::Task { id, status } => Self::Task { id: *id, status },
            Became::Refused(problem) => Self::Refused {
                code: problem.code().number,
                message: problem.message(),
                errors: problem.errors(MAX_ERRORS),
            },
        }
    }
}
