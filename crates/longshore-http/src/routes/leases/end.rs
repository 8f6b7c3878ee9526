//! `POST /v1/leases/{lease}/complete`, `fail`, `extend` and `release`.

use super::take::span;
use crate::auth::Caller;
use crate::codes;
use crate::envelope::Shape;
use crate::house::House;
use crate::problem::Problem;
use crate::request::call::Call;
use crate::request::path::Part;
use crate::request::value;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use longshore_core::store::LeaseRef;
use longshore_core::{Fault, FaultClass, Payload, State as TaskState, TaskId, Timestamp};
use longshore_runtime::FieldError;
use longshore_runtime::link::{LeaseName, LeaseRefused, MIN_LEASE, Standing};
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// The longest pause that a worker may ask for, and the longest lease.
const DAY: Duration = Duration::from_secs(86_400);
/// Largest progress, in bytes.
const MAX_PROGRESS: usize = 4_096;
/// Longest message and code, in characters; longest trace, in bytes.
const MAX_MESSAGE: usize = 1_024;
const MAX_CODE: usize = 128;
const MAX_TRACE: usize = 8 << 10;

/// Notes that a task succeeded.
#[utoipa::path(
    post, path = "/v1/leases/{lease}/complete", tag = "workers", operation_id = "completeLease",
    params(crate::openapi::leases::LeaseParam),
    request_body(content = Option<crate::openapi::leases::Complete>),
    responses(
        (status = 200, description = "It is stored",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::leases::Ended>)),
        crate::openapi::leases::Late,
    )
)]
pub(crate) async fn complete(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    end(&house, &caller, part, request, |call| {
        let result = call.fields(&["result"])?.pop().map(|(_, raw)| value::json(raw, &call.body));
        let result = result.transpose().map_err(|wrong| wrong_field("result", wrong))?;
        Ok(End::Complete(result))
    })
    .await
}

/// Notes that an attempt failed: it is tried again, or buried, as its kind says.
#[utoipa::path(
    post, path = "/v1/leases/{lease}/fail", tag = "workers", operation_id = "failLease",
    params(crate::openapi::leases::LeaseParam),
    request_body(content = Option<crate::openapi::leases::Fail>),
    responses(
        (status = 200, description = "It is stored",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::leases::Ended>)),
        crate::openapi::leases::Late,
    )
)]
pub(crate) async fn fail(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    end(&house, &caller, part, request, |call| Ok(End::Fail(fault_of(call)?))).await
}

/// Says that the worker lives, and hears whether the task was cancelled.
///
/// The lease lasts from now on as long as before, or as `lease` says. `cancel` is true once somebody
/// cancelled the task: it should be ended soon, for its lease is taken after the grace.
#[utoipa::path(
    post, path = "/v1/leases/{lease}/extend", tag = "workers", operation_id = "extendLease",
    params(crate::openapi::leases::LeaseParam),
    request_body(content = Option<crate::openapi::leases::Extend>),
    responses(
        (status = 200, description = "It is held on",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::leases::Held>)),
        crate::openapi::leases::Late,
    )
)]
pub(crate) async fn extend(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let (lease, call) = held(&house, &caller, part, request).await?;
    let (mut progress, mut lasts) = (None, None);
    for (name, raw) in call.fields(&["progress", "lease"])? {
        let read = match name.as_str() {
            _ if value::is_null(raw) => Ok(()),
            "progress" if raw.get().len() > MAX_PROGRESS => {
                Err(format!("may have at most {MAX_PROGRESS} bytes"))
            }
            "progress" => value::json(raw, &call.body).map(|read| progress = Some(read)),
            _ => span(raw, MIN_LEASE, DAY).map(|read| lasts = Some(read)),
        };
        read.map_err(|wrong| wrong_field(&name, wrong))?;
    }
    let outside = house.engine().outside();
    let (cancel, expires_at) = outside.extend(lease, lasts, progress).await.map_err(refused)?;
    Ok(Shape::asked(&call.headers).answer(StatusCode::OK, &Held { cancel, expires_at }))
}

/// Gives a task back: it is ready again at once, and no attempt is counted.
#[utoipa::path(
    post, path = "/v1/leases/{lease}/release", tag = "workers", operation_id = "releaseLease",
    params(crate::openapi::leases::LeaseParam),
    responses(
        (status = 200, description = "It is given back",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::leases::Ended>)),
        crate::openapi::leases::Late,
    )
)]
pub(crate) async fn release(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    end(&house, &caller, part, request, |call| {
        call.fields(&[])?;
        Ok(End::Release)
    })
    .await
}

/// How a worker lets go of a task.
enum End {
    Complete(Option<Payload>),
    Fail(Fault),
    Release,
}

/// Reads how a task that is held ends, stores that, and shows how it stands then.
async fn end(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
    read: impl FnOnce(&Call) -> Result<End, Problem>,
) -> Result<Response, Problem> {
    let (lease, call) = held(house, caller, part, request).await?;
    let outside = house.engine().outside();
    let stored = match read(&call)? {
        End::Complete(result) => outside.complete(lease, result).await,
        End::Fail(fault) => outside.fail(caller.tenant(), lease, fault).await,
        End::Release => outside.release(lease).await,
    };
    let Standing { state, next_at } = stored.map_err(refused)?;
    let shown = Ended { id: lease.id, status: state, run_at: next_at };
    Ok(Shape::asked(&call.headers).answer(StatusCode::OK, &shown))
}

/// Reads the lease and the call; a lease of somebody else is one that is not held.
async fn held(
    house: &House,
    caller: &Caller,
    part: Part,
    request: Request,
) -> Result<(LeaseRef, Call), Problem> {
    let named = part.ok().and_then(|Path(name)| name.parse::<LeaseName>().ok());
    let call = Call::read(request, house).await?;
    let LeaseName(lease) = named.ok_or_else(late)?;
    let queue = house.engine().outside().queue_of(caller.tenant(), &lease).await?;
    if queue.is_none_or(|queue| !caller.covers(&queue)) {
        return Err(late());
    }
    Ok((lease, call))
}

fn late() -> Problem {
    Problem::new(&codes::LEASE_OVER, "the lease is not held any more: nothing was changed")
}

fn refused(refused: LeaseRefused) -> Problem {
    match refused {
        LeaseRefused::Late => late(),
        LeaseRefused::Store(error) => error.into(),
    }
}

fn wrong_field(name: &str, wrong: String) -> Problem {
    Problem::fields(vec![FieldError::new(name, wrong)])
}

/// Reads the body of a failure.
fn fault_of(call: &Call) -> Result<Fault, Problem> {
    let mut fault = Fault::transient("the worker gave no reason");
    let mut faults = Vec::new();
    for (name, raw) in call.fields(&["error", "retry_in"])? {
        match name.as_str() {
            _ if value::is_null(raw) => {}
            "error" => match error_of(raw) {
                Ok(read) => fault = Fault { retry_after: fault.retry_after, ..read },
                Err(mut wrong) => faults.append(&mut wrong),
            },
            _ => match span(raw, Duration::ZERO, DAY) {
                Ok(pause) => fault.retry_after = Some(pause),
                Err(wrong) => faults.push(FieldError::new(name, wrong)),
            },
        }
    }
    if faults.is_empty() { Ok(fault) } else { Err(Problem::fields(faults)) }
}

/// Reads what went wrong: a text, or an object.
fn error_of(raw: &RawValue) -> Result<Fault, Vec<FieldError>> {
    let only = |wrong: String| vec![FieldError::new("error", wrong)];
    if raw.get().starts_with('"') {
        return value::text(raw).map(|text| Fault::transient(cut(text, MAX_MESSAGE))).map_err(only);
    }
    let object = value::object(raw).map_err(only)?;
    let mut fault = Fault::transient("the worker gave no reason");
    let mut faults = Vec::new();
    for (name, raw) in &object.fields {
        if value::is_null(raw) {
            continue;
        }
        let read = value::text(raw).and_then(|text| {
            match &**name {
                "class" => fault.class = class_of(&text)?,
                "code" => fault.code = Some(cut(text, MAX_CODE)),
                "message" => fault.message = cut(text, MAX_MESSAGE),
                "trace" => fault.trace = Some(cut(text, MAX_TRACE)),
                _ => return Err("is no field of an error: class, code, message, trace".into()),
            }
            Ok(())
        });
        if let Err(wrong) = read {
            faults.push(FieldError::new(format!("error.{name}"), wrong));
        }
    }
    if faults.is_empty() { Ok(fault) } else { Err(faults) }
}

fn class_of(word: &str) -> Result<FaultClass, String> {
    // A crash is what the server finds, not what a worker tells.
    let told = || FaultClass::ALL.iter().filter(|(class, _)| *class != FaultClass::Crash);
    let found = told().find(|(_, known)| *known == word).map(|(class, _)| *class);
    found.ok_or_else(|| {
        let words: Vec<_> = told().map(|(_, word)| *word).collect();
        format!("must be one of {}", words.join(", "))
    })
}

/// Keeps the beginning: what a worker says must not be refused for its length.
fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => text[..at].to_owned(),
        None => text,
    }
}

#[derive(Serialize)]
struct Ended {
    id: TaskId,
    status: TaskState,
    run_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Held {
    cancel: bool,
    expires_at: Option<Timestamp>,
}
