//! A connection while it lasts: watched for its end, for a silence, and for being blocked.

use crate::connection::Connection;
use crate::error::Trouble;
use futures_util::StreamExt;
use lapin::{Channel, Event};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// Between two questions whether somebody is there.
const PROBE: Duration = Duration::from_secs(4);
/// The answer has to come within this time. A client alone notices a silent link after two heartbeats.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection that works.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) connection: Connection,
    /// Which one it is, counted from 1.
    pub(crate) epoch: u64,
    control: Mutex<Channel>,
    blocked: watch::Sender<Option<String>>,
}

/// Why it is over.
#[derive(Debug)]
pub(crate) enum End {
    /// Nobody needs it.
    Unused,
    /// It was lost.
    Lost(String),
}

impl Live {
    /// Takes over a new connection.
    pub(crate) async fn new(connection: Connection, epoch: u64) -> Result<Self, Trouble> {
        let control = Mutex::new(connection.channel().await?);
        Ok(Self { connection, epoch, control, blocked: watch::Sender::new(None) })
    }

    /// Returns why the broker takes nothing in, if so.
    pub(crate) fn blocked(&self) -> Option<String> {
        self.blocked.borrow().clone()
    }

    /// Returns once the broker takes nothing in.
    pub(crate) async fn becomes_blocked(&self) {
        let mut blocked = self.blocked.subscribe();
        let _ = blocked.wait_for(Option::is_some).await;
    }

    /// Returns why it ended, once it has; tells whenever it is blocked, and no longer.
    pub(crate) async fn watch(&self, tell: impl Fn(Option<String>)) -> End {
        let mut events = std::pin::pin!(self.connection.events());
        let mut due = tokio::time::interval(PROBE);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut question: Option<Pin<Box<dyn Future<Output = Option<String>> + Send + '_>>> = None;
        loop {
            if !self.connection.is_up() {
                return End::Lost("the server ended it".to_owned());
            }
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(why)) => {
                        // While it is blocked nothing is written, so that no answer can come.
                        question = None;
                        tracing::warn!(why, "the broker takes nothing in");
                        self.blocked.send_replace(Some(why.clone()));
                        tell(Some(why));
                    }
                    Some(Event::ConnectionUnblocked) => {
                        self.blocked.send_replace(None);
                        tell(None);
                    }
                    Some(Event::Error(error)) if !self.connection.is_up() => {
                        return End::Lost(Trouble::from(error).to_string());
                    }
                    Some(_) => {}
                    None => return End::Lost("the client ended it".to_owned()),
                },
                answer = async { question.as_mut()?.await }, if question.is_some() => {
                    question = None;
                    if let Some(why) = answer {
                        return End::Lost(why);
                    }
                }
                _ = due.tick(), if question.is_none() => {
                    if self.blocked().is_none() {
                        question = Some(Box::pin(self.ask()));
                    }
                }
            }
        }
    }

    /// Asks whether somebody is there; returns why the connection cannot be used, if so.
    async fn ask(&self) -> Option<String> {
        let mut control = self.control.lock().await;
        match Connection::ask(&control, PATIENCE).await {
            Ok(()) => None,
            Err(Trouble::Late(waited)) => Some(format!("no sign of life within {waited:?}")),
            Err(_) if self.connection.is_up() => match self.connection.channel().await {
                Ok(channel) => {
                    *control = channel;
                    None
                }
                Err(trouble) => Some(trouble.to_string()),
            },
            Err(trouble) => Some(trouble.to_string()),
        }
    }
}
