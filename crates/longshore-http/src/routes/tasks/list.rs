//! `GET /v1/tasks`: pages of tasks, newest first.

use crate::codes;
use crate::cursor;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::query::{Query, unknown};
use crate::view::{List, Whole};
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use longshore_core::state::STATES;
use longshore_core::store::{Filter, StoreError};
use longshore_core::task::Seq;
use longshore_core::{KindName, QueueName, State as TaskState, Task};
use longshore_runtime::nearest::nearest;
use std::time::{Duration, Instant};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;
/// A store may give short pages; for so long one answer is made out of several.
const FILLING: Duration = Duration::from_millis(250);

const KNOWN: [&str; 5] = ["status", "queue", "kind", "cursor", "limit"];
const LATER: [&str; 4] = ["tag", "tenant", "created", "q"];

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
    request: Request,
) -> Result<Response, Problem> {
    let mut filter = filter_of(request.uri().query())?;
    filter.tenant = Some(house.tenant());
    let (tasks, next) = filled(&house, filter).await?;
    let list = List {
        items: tasks.iter().map(Whole::in_list).collect(),
        next_cursor: next.map(cursor::write),
    };
    Ok(Shape::asked(request.headers()).answer(StatusCode::OK, &list))
}

/// Asks for pages until there are enough tasks, none are left, or it has taken long enough.
async fn filled(house: &House, mut filter: Filter) -> Result<(Vec<Task>, Option<Seq>), StoreError> {
    let began = Instant::now();
    let wanted = filter.limit;
    let mut tasks = Vec::new();
    loop {
        filter.limit = wanted - tasks.len();
        let page = house.store().page(filter.clone()).await?;
        tasks.extend(page.items);
        let enough = tasks.len() >= wanted || began.elapsed() > FILLING;
        match page.next {
            Some(next) if !enough => filter.before = Some(next),
            next => return Ok((tasks, next)),
        }
    }
}

fn filter_of(query: Option<&str>) -> Result<Filter, Problem> {
    let mut query = Query::read(query, &KNOWN, &LATER)?;
    let states = query.many("status", |word| {
        word.parse::<TaskState>().map_err(|()| {
            unknown("status", &nearest(word, STATES.iter().map(|state| state.as_str())))
        })
    });
    let queue = query.one("queue", |name| QueueName::new(name).map_err(|bad| bad.to_string()));
    let kind = query.one("kind", |name| KindName::new(name).map_err(|bad| bad.to_string()));
    let limit = query.one("limit", |number| match number.parse() {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        _ => Err(format!("must be 1 to {MAX_LIMIT}")),
    });
    let cursor = query.one("cursor", |text| Ok(cursor::read(text)));
    query.finish()?;
    let before = match cursor {
        Some(None) => {
            let message = "the cursor was not made by this server; leave it out to begin anew";
            return Err(Problem::new(&codes::BAD_CURSOR, message));
        }
        before => before.flatten(),
    };
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    Ok(Filter { tenant: None, states, queue, kind, before, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(code(bad), 40001, "{bad}");
        }
        for later in LATER {
            assert_eq!(code(&format!("{later}=x")), 40010, "{later}");
        }
        assert_eq!(code("cursor=abc"), 40004);
    }
}
