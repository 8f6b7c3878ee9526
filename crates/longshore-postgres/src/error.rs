//! What PostgreSQL's errors mean for the store.

use longshore_core::failpoint::Injected;
use longshore_core::store::StoreError;
use std::io;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be used.
    #[error("the address of the database is wrong: {why}")]
    BadUrl {
        /// What is wrong with it.
        why: String,
    },
    /// Nobody answers there.
    #[error(
        "cannot reach PostgreSQL at {place}: {why}; check the address, and that the server runs and may be reached from here"
    )]
    Unreachable {
        /// Where it should be.
        place: String,
        /// What the system said.
        why: String,
    },
    /// Somebody is there, and takes nobody in for now.
    #[error(
        "PostgreSQL at {place} takes nobody in now: {why}; it may be starting or stopping, or all its connections are in use (max_connections)"
    )]
    NotNow {
        /// Where.
        place: String,
        /// What the server said.
        why: String,
    },
    /// The user, the password or the database is not right.
    #[error(
        "PostgreSQL at {place} lets us not in: {why}; check user, password and database in the address, and pg_hba.conf"
    )]
    Refused {
        /// Where.
        place: String,
        /// What the server said.
        why: String,
    },
    /// The two could not agree on TLS.
    #[error(
        "no TLS with PostgreSQL at {place}: {why}; check sslmode and sslrootcert in the address, and `ssl` of the server"
    )]
    Tls {
        /// Where.
        place: String,
        /// What went wrong.
        why: String,
    },
    /// The user may not do what is needed.
    #[error(
        "the user of the address may not use {place}: {why}; grant CREATE on the database, or make the schema and its owner this user"
    )]
    Rights {
        /// Where.
        place: String,
        /// What the server said.
        why: String,
    },
    /// A later version made the schema.
    #[error(
        "{place} was made by a later version (format {found}, this program knows {known}); use that version"
    )]
    TooNew {
        /// Where.
        place: String,
        /// Its format.
        found: i32,
        /// The newest format this program knows.
        known: i32,
    },
    /// It is too old, not writable, or has something else under our names.
    #[error("{place} cannot be used: {why}")]
    Unfit {
        /// Where.
        place: String,
        /// What is wrong.
        why: String,
    },
}

impl OpenError {
    /// Whether the same opening may succeed later, with nothing changed in the address.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotNow { .. })
    }

    /// Says what an error of the client means for an opening.
    pub(crate) fn of(place: &str, error: &tokio_postgres::Error) -> Self {
        let (place, why) = (place.to_owned(), told(error));
        let Some(state) = error.code() else {
            let text = why.to_lowercase();
            let tells_of = |words: &[&str]| words.iter().any(|word| text.contains(word));
            // The client's own errors have no codes.
            return if tells_of(&["password", "authentication"]) {
                Self::Refused { place, why }
            } else if !is_of_the_link(error) && tells_of(&["tls", "certificate", "ssl"]) {
                Self::Tls { place, why }
            } else {
                Self::Unreachable { place, why }
            };
        };
        match state.code() {
            "28P01" | "28000" | "3D000" => Self::Refused { place, why },
            "42501" => Self::Rights { place, why },
            code if is_passing(code) => Self::NotNow { place, why },
            _ => Self::Unfit { place, why },
        }
    }

    /// Says what was in the way of an opening that had begun its work.
    pub(crate) fn of_trouble(place: &str, trouble: &Trouble) -> Self {
        let (place, why) = (place.to_owned(), trouble.to_string());
        match trouble {
            Trouble::Failed(_) => Self::Unfit { place, why },
            _ => Self::NotNow { place, why },
        }
    }
}

/// Whether the server, not the request, is in the way: it starts or stops, lacks room or connections, was demoted a
/// moment ago, or somebody else held a lock for too long.
fn is_passing(code: &str) -> bool {
    let classes = ["08", "40", "53", "57"];
    classes.iter().any(|class| code.starts_with(class)) || matches!(code, "25006" | "55P03")
}

/// Whether the link broke, if in the middle of an agreement on TLS.
fn is_of_the_link(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind.is_some_and(|kind| BROKEN.contains(&kind)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// How a link breaks.
const BROKEN: [io::ErrorKind; 5] = [
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::BrokenPipe,
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::TimedOut,
];

/// Tells an error of the client with its cause.
pub(crate) fn told(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} ({})", db.message(), db.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Why a transaction did not come about.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Trouble {
    /// No room on the server's disk: nothing was changed.
    #[error("no room on the disk of the database")]
    Full,
    /// The database is away: nothing was changed.
    #[error("{0}")]
    Away(String),
    /// It took too long, or somebody else was in the way for too long: nothing was changed.
    #[error("too late: {0}")]
    Late(String),
    /// Two transactions were in each other's way: nothing was changed, once more may help.
    #[error("{0}")]
    Again(String),
    /// This request cannot be served; others can.
    #[error("{0}")]
    Failed(String),
    /// It may have been done.
    #[error("{0}")]
    Unknown(String),
}

impl Trouble {
    /// What an error means that came in answer to a commit, or to a statement that commits itself.
    pub(crate) fn of_commit(error: &tokio_postgres::Error) -> Self {
        match error.code() {
            // It was asked to shut down, or somebody on the way lost it: before or after the commit is not said.
            Some(state) if state.code().starts_with("57P") || state.code().starts_with("08") => {
                Self::Unknown(told(error))
            }
            Some(_) => Self::from_client(error),
            None => Self::Unknown(format!("the connection was lost: {}", told(error))),
        }
    }

    fn from_client(error: &tokio_postgres::Error) -> Self {
        let why = told(error);
        let Some(state) = error.code() else {
            return Self::Away(why);
        };
        if *state == SqlState::T_R_SERIALIZATION_FAILURE
            || *state == SqlState::T_R_DEADLOCK_DETECTED
        {
            return Self::Again(why);
        }
        match state.code() {
            "57014" | "55P03" | "25P03" => Self::Late(why),
            "53100" => Self::Full,
            code if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
                Self::Away(why)
            }
            "25006" => Self::Away(why),
            _ => Self::Failed(why),
        }
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::from_client(&error)
    }
}

impl From<Injected> for Trouble {
    fn from(injected: Injected) -> Self {
        Self::Failed(injected.to_string())
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Trouble {
    /// Whether it is said that nothing was changed, even by what commits itself.
    pub(crate) fn is_definite(&self) -> bool {
        matches!(self, Self::Full | Self::Late(_) | Self::Again(_))
    }

    /// What it means for whoever called, and has waited for so long.
    pub(crate) fn into_error(self, waited: Duration) -> StoreError {
        match self {
            Self::Full => StoreError::Full,
            Self::Late(_) => StoreError::Deadline { waited },
            Self::Away(why) | Self::Again(why) | Self::Failed(why) => {
                StoreError::Unavailable { why }
            }
            Self::Unknown(why) => StoreError::Unknown { why },
        }
    }
}
