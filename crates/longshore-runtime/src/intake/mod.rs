//! Where work comes in: the one `validate` for HTTP, library, and all that follows from ends.
//!
//! [`Submission`] is what somebody asked for; [`Intake::validate`] turns it into a
//! [`Valid<NewTask>`](longshore_core::Valid); [`Intake::submit`] returns once the store has it on
//! disk.

mod submission;
mod submit;
mod validate;

pub use submission::Submission;
pub use submit::{Intake, SubmitError};
pub use validate::{FieldError, MAX_HEADERS, MAX_TAGS, OURS, validate};
