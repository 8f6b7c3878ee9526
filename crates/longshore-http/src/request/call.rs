//! Calls that act on something: they may come without a body, and most have nothing to say in one.

use super::body;
use super::object::{self, Object};
use super::query::{Query, unknown};
use crate::house::House;
use crate::problem::Problem;
use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use longshore_runtime::FieldError;
use longshore_runtime::nearest::nearest;
use serde_json::value::RawValue;

/// A call without parameters, and its body if it has one.
#[derive(Debug)]
pub(crate) struct Call {
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body; empty if there is none.
    pub(crate) body: Bytes,
}

impl Call {
    /// Takes the call in; it may hold no field.
    pub(crate) async fn plain(request: Request, house: &House) -> Result<HeaderMap, Problem> {
        let call = Self::read(request, house).await?;
        call.fields(&[])?;
        Ok(call.headers)
    }

    /// Takes the call in. A body of the type of JSON is only asked for if there is one.
    pub(crate) async fn read(request: Request, house: &House) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        Query::none(parts.uri.query())?;
        let body = body::read_if_any(&parts.headers, body, house.max_body()).await?;
        Ok(Self { headers: parts.headers, body: body.unwrap_or_default() })
    }

    /// Reads the fields of the body, of which only those may be there.
    pub(crate) fn fields(&self, known: &[&str]) -> Result<Vec<(String, &RawValue)>, Problem> {
        if self.body.is_empty() {
            return Ok(Vec::new());
        }
        fields(&self.body, known)
    }
}

/// Reads the fields of an object, of which only those may be there.
pub(crate) fn fields<'a>(
    body: &'a Bytes,
    known: &[&str],
) -> Result<Vec<(String, &'a RawValue)>, Problem> {
    let Object { fields, repeated } = object::read(body)?;
    let twice = repeated.into_iter().map(|name| FieldError::new(name, "is given more than once"));
    let mut faults: Vec<_> = twice.collect();
    for (name, _) in &fields {
        if !known.contains(&&**name) {
            let near = nearest(name, known.iter().copied());
            faults.push(FieldError::new(name.clone(), unknown("field", &near)));
        }
    }
    if !faults.is_empty() {
        return Err(Problem::fields(faults));
    }
    Ok(fields.into_iter().map(|(name, raw)| (name.into_owned(), raw)).collect())
}
