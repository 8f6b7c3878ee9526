//! Figures beside the plain client's: told, not judged. Only with `LONGSHORE_BENCH` set, and worth something in a release
//! build alone.

pub(crate) async fn figures() {}
