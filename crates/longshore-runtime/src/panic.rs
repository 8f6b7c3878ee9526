//! What a panic said.

use std::any::Any;

/// Returns the message of a caught panic, if it left a text.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}
