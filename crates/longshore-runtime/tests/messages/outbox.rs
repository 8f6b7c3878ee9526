//! Publishing by way of a task.

use crate::{House, PATIENCE, orders};
use longshore_conformance::ModelBroker;
use longshore_core::broker::TopicName;
use longshore_core::{State, TenantName};
use longshore_runtime::Submission;
use longshore_runtime::handler::Message;
use longshore_runtime::messages::outbox::{KIND, Parcel};
use longshore_runtime::messages::publish::NewMessage;
use tokio::sync::mpsc;

fn parcel(payload: &'static [u8]) -> Submission {
    let topic = TopicName::new("orders.created").unwrap();
    let message = NewMessage { id: Some("m1".into()), ..NewMessage::new(payload) };
    let parcel = Parcel::new("main", &topic, vec![message], None);
    Submission { is_ours: true, ..Submission::new(KIND) }.payload(&parcel).unwrap()
}

#[tokio::test]
async fn what_was_accepted_is_published_byte_for_byte() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let bytes = orders().decode(longshore_runtime::handler::Decode::Bytes);
    let house = House::with(bytes, move |message: Message| {
        let tell = tell.clone();
        async move { drop(tell.send(message)) }
    });
    house.is("running").await;
    for payload in [&b"{\"a\":  1.00}"[..], &[0xff, 0x00], b"", b"not json"] {
        house.engine.intake().submit(parcel(payload)).await.unwrap();
        let message = told.recv().await.unwrap();
        assert_eq!((&message.payload()[..], message.identity()), (payload, Some("m1")));
    }
}

#[tokio::test]
async fn a_relay_waits_for_a_broker_that_is_away() {
    let broker = ModelBroker::default();
    broker.be_away(true);
    let house = House::over(broker, orders(), || async {});
    let id = house.engine.intake().submit(parcel(b"{}")).await.unwrap().id;
    let store = house.engine.store();
    let seen = |states: &'static [State]| async move {
        loop {
            let task = store.get(TenantName::default(), id).await.unwrap().unwrap();
            if states.contains(&task.state) {
                return task;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let task = tokio::time::timeout(PATIENCE, seen(&[State::Retrying])).await.unwrap();
    let error = task.error.unwrap();
    assert_eq!(error.class, longshore_core::FaultClass::Dependency);
    assert_eq!(error.message, "the broker main is unavailable");
}
