//! `POST /v1/link/…`: what linked workers, which are this program too, ask for. Batches, and the whole of what running a
//! task takes; for other languages there are [`leases`](super::leases).

use crate::auth::Caller;
use crate::deliveries::Deliveries;
use crate::envelope::Shape;
use crate::house::{House, MAX_MAX_BODY};
use crate::problem::Problem;
use crate::request::body;
use crate::request::query::Query;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use longshore_core::store::{Claim, Ending, Extend, Hold, LeaseRef, LeaseState, Recorded};
use longshore_runtime::FieldError;
use longshore_runtime::link::MIN_LEASE;
use longshore_runtime::link::wire::{
    AnnounceAnswer, AnnounceSaid, ClaimAnswer, ClaimSaid, EndSaid, ExtendSaid, Garbled, HeldSaid,
    LeasedSaid, RecordedSaid, WantSaid,
};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The longest that a claim waits.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest lease, and the longest silence of a worker.
const HOUR: Duration = Duration::from_secs(3_600);
/// Most queues of one claim, and most tasks of each: an answer is kept in memory.
const MOST_WANTS: usize = 100;
const MOST_TASKS: usize = 64;
/// A batch may hold so many bodies of tasks and results.
const MAX_BATCH: usize = 16 * MAX_MAX_BODY;

/// Hands tasks out.
pub(crate) async fn claim(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let came = Instant::now();
    let (parts, mut said): (_, ClaimSaid) = read(request).await?;
    if said.wants.len() > MOST_WANTS {
        let wrong = format!("may ask for at most {MOST_WANTS} queues");
        return Err(Problem::fields(vec![FieldError::new("wants", wrong)]));
    }
    let now = house.engine().live().now();
    for want in &mut said.wants {
        let set = now.settings(want.queue());
        want.within(MOST_TASKS, &set);
    }
    for want in &said.wants {
        caller.must_cover(want.queue().as_str())?;
    }
    let lasts = Duration::from_millis(said.lease).clamp(MIN_LEASE, HOUR);
    let tenant = caller.tenant();
    let want = |want: WantSaid| want.into_want(tenant.clone());
    let claim = Claim {
        worker: said.worker,
        hold: Hold::Lease { lasts: Some(lasts) },
        wants: said.wants.into_iter().map(want).collect(),
        wait: Duration::from_millis(said.wait).min(LONGEST_WAIT),
    };
    let claimed = house.engine().outside().claim(claim);
    let leased = match house.closing().run_until_cancelled(claimed).await {
        Some(leased) => leased?,
        None => Vec::new(),
    };
    let leases: Vec<LeaseRef> = leased.iter().map(|leased| leased.lease).collect();
    let tasks = leased.into_iter().filter_map(|leased| LeasedSaid::of(leased, came)).collect();
    let response = Shape::asked(&parts.headers).answer(StatusCode::OK, &ClaimAnswer { tasks });
    if leases.is_empty() {
        return Ok(response);
    }
    let deliveries = parts.extensions.get::<Deliveries>().cloned().unwrap_or_default();
    Ok(deliveries.owe(response, leases, house.engine().clone()))
}

/// Holds leases on.
pub(crate) async fn extend(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, said): (_, Vec<ExtendSaid>) = read(request).await?;
    let extends = said.into_iter().map(ExtendSaid::into_extend).collect::<Result<_, _>>();
    let mut extends: Vec<Extend> = extends.map_err(garbled)?;
    for extend in &mut extends {
        extend.lasts = extend.lasts.map(|lasts| lasts.clamp(MIN_LEASE, HOUR));
    }
    let own = own(&house, &caller, extends.iter().map(|extend| &extend.lease)).await?;
    let asked = extends.into_iter().zip(&own).filter_map(|(extend, own)| own.then_some(extend));
    let mut held = house.store().extend(asked.collect()).await?.into_iter();
    let states = own.iter().map(|own| own.then(|| held.next()).flatten());
    let states = states.map(|state| state.unwrap_or(LeaseState::Lost));
    let states: Vec<HeldSaid> = states.map(HeldSaid::from).collect();
    Ok(Shape::asked(&parts.headers).answer(StatusCode::OK, &states))
}

/// Takes ends.
pub(crate) async fn record(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, said): (_, Vec<EndSaid>) = read(request).await?;
    let ends = said.into_iter().map(EndSaid::into_ending).collect::<Result<_, _>>();
    let ends: Vec<Ending> = ends.map_err(garbled)?;
    let own = own(&house, &caller, ends.iter().map(|end| &end.lease)).await?;
    let told = ends.into_iter().zip(&own).filter_map(|(end, own)| own.then_some(end));
    let mut stored = house.engine().outside().record_all(told.collect()).await?.into_iter();
    let recorded = own.iter().map(|own| own.then(|| stored.next()).flatten());
    let recorded = recorded.map(|recorded| recorded.unwrap_or(Recorded::Stale));
    let recorded: Vec<RecordedSaid> = recorded.map(RecordedSaid::from).collect();
    Ok(Shape::asked(&parts.headers).answer(StatusCode::OK, &recorded))
}

/// Notes that a worker lives, and tells it what operators want of it.
pub(crate) async fn announce(
    State(house): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, said): (_, AnnounceSaid) = read(request).await?;
    let kinds = said.kinds.into_iter().filter(|kind| caller.covers(&kind.queue)).collect();
    let lasts = Duration::from_millis(said.lasts).clamp(MIN_LEASE, HOUR);
    let told = house.engine().outside().announce(said.worker, kinds, lasts).await?;
    let now = house.engine().live().now();
    let queues: BTreeMap<_, _> = now
        .registry
        .queues()
        .filter(|(queue, _)| caller.covers(queue))
        .filter_map(|(queue, _)| Some((queue.clone(), now.controls.queues.get(queue)?.clone())))
        .collect();
    let answer = AnnounceAnswer { drain: told.drain, queues };
    Ok(Shape::asked(&parts.headers).answer(StatusCode::OK, &answer))
}

/// Takes a worker out of the register.
pub(crate) async fn leave(
    State(house): State<House>,
    _: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, worker): (_, String) = read(request).await?;
    house.store().leave(&worker).await?;
    Ok(Shape::asked(&parts.headers).answer(StatusCode::OK, &serde_json::json!({})))
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<(Parts, T), Problem> {
    let (parts, body) = request.into_parts();
    Query::none(parts.uri.query())?;
    let body = body::read(&parts.headers, body, MAX_BATCH).await?;
    let said = serde_json::from_slice(&body);
    let wrong = |error: serde_json::Error| vec![FieldError::new("body", error.to_string())];
    Ok((parts, said.map_err(|error| Problem::fields(wrong(error)))?))
}

/// Tells for each lease whether its task is one that the caller may know of.
async fn own(
    house: &House,
    caller: &Caller,
    leases: impl Iterator<Item = &LeaseRef>,
) -> Result<Vec<bool>, Problem> {
    let outside = house.engine().outside();
    let mut own = Vec::new();
    for lease in leases {
        let queue = outside.queue_of(caller.tenant(), lease).await?;
        own.push(queue.is_some_and(|queue| caller.covers(&queue)));
    }
    Ok(own)
}

fn garbled(garbled: Garbled) -> Problem {
    Problem::fields(vec![FieldError::new("body", garbled.to_string())])
}
