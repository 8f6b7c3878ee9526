//! What RabbitMQ's errors mean.

use lapin::ErrorKind;
use longshore_core::broker::BrokerError;
use std::time::Duration;

/// Why a broker could not be opened: the address or an option is wrong. Whether somebody answers is not asked.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An address cannot be used.
    #[error("the address of RabbitMQ is wrong: {why}")]
    BadUrl {
        /// What is wrong with it.
        why: String,
    },
    /// An option cannot be used.
    #[error("{option}: {why}")]
    BadOption {
        /// Which one.
        option: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a step on a channel or a connection was not done.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// No answer came in time.
    Late(Duration),
    /// The client or the server said no.
    Amqp(lapin::Error),
    /// The connection is not there.
    Away(String),
}

/// Codes of AMQP 0-9-1.
pub(crate) mod code {
    pub(crate) const ACCESS_REFUSED: u16 = 403;
    pub(crate) const NOT_FOUND: u16 = 404;
    pub(crate) const RESOURCE_LOCKED: u16 = 405;
    pub(crate) const PRECONDITION_FAILED: u16 = 406;
    pub(crate) const NOT_ALLOWED: u16 = 530;
}

impl Trouble {
    /// Returns the server's code, if it gave one.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Amqp(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => Some(error.get_id()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns whether the server said that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == Some(code::NOT_FOUND)
    }

    /// Returns whether somebody has to change something before the same step can succeed.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self.code(),
            Some(
                code::ACCESS_REFUSED
                    | code::NOT_FOUND
                    | code::RESOURCE_LOCKED
                    | code::PRECONDITION_FAILED
                    | code::NOT_ALLOWED
            )
        )
    }

    /// Says what it means for whoever called.
    pub(crate) fn into_error(self) -> BrokerError {
        match self {
            Self::Late(waited) => BrokerError::Deadline { waited },
            refusal if refusal.is_refusal() => BrokerError::Refused { why: refusal.to_string() },
            other => BrokerError::Unavailable { why: other.to_string() },
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Late(waited) => write!(f, "no answer within {waited:?}"),
            Self::Away(why) => f.write_str(why),
            Self::Amqp(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => f.write_str(error.get_message().as_str()),
                ErrorKind::IOError(error) => write!(f, "{error}"),
                ErrorKind::MissingHeartbeatError => f.write_str("no sign of life in time"),
                ErrorKind::InvalidConnectionState(_) | ErrorKind::InvalidChannelState(..) => {
                    f.write_str("the connection was lost")
                }
                _ => write!(f, "{error}"),
            },
        }
    }
}

impl From<lapin::Error> for Trouble {
    fn from(error: lapin::Error) -> Self {
        Self::Amqp(error)
    }
}

/// Waits for an answer, for at most so long.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::Late(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::AMQPError;

    fn trouble(id: u16, text: &str) -> Trouble {
        let error = AMQPError::from_id(id, text.into()).unwrap();
        Trouble::Amqp(ErrorKind::ProtocolError(error).into())
    }

    #[test]
    fn what_somebody_has_to_change_is_a_refusal() {
        let refused = trouble(403, "ACCESS_REFUSED - login was refused");
        assert!(
            matches!(refused.into_error(), BrokerError::Refused { why } if why.contains("login"))
        );
        for (id, text) in [(530, "NOT_ALLOWED - vhost x not found"), (404, "NOT_FOUND - no queue")]
        {
            assert!(trouble(id, text).is_refusal(), "{text}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_not() {
        let stopped = trouble(320, "CONNECTION_FORCED - broker forced connection closure");
        assert!(matches!(stopped.into_error(), BrokerError::Unavailable { .. }));
        let late = Trouble::Late(Duration::from_secs(3)).into_error();
        assert!(matches!(late, BrokerError::Deadline { .. }));
    }
}
