//! `PATCH /v1/queues/{queue}`: what goes before the configuration.

use super::read::shown;
use super::view::Shown;
use super::{name, no_queue};
use crate::auth::Caller;
use crate::house::House;
use crate::problem::Problem;
use crate::request::path::Part;
use crate::request::query::Query;
use crate::request::value::{self, Wrong};
use crate::request::{body, call};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use longshore_core::Timestamp;
use longshore_core::queue::QueueSettings;
use longshore_runtime::FieldError;
use serde_json::value::RawValue;

/// Settings that can be given.
const FIELDS: [&str; 4] = ["slots", "limit", "rate", "backlog"];

/// Changes what is set on a queue.
///
/// What is given goes before the configuration and outlives restarts; `null` takes it back; what is
/// left out stays. With `If-Match` it is only done if nobody changed the settings in between.
#[utoipa::path(
    patch, path = "/v1/queues/{queue}", tag = "queues", operation_id = "changeQueue",
    params(crate::openapi::schemas::QueueParam,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read before")),
    request_body(content = crate::openapi::schemas::QueueChange,
        example = json!({"slots": 8, "rate": "500/s", "backlog": null})),
    responses(
        (status = 200, description = "The queue as it stands now",
            body = inline(crate::openapi::schemas::Envelope<crate::openapi::schemas::Queue>),
            headers(("ETag" = String, description = "Changes whenever a setting does"))),
        crate::openapi::schemas::NotChanged,
    )
)]
pub(crate) async fn patch(
    State(house): State<House>,
    caller: Caller,
    part: Part,
    request: Request,
) -> Result<Response, Problem> {
    let name = name(&caller, part)?;
    let (parts, body) = request.into_parts();
    Query::none(parts.uri.query())?;
    let body = body::read(&parts.headers, body, house.max_body()).await?;
    let change = Change::read(&body)?;
    let queues = house.engine().queues();
    let changed = queues.change(caller.by(), caller.tenant(), &name, |queue| {
        Shown::new(queue, Timestamp(0)).tag().must_match(&parts.headers)?;
        Ok::<_, Problem>(change.of(queue.set.clone()))
    });
    let queue = changed.await?.ok_or_else(|| no_queue(name.as_str()))?;
    Ok(shown(&parts.headers, &queue))
}

/// What to set: nothing for what stays, and a nothing inside for what is taken back.
#[derive(Debug, Default)]
struct Change {
    slots: Option<Option<u32>>,
    limit: Option<Option<u32>>,
    rate: Option<Option<longshore_core::queue::Rate>>,
    backlog: Option<Option<u64>>,
}

impl Change {
    fn read(body: &Bytes) -> Result<Self, Problem> {
        let mut change = Self::default();
        let mut faults = Vec::new();
        for (name, raw) in call::fields(body, &FIELDS)? {
            if let Err(wrong) = change.take(&name, raw) {
                faults.push(FieldError::new(name, wrong));
            }
        }
        if faults.is_empty() { Ok(change) } else { Err(Problem::fields(faults)) }
    }

    fn take(&mut self, name: &str, raw: &RawValue) -> Result<(), Wrong> {
        let mut one = QueueSettings::default();
        if !value::is_null(raw) {
            match name {
                "slots" => one.slots = Some(number(raw)?),
                "limit" => one.limit = Some(number(raw)?),
                "backlog" => one.backlog = Some(number(raw)?),
                _ => {
                    let rate = value::text(raw).unwrap_or_default().parse();
                    one.rate =
                        Some(rate.map_err(|bad: longshore_core::queue::BadRate| bad.to_string())?);
                }
            }
        }
        one.check().map_err(|bad| format!("must be {}", bad.must_be))?;
        match name {
            "slots" => self.slots = Some(one.slots),
            "limit" => self.limit = Some(one.limit),
            "backlog" => self.backlog = Some(one.backlog),
            _ => self.rate = Some(one.rate),
        }
        Ok(())
    }

    /// Changes what was set so far.
    fn of(self, set: QueueSettings) -> QueueSettings {
        QueueSettings {
            slots: self.slots.unwrap_or(set.slots),
            limit: self.limit.unwrap_or(set.limit),
            rate: self.rate.unwrap_or(set.rate),
            backlog: self.backlog.unwrap_or(set.backlog),
        }
    }
}

/// Reads a whole number that is not negative; one that is too large is cut, and out of range.
fn number<T: TryFrom<i64>>(raw: &RawValue) -> Result<T, Wrong> {
    let number = value::whole(raw)?;
    T::try_from(number).map_err(|_| match number {
        ..0 => "must not be negative".into(),
        _ => "must be at most 4294967295".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Change, u32> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Change::read(&body).map_err(|problem| problem.code().number)
    }

    #[test]
    fn null_takes_back_and_what_is_left_out_stays() {
        let set = QueueSettings { slots: Some(3), limit: Some(5), ..QueueSettings::default() };
        let change = read(r#"{"slots":null,"rate":"30/m"}"#).unwrap();
        let now = change.of(set);
        assert_eq!((now.slots, now.limit, now.rate.unwrap().count), (None, Some(5), 30));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for bad in [
            r#"{"slots":0}"#,
            r#"{"slots":10001}"#,
            r#"{"slots":"8"}"#,
            r#"{"slots":1.5}"#,
            r#"{"limit":0}"#,
            r#"{"limit":-1}"#,
            r#"{"limit":4294967296}"#,
            r#"{"rate":"fast"}"#,
            r#"{"rate":5}"#,
            r#"{"backlog":0}"#,
            r#"{"backlog":-1}"#,
            r#"{"slot":1}"#,
            r#"{"slots":1,"slots":2}"#,
            "[]",
        ] {
            assert_eq!(read(bad).unwrap_err(), 40001, "{bad}");
        }
    }
}
