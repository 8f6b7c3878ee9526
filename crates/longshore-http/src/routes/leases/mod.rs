//! Workers in any language: [`take`] hands tasks out under leases, [`end`] takes their ends.

pub(crate) mod end;
pub(crate) mod take;
