//! Why a command failed, in one line for people, and how the program ends then.

use crate::exit::Exit;
use longshore::client::ClientError;
use longshore::keys::{KeyFileError, NoChance};
use std::borrow::Cow;
use std::fmt;
use std::io::ErrorKind;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The service.
    #[error(transparent)]
    Service(#[from] longshore::Error),
    /// The server that was asked.
    #[error("{}", Said(.0))]
    Client(#[from] ClientError),
    /// The system.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: Cow<'static, str>,
        /// What the system said.
        source: std::io::Error,
    },
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The file of the keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// No key can be made.
    #[error(transparent)]
    NoChance(#[from] NoChance),
    /// A measurement that says nothing.
    #[error("{0}")]
    Bench(String),
    /// A check that cannot go on.
    #[error("{0}")]
    Check(String),
    /// A slip of this program.
    #[error("something broke inside: {0}")]
    Broken(#[from] tokio::task::JoinError),
    /// It broke off after a part was done.
    #[error("{0}")]
    Partly(String),
    /// Somebody said no.
    #[error("nothing was done")]
    Declined,
    /// What is shown could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

impl Failure {
    /// Says what was being done when the system said no.
    pub(crate) fn system(
        what: impl Into<Cow<'static, str>>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what: what.into(), source }
    }

    /// Returns whether nobody reads the output any more: that is no error.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == ErrorKind::BrokenPipe)
    }

    /// Returns how the program ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => Exit::of(error),
            Self::Usage(_) => Exit::Usage,
            Self::NotFound(_) => Exit::NotFound,
            Self::Keys(KeyFileError::Missing { .. }) => Exit::NotFound,
            Self::Keys(KeyFileError::Wrong { .. }) => Exit::Usage,
            Self::Partly(_) => Exit::Partly,
            Self::Output(_) if self.is_unread() => Exit::Fine,
            Self::Service(_)
            | Self::System { .. }
            | Self::Keys(_)
            | Self::NoChance(_)
            | Self::Bench(_)
            | Self::Check(_)
            | Self::Broken(_)
            | Self::Declined
            | Self::Output(_) => Exit::Failed,
        }
    }
}

/// An error of the client with all that the service said, and where to read on.
#[derive(Debug)]
pub(crate) struct Said<'a>(pub(crate) &'a ClientError);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ClientError::Api { code, message, errors, trace_id, .. } => {
                // Of a single field the message says everything.
                let fields = errors.as_slice();
                match fields {
                    [_, _, ..] => f.write_str("the request is not valid")?,
                    _ => f.write_str(message)?,
                }
                // What something in between answered has no page.
                match code % 100 {
                    0 => {}
                    _ => write!(f, " (see: longshore explain LS-{code})")?,
                }
                if *code == 50_001
                    && let Some(trace) = trace_id
                {
                    write!(f, ", trace {trace}")?;
                }
                if fields.len() > 1 {
                    for error in fields {
                        write!(f, "\n  {}: {}", error.field, error.message)?;
                    }
                }
                Ok(())
            }
            ClientError::Unreachable { .. } => {
                write!(f, "{}; is the server up? (--server, LONGSHORE_SERVER)", self.0)
            }
            ClientError::Timeout { .. } => write!(f, "{} (--request-timeout)", self.0),
            ClientError::Unknown { key, source } => write!(
                f,
                "it may or may not have been stored: {}; repeat it with --idempotency-key {key}",
                Said(source)
            ),
            error => fmt::Display::fmt(error, f),
        }
    }
}
