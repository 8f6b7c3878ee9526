//! Publishing as callers see it: what is checked first, and what is tried once more.

use crate::broker::RabbitMq;
use crate::flight::{Answer, Fail, Parcel};
use crate::wire::{MOST_HEADERS, Message};
use longshore_core::broker::{Envelope, Outgoing, PublishError, Receipt, To};
use std::sync::Arc;

impl RabbitMq {
    /// Makes a parcel of an envelope, unless it is too large.
    pub(crate) fn parcel(&self, to: &To, envelope: Envelope) -> Result<Parcel, PublishError> {
        let size = envelope.payload.len();
        if size > self.max_payload {
            return Err(PublishError::TooLarge { size, limit: self.max_payload });
        }
        let message = Message::of(envelope);
        if message.headers > MOST_HEADERS {
            let why =
                format!("its headers have {} bytes; at most {MOST_HEADERS} fit", message.headers);
            return Err(PublishError::Refused { why });
        }
        let route = self.office.keeper.route(to);
        Ok(Parcel { route, message, is_mandatory: true })
    }

    /// Sends, and once more what nobody would get because a queue of ours was gone.
    pub(crate) async fn send(&self, outgoing: Vec<Outgoing>) -> Vec<Result<Receipt, PublishError>> {
        let tos: Vec<To> = outgoing.iter().map(|one| one.to.clone()).collect();
        let mut answers: Vec<Option<Result<Receipt, PublishError>>> = Vec::new();
        let (mut parcels, mut places) = (Vec::new(), Vec::new());
        for (at, one) in outgoing.into_iter().enumerate() {
            match self.parcel(&one.to, one.envelope) {
                Ok(parcel) => {
                    parcels.push(Arc::new(parcel));
                    places.push(at);
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        let told = self.office.publisher.send(parcels.clone()).await;
        let mut again = Vec::new();
        for ((at, answer), parcel) in places.into_iter().zip(told).zip(parcels) {
            if answer == Err(Fail::Unroutable) {
                again.push((at, parcel));
            }
            answers[at] = Some(receipt(answer, &tos[at]));
        }
        for (at, answer) in self.again(&tos, again).await {
            answers[at] = Some(receipt(answer, &tos[at]));
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Err(PublishError::Closed))).collect()
    }

    async fn again(
        &self,
        tos: &[To],
        unroutable: Vec<(usize, Arc<Parcel>)>,
    ) -> Vec<(usize, Answer)> {
        let keeper = &self.office.keeper;
        let (mut groups, mut places, mut parcels) = (Vec::new(), Vec::new(), Vec::new());
        for (at, parcel) in unroutable {
            let receivers = keeper.receivers(&tos[at], &parcel.route);
            if !receivers.is_empty() {
                groups.extend(receivers);
                places.push(at);
                parcels.push(parcel);
            }
        }
        groups.sort();
        groups.dedup();
        let Some(live) = self.office.consume.live().filter(|_| !groups.is_empty()) else {
            return Vec::new();
        };
        match keeper.apply(&live, &groups).await {
            Ok(_) => places.into_iter().zip(self.office.publisher.send(parcels).await).collect(),
            Err(_) => Vec::new(),
        }
    }
}

fn receipt(answer: Answer, to: &To) -> Result<Receipt, PublishError> {
    answer.map(|()| Receipt).map_err(|fail| publish_error(fail, Some(to)))
}

/// Says what a failure means for whoever published.
pub(crate) fn publish_error(fail: Fail, to: Option<&To>) -> PublishError {
    let nacked = |why: &str| PublishError::Nacked { why: why.to_owned() };
    match (fail, to) {
        (Fail::Unroutable, Some(to)) => PublishError::Unroutable { to: to.clone() },
        (Fail::Unroutable, None) => nacked("nobody waits for it"),
        (Fail::Unconfirmed(waited), _) => PublishError::Unconfirmed { waited },
        (Fail::Unavailable(why), _) => PublishError::Unavailable { why },
        (Fail::Blocked(why), _) => PublishError::Blocked { why },
        (Fail::Nacked, _) => nacked("a full queue, or an inner fault"),
        (Fail::Refused(why), _) => PublishError::Refused { why },
        (Fail::Closed, _) => PublishError::Closed,
    }
}
