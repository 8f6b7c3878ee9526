//! Every error code there is, as a table.
//!
//! A code is five digits that begin with the HTTP status. Each has a page in `docs/errors/` that
//! says what happened, the likely cause, and what to do; the server serves it at `type`.

use http::StatusCode;

/// One way in which a request can go wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Five digits that begin with the HTTP status.
    pub number: u32,
    /// A short name; the same for every occurrence.
    pub title: &'static str,
    /// Its page, in Markdown.
    pub page: &'static str,
}

impl Code {
    /// Returns the HTTP status.
    pub fn status(&self) -> StatusCode {
        u16::try_from(self.number / 100)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns the name of its page, such as `LS-40001`.
    pub fn name(&self) -> String {
        format!("LS-{}", self.number)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $title:literal;)*) => {
        $(
            $(#[$doc])*
            pub static $name: Code = Code {
                number: $number,
                title: $title,
                page: include_str!(concat!("../../../docs/errors/LS-", $number, ".md")),
            };
        )*

        /// All of them, by number.
        pub static CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    /// Fields or query parameters are wrong; `errors` names each.
    INVALID = 40001, "The request is not valid";
    /// The body is no JSON; the message says where.
    MALFORMED = 40002, "The body is not JSON";
    /// An id in the path is no UUID.
    BAD_ID = 40003, "Not a task id";
    /// A cursor that this server did not make.
    BAD_CURSOR = 40004, "Not a cursor";
    /// The `Idempotency-Key` header is wrong.
    BAD_KEY = 40005, "The idempotency key is not usable";
    /// The body broke off, or could not be decompressed.
    BROKEN_BODY = 40006, "The body could not be read";
    /// Documented, but not in this version.
    NOT_AVAILABLE = 40010, "Not available yet";
    /// No key was shown where one is needed.
    NO_KEY = 40101, "A key is needed";
    /// What was shown is no key in force.
    WRONG_KEY = 40102, "The key is not valid";
    /// It was one.
    KEY_EXPIRED = 40103, "The key has expired";
    /// The `Host` header names somebody else.
    FOREIGN_HOST = 40301, "The host is not served here";
    /// The key lacks the role that the route takes.
    ROLE_MISSING = 40302, "The key does not allow this";
    /// The key is for other queues.
    QUEUE_NOT_COVERED = 40303, "The key does not cover this queue";
    /// There is nothing at this path.
    NO_ROUTE = 40401, "No such page";
    /// There is no such task, or it is another tenant's.
    NO_TASK = 40402, "No such task";
    /// There is no queue of that name.
    NO_QUEUE = 40403, "No such queue";
    /// There is no kind of that name.
    NO_KIND = 40404, "No such kind";
    /// There is no tenant of that name, or it is not the caller's.
    NO_TENANT = 40405, "No such tenant";
    /// There is no such schedule, or it is another tenant's.
    NO_SCHEDULE = 40411, "No such schedule";
    /// There is no worker of that name.
    NO_WORKER = 40412, "No such worker";
    /// There is no broker of that name.
    NO_BROKER = 40421, "No such broker";
    /// There is no consumer of that name.
    NO_CONSUMER = 40422, "No such consumer";
    /// The path exists, but not with this method.
    WRONG_METHOD = 40501, "The method is not allowed here";
    /// The body came too slowly.
    SLOW_BODY = 40801, "The body did not arrive in time";
    /// A task of that id exists.
    ID_TAKEN = 40901, "A task with this id exists";
    /// An equal `unique` key holds.
    UNIQUE_TAKEN = 40902, "A task with this unique key exists";
    /// The task's state does not allow it.
    WRONG_STATE = 40903, "Not possible in this state";
    /// The lease is not held any more.
    LEASE_OVER = 40904, "The lease is not held any more";
    /// A schedule of that id exists.
    SCHEDULE_TAKEN = 40911, "A schedule with this id exists";
    /// It comes from the configuration, and is removed there.
    CONFIGURED = 40912, "It comes from the configuration";
    /// What was read before has changed since.
    CHANGED = 41201, "It has changed since";
    /// The body is larger than allowed.
    TOO_LARGE = 41301, "The body is too large";
    /// The body is of another type than JSON.
    NOT_JSON = 41501, "The body must be JSON";
    /// The body's content coding is unknown.
    BAD_CODING = 41502, "The content coding is not supported";
    /// The idempotency key was used with another body.
    KEY_REUSED = 42201, "The idempotency key was used with another body";
    /// No group gets what is published there.
    UNROUTABLE = 42202, "Nobody would receive it";
    /// So many tasks wait in the queue that no more are taken in.
    BACKLOG_FULL = 42901, "The backlog is full";
    /// An address showed too many wrong keys.
    TOO_MANY_TRIES = 42902, "Too many wrong keys";
    /// A bug.
    INTERNAL = 50001, "Something broke inside";
    /// It may or may not have been done.
    UNKNOWN_OUTCOME = 50002, "The outcome is unknown";
    /// A broker says no for good.
    BROKER_REFUSES = 50201, "The broker refuses";
    /// The store cannot be reached at the moment.
    STORE_AWAY = 50301, "The store is unavailable";
    /// The server is stopping.
    STOPPING = 50302, "The server is stopping";
    /// The store cannot go on in this process.
    STORE_CLOSED = 50303, "The store is closed";
    /// A broker cannot be reached, or takes nothing in.
    BROKER_AWAY = 50304, "The broker is unavailable";
    /// A message may or may not have been stored by its broker.
    UNCONFIRMED = 50305, "The broker did not confirm";
    /// There is no room left.
    FULL = 50701, "The store is full";
}

/// Returns the code of that name, such as `LS-40001`.
pub fn by_name(name: &str) -> Option<&'static Code> {
    let number: u32 = name.strip_prefix("LS-")?.parse().ok()?;
    CODES.iter().find(|code| code.number == number && code.name() == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_begins_with_its_status_and_none_is_given_twice() {
        let numbers: BTreeSet<u32> = CODES.iter().map(|code| code.number).collect();
        assert_eq!(numbers.len(), CODES.len());
        for code in CODES {
            assert!((40_000..60_000).contains(&code.number), "{}", code.number);
            assert_eq!(u32::from(code.status().as_u16()), code.number / 100);
            assert_eq!(by_name(&code.name()), Some(*code));
        }
    }

    #[test]
    fn every_code_has_its_page_and_every_page_its_code() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");
        let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let in_table: BTreeSet<String> =
            CODES.iter().map(|code| format!("{}.md", code.name())).collect();
        assert_eq!(on_disk, in_table);
    }

    #[test]
    fn every_page_says_what_happened_why_and_what_to_do() {
        for code in CODES {
            let heading = format!("# {}: {}\n", code.name(), code.title);
            assert!(code.page.starts_with(&heading), "{} must begin with {heading}", code.name());
            for part in ["## What happened", "## Likely cause", "## What to do"] {
                assert!(code.page.contains(part), "{} lacks {part}", code.name());
            }
        }
    }
}
