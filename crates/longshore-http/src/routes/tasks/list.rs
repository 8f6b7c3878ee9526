//! `GET /v1/tasks`: pages of tasks, newest first.

use crate::auth::Caller;
use crate::codes;
use crate::cursor;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::query::{Query, unknown};
use crate::request::value::Wrong;
use crate::view::{List, Whole};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use longshore_core::state::STATES;
use longshore_core::store::{Filter, StoreError};
use longshore_core::task::Seq;
use longshore_core::{KindName, QueueName, State as TaskState, Task, TenantName, Timestamp};
use longshore_runtime::nearest::nearest;
use std::time::{Duration, Instant};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;
/// A store may give short pages; for so long one answer is made out of several.
const FILLING: Duration = Duration::from_millis(250);

const KNOWN: [&str; 8] = ["status", "queue", "kind", "tag", "tenant", "created", "cursor", "limit"];
const LATER: [&str; 1] = ["q"];

/// Lists tasks, newest first.
///
/// Pages are stable while tasks come in. Items leave out `payload` and `result`. A page may be
/// shorter than `limit` before the last one: go on until `next_cursor` is null.
#[utoipa::path(
    get, path = "/v1/tasks", tag = "tasks", operation_id = "listTasks",
    params(crate::openapi::schemas::ListParams),
    responses(
        (status = 200, description = "A page",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::TaskList>)),
        crate::openapi::schemas::Unreadable,
    )
)]
pub(crate) async fn list(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let mut query = Query::read(request.uri().query(), &KNOWN, &LATER)?;
    let asked = Asked::read(&mut query);
    query.finish()?;
    page(&house, &caller, request.headers(), asked?).await
}

/// Answers with the page that was asked for.
pub(crate) async fn page(
    house: &House,
    caller: &Caller,
    headers: &HeaderMap,
    asked: Asked,
) -> Result<Response, Problem> {
    let Asked { mut filter, tenants, never } = asked;
    let tenant = caller.tenant();
    let foreign = !(tenants.is_empty() || tenants.contains(&tenant))
        || filter.queue.as_ref().is_some_and(|queue| !caller.covers(queue));
    let (tasks, next) = if never || foreign {
        (Vec::new(), None)
    } else {
        filter.tenant = Some(tenant);
        filled(house, caller, filter).await?
    };
    let list = List {
        items: tasks.iter().map(Whole::in_list).collect(),
        next_cursor: next.map(cursor::write),
    };
    Ok(Shape::asked(headers).answer(StatusCode::OK, &list))
}

/// Asks for pages until there are enough tasks, none are left, or it has taken long enough.
async fn filled(
    house: &House,
    caller: &Caller,
    mut filter: Filter,
) -> Result<(Vec<Task>, Option<Seq>), StoreError> {
    let began = Instant::now();
    let wanted = filter.limit;
    // Of several queues only those tasks are kept that the caller may know of.
    let sifted = !caller.covers_all() && filter.queue.is_none();
    let mut tasks: Vec<Task> = Vec::new();
    loop {
        filter.limit = if sifted { MAX_LIMIT } else { wanted - tasks.len() };
        let page = house.store().page(filter.clone()).await?;
        tasks.extend(page.items.into_iter().filter(|task| caller.covers(&task.queue)));
        if tasks.len() > wanted {
            tasks.truncate(wanted);
            let last = tasks.last().map(|task| task.seq);
            return Ok((tasks, last));
        }
        let enough = tasks.len() >= wanted || began.elapsed() > FILLING;
        match page.next {
            Some(next) if !enough => filter.before = Some(next),
            next => return Ok((tasks, next)),
        }
    }
}

/// Which page of which tasks a client asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Which tasks, whoever's they are.
    pub(crate) filter: Filter,
    /// Whose; none means those of the caller. Others' are never shown.
    tenants: Vec<TenantName>,
    /// What is asked for contradicts itself: there is no such task.
    pub(crate) never: bool,
}

impl Asked {
    /// Reads the parameters that lists of tasks share. What is wrong with them is told by the
    /// query's end, except for a cursor, which is the error here.
    pub(crate) fn read(query: &mut Query) -> Result<Self, Problem> {
        let states = query.many("status", |word| {
            word.parse::<TaskState>().map_err(|()| {
                unknown("status", &nearest(word, STATES.iter().map(|state| state.as_str())))
            })
        });
        let queue = query.one("queue", |name| QueueName::new(name).map_err(|bad| bad.to_string()));
        let kind = query.one("kind", |name| KindName::new(name).map_err(|bad| bad.to_string()));
        let tag = query.one("tag", word_of);
        let tenants =
            query.many("tenant", |name| TenantName::new(name).map_err(|bad| bad.to_string()));
        let mut created = (None::<Timestamp>, None::<Timestamp>);
        for (from, until) in query.many("created", bound) {
            created.0 = created.0.max(from);
            created.1 = match (created.1, until) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let limit = limit(query);
        let cursor = query.one("cursor", |text| Ok(cursor::read(text)));
        let before = match cursor {
            Some(None) => return Err(bad_cursor()),
            before => before.flatten(),
        };
        let filter =
            Filter { states, queue, kind, tag, created, before, limit, ..Filter::default() };
        let never = matches!(created, (Some(from), Some(until)) if from >= until);
        Ok(Self { filter, tenants, never })
    }
}

/// Reads how long a page may be.
pub(crate) fn limit(query: &mut Query) -> usize {
    let limit = query.one("limit", |number| match number.parse() {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        _ => Err(format!("must be 1 to {MAX_LIMIT}")),
    });
    limit.unwrap_or(DEFAULT_LIMIT)
}

/// Says that a cursor was made by somebody else.
pub(crate) fn bad_cursor() -> Problem {
    let message = "the cursor was not made by this server; leave it out to begin anew";
    Problem::new(&codes::BAD_CURSOR, message)
}

/// Takes a text that a task may have.
pub(crate) fn word_of(text: &str) -> Result<String, Wrong> {
    let fine = text.chars().count() <= 128 && !text.chars().any(char::is_control);
    let wrong = || "must have at most 128 characters and no control characters".into();
    fine.then(|| text.to_owned()).ok_or_else(wrong)
}

/// Reads one end of a time: accepted at the first or later, and before the second.
fn bound(text: &str) -> Result<(Option<Timestamp>, Option<Timestamp>), Wrong> {
    let wrong = || {
        "must be gt:, gte:, lt: or lte: and an RFC 3339 time with a zone, such as \
         gt:2026-11-20T09:00:00Z"
            .to_owned()
    };
    let (word, time) = text.split_once(':').ok_or_else(wrong)?;
    // A plus that was not escaped has become a space.
    let at = Timestamp::parse(&time.replace(' ', "+")).ok_or_else(wrong)?;
    let after = Timestamp(at.0.saturating_add(1));
    match word {
        "gt" => Ok((Some(after), None)),
        "gte" => Ok((Some(at), None)),
        "lt" => Ok((None, Some(at))),
        "lte" => Ok((None, Some(after))),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter_of(query: Option<&str>) -> Result<Filter, Problem> {
        let mut query = Query::read(query, &KNOWN, &LATER)?;
        let asked = Asked::read(&mut query);
        query.finish()?;
        asked.map(|asked| asked.filter)
    }

    #[test]
    fn times_have_two_ends() {
        let of = |query: &str| filter_of(Some(query)).unwrap().created;
        let at = |text: &str| Some(Timestamp::parse(text).unwrap());
        let (nine, ten) = ("2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z");
        let query = format!("created=gte:{nine}&created=lt:{ten}");
        assert_eq!(of(&query), (at(nine), at(ten)));
        let query = format!("created=gt:{nine},lte:{ten}");
        assert_eq!(of(&query), (at("2026-11-20T09:00:00.001Z"), at("2026-11-20T10:00:00.001Z")));
        assert_eq!(of("created=gte:2026-11-20T10:00:00+01:00"), (at(nine), None));
        assert_eq!(
            of(&format!("created=gte:{nine},gte:{ten},lt:{ten},lt:{nine}")),
            (at(ten), at(nine))
        );
    }

    fn code(query: &str) -> u32 {
        filter_of(Some(query)).map_or_else(|problem| problem.code().number, |_| 0)
    }

    #[test]
    fn filters_are_read() {
        let filter = filter_of(Some("status=failed,expired&status=success&queue=mail&kind=a.b"));
        let filter = filter.unwrap();
        assert_eq!(filter.states, [TaskState::Failed, TaskState::Expired, TaskState::Success]);
        assert_eq!(filter.queue.unwrap().as_str(), "mail");
        assert_eq!(filter.kind.unwrap().as_str(), "a.b");
        assert_eq!(filter.limit, DEFAULT_LIMIT);
        let filter = filter_of(Some(&format!("limit=7&cursor={}", cursor::write(Seq(9))))).unwrap();
        assert_eq!((filter.limit, filter.before), (7, Some(Seq(9))));
        assert_eq!(code("status=&queue=&kind=&cursor=&limit="), 0);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for bad in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "status=done",
            "queue=A",
            "kind=%20",
            "page=2",
            "limit=1&limit=2",
            "statu=failed",
            "created=2026-11-20T09:00:00Z",
            "created=after:2026-11-20T09:00:00Z",
            "created=gt:yesterday",
            "tenant=A",
            "tag=%00",
        ] {
            assert_eq!(code(bad), 40001, "{bad}");
        }
        for later in LATER {
            assert_eq!(code(&format!("{later}=x")), 40010, "{later}");
        }
        assert_eq!(code("cursor=abc"), 40004);
    }
}
