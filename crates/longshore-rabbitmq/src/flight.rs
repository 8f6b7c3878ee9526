//! One flight: messages written at once on a channel of their own, their confirms awaited together.
//!
//! The channel belongs to one flight at a time: the client hands a returned message to whichever confirm comes next,
//! which on a shared channel is somebody else's.

use crate::error::{Trouble, code};
use crate::live::Live;
use crate::names::{DEFAULT, Route};
use crate::wire::Message;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation};
use std::time::Duration;
use tokio::time::Instant;

/// How many may be written and not confirmed: the client looks through all of them at each confirm.
const WINDOW: usize = 512;
/// And how many bytes.
const WINDOW_BYTES: usize = 16 * 1024 * 1024;
/// What was written before the broker took nothing in any more may still be confirmed within this time.
const GRACE: Duration = Duration::from_millis(700);

/// A message and its way.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) route: Route,
    pub(crate) message: Message,
    /// It is an error if nobody would get it.
    pub(crate) is_mandatory: bool,
}

/// Why a parcel was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fail {
    /// Nobody would get it.
    Unroutable,
    /// It may or may not be stored.
    Unconfirmed(Duration),
    /// It was not sent.
    Unavailable(String),
    /// It was not sent: the broker takes nothing in.
    Blocked(String),
    /// The broker said no.
    Nacked,
    /// Somebody has to change something.
    Refused(String),
    /// The broker was closed.
    Closed,
}

/// What became of a parcel.
pub(crate) type Answer = Result<(), Fail>;

/// Sends parcels in order; answers for each, and whether the channel can be used again. Those answered with nothing
/// were not looked at by the broker, and can be sent again.
pub(crate) async fn fly(
    live: &Live,
    channel: &Channel,
    parcels: &[&Parcel],
    deadline: Instant,
) -> (Vec<Option<Answer>>, bool) {
    let began = Instant::now();
    let mut confirms: Vec<Option<lapin::Result<Confirmation>>> = Vec::new();
    confirms.resize_with(parcels.len(), || None);
    let mut pending = FuturesUnordered::new();
    let is_late = {
        let write = async {
            let mut in_flight = 0;
            for (at, parcel) in parcels.iter().enumerate() {
                in_flight += parcel.message.payload.len();
                pending.push(publish(channel, parcel, at));
                while pending.len() >= WINDOW || (in_flight > WINDOW_BYTES && pending.len() > 1) {
                    if let Some((at, confirm)) = pending.next().await {
                        in_flight -= parcels[at].message.payload.len();
                        confirms[at] = Some(confirm);
                    }
                }
            }
            while let Some((at, confirm)) = pending.next().await {
                confirms[at] = Some(confirm);
            }
        };
        tokio::select! {
            () = write => false,
            () = tokio::time::sleep_until(deadline) => true,
            () = live.becomes_blocked().then(|()| tokio::time::sleep(GRACE)) => true,
        }
    };
    // A confirm that has come may carry what was returned of another one.
    while let Some(Some((at, confirm))) = pending.next().now_or_never() {
        confirms[at] = Some(confirm);
    }
    drop(pending);
    let waited = began.elapsed();
    let answers = judge(parcels, confirms, waited);
    (answers, !is_late && channel.status().connected())
}

async fn publish(
    channel: &Channel,
    parcel: &Parcel,
    at: usize,
) -> (usize, lapin::Result<Confirmation>) {
    let Parcel { route, message, is_mandatory } = parcel;
    let options =
        BasicPublishOptions { mandatory: *is_mandatory, ..BasicPublishOptions::default() };
    let published = channel.basic_publish(
        route.exchange.as_str().into(),
        route.key.as_str().into(),
        options,
        &message.payload,
        message.properties.clone(),
    );
    let confirm = match published.await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    (at, confirm)
}

/// Says what the confirms mean.
fn judge(
    parcels: &[&Parcel],
    confirms: Vec<Option<lapin::Result<Confirmation>>>,
    waited: Duration,
) -> Vec<Option<Answer>> {
    let mut returned = Vec::new();
    let mut refusal = None;
    let mut answers: Vec<Option<Answer>> = confirms
        .into_iter()
        .map(|confirm| {
            Some(match confirm {
                Some(Ok(Confirmation::Ack(message))) => {
                    returned.extend(message);
                    Ok(())
                }
                Some(Ok(Confirmation::Nack(message))) => {
                    returned.extend(message);
                    Err(Fail::Nacked)
                }
                Some(Ok(Confirmation::NotRequested)) | None => Err(Fail::Unconfirmed(waited)),
                Some(Err(error)) => {
                    let trouble = Trouble::from(error);
                    if trouble.is_refusal() {
                        refusal.get_or_insert(trouble);
                    }
                    Err(Fail::Unconfirmed(waited))
                }
            })
        })
        .collect();
    for message in &returned {
        if let Some(at) = owner(parcels, &answers, message) {
            answers[at] = Some(Err(Fail::Unroutable));
        }
    }
    if let Some(refusal) = refusal {
        refused(parcels, &mut answers, &refusal);
    }
    answers
}

/// Whose it is: what is alike in every respect is anybody's.
fn owner(
    parcels: &[&Parcel],
    answers: &[Option<Answer>],
    returned: &BasicReturnMessage,
) -> Option<usize> {
    let fits = |at: &usize| {
        let Parcel { route, message, is_mandatory } = parcels[*at];
        *is_mandatory
            && answers[*at] != Some(Err(Fail::Unroutable))
            && route.exchange == returned.exchange.as_str()
            && route.key == returned.routing_key.as_str()
            && message.payload == returned.data
    };
    let same = |at: &usize| parcels[*at].message.properties == returned.properties;
    let mut all = 0..parcels.len();
    let exact = all.clone().find(|at| fits(at) && same(at));
    exact.or_else(|| all.find(fits))
}

/// The server closed the channel because of one exchange: what was written later was not looked at.
fn refused(parcels: &[&Parcel], answers: &mut [Option<Answer>], refusal: &Trouble) {
    let text = refusal.to_string();
    let named = text.split_once("exchange '").and_then(|(_, rest)| rest.split_once('\''));
    let exchange = named.map_or("", |(name, _)| name);
    let exchange = if exchange == "amq.default" { DEFAULT } else { exchange };
    let is_open = |answer: &Option<Answer>| matches!(answer, Some(Err(Fail::Unconfirmed(_))));
    let is_guilty = |parcel: &Parcel| {
        refusal.code() == Some(code::PRECONDITION_FAILED) || parcel.route.exchange == exchange
    };
    let mut guilt = false;
    for (parcel, answer) in parcels.iter().zip(answers) {
        if !is_open(answer) {
            continue;
        }
        if is_guilty(parcel) {
            guilt = true;
            *answer = Some(Err(Fail::Refused(text.clone())));
        } else if guilt {
            *answer = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::ErrorKind;
    use lapin::protocol::AMQPError;
    use longshore_core::broker::Envelope;

    fn parcel(exchange: &str) -> Parcel {
        let route = Route { exchange: exchange.to_owned(), key: "k".to_owned() };
        Parcel { route, message: Message::of(Envelope::new("x")), is_mandatory: true }
    }

    #[test]
    fn a_refused_exchange_does_not_touch_the_others() {
        let all = [parcel("a"), parcel("a"), parcel("gone"), parcel("a"), parcel("gone")];
        let parcels: Vec<_> = all.iter().collect();
        let text = "NOT_FOUND - no exchange 'gone' in vhost '/'";
        let error = || -> lapin::Error {
            ErrorKind::ProtocolError(AMQPError::from_id(404, text.into()).unwrap()).into()
        };
        let mut confirms = vec![Some(Ok(Confirmation::Ack(None)))];
        confirms.extend((0..4).map(|_| Some(Err(error()))));
        let answers = judge(&parcels, confirms, Duration::ZERO);
        let refused = Some(Err(Fail::Refused(text.to_owned())));
        let open = Some(Err(Fail::Unconfirmed(Duration::ZERO)));
        assert_eq!(answers, [Some(Ok(())), open, refused.clone(), None, refused]);
    }
}
