//! Push: an attempt is one HTTP POST to a service of yours.
//!
//! The payload is the body, as it was submitted. The headers say which task it is (CloudEvents in
//! binary mode, `Idempotency-Key`), which attempt (`Longshore-Attempt`, `Longshore-Deadline`,
//! `Longshore-Token`, `Longshore-Lease`), carry the trace on (`traceparent`) and sign all of it
//! ([`signature`](crate::signature)) if there is a secret. The task's own headers travel too; what
//! is ours, credentials, and what frames a request cannot be set by a task.
//!
//! | answer | means |
//! |---|---|
//! | 2xx | done; the body (at most 64 KiB of text) is the result: JSON if it is JSON, else a string; nothing is `null` |
//! | 2xx, `application/vnd.longshore.outcome+json` | what the body says: `{"status": "SUCCESS" \| "RETRY" \| "DROP", "result"?, "message"?, "retry_in"?}` |
//! | 202 | ending later is not available yet: to the dead letters, code `push.202` |
//! | 429 | tried again, class `rate_limited` |
//! | 502 503 504, 3xx, no connection | tried again, class `dependency` |
//! | 408 425, other 5xx, a broken answer | tried again, class `transient` |
//! | other 4xx, any failure with `Longshore-No-Retry: true` | to the dead letters, class `bad_data` |
//!
//! `Retry-After` (seconds or a date; at most 24 h) is the pause before the next attempt. The code
//! of a refused attempt is `http.<status>`; the first 2 KiB of its body are kept as the trace.
//! Redirects are not followed. The whole call ends within the attempt's timeout, reading the
//! body within 30 s.

mod answer;
mod headers;
mod said;
mod spec;
mod target;

pub use spec::{PushError, PushSpec};
pub use target::push;
