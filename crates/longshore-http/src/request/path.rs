//! What a path names.

use super::value;
use crate::codes;
use crate::problem::Problem;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use longshore_core::TaskId;

/// A part of the path, as the framework hands it over.
pub(crate) type Part = Result<Path<String>, PathRejection>;

/// Reads the id of a task.
pub(crate) fn id(part: Part) -> Result<TaskId, Problem> {
    part.ok().and_then(|Path(id)| value::id_of(&id)).ok_or_else(|| {
        Problem::new(
            &codes::BAD_ID,
            "the id must be a UUID, such as 0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70",
        )
    })
}
