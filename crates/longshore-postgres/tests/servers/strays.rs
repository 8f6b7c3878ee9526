//! Claims whose answers are lost.

use crate::bench::{
    claim_inside, complete, job, open_with, request, submit, until, with_fresh_schema,
};
use longshore_conformance::postgres::PostgresServer;
use longshore_conformance::proxy::{Fault, Proxy, Way};
use longshore_core::store::{ErrorClass, Hold, TaskQuery, Work};
use longshore_core::{State, TenantName};
use longshore_postgres::Options;

pub(crate) async fn what_was_claimed_without_an_answer_is_given_back() {
    let server = PostgresServer::start().expect("PostgreSQL is installed");
    let direct = with_fresh_schema(&server.url());
    let link = Proxy::start(server.addr()).expect("a proxy");
    let schema = direct.split_once('?').expect("a schema in the address").1;
    let near = open_with(Options::new(&direct)).await;
    let far = open_with(Options::new(format!("{}?{schema}", server.url_by(link.addr())))).await;
    // A look at all lines, then claims of the one that was seen: whatever comes next, the connection knows the statement.
    let mut kept = Vec::new();
    for _ in 0..3 {
        submit(&near, job()).await;
        kept.append(&mut claim_inside(&far, 1).await);
    }

    let id = submit(&near, job()).await;
    link.tell(Fault::BlackHole(Way::Back));
    let claiming = {
        let far = far.clone();
        tokio::spawn(async move { far.claim(request(1, Hold::Process)).await })
    };
    let state = async || {
        let task = near.get(TenantName::default(), id).await.expect("get answers");
        task.expect("it is there").state
    };
    until("it is claimed", async || state().await == State::Running).await;
    link.tell(Fault::None);
    link.end_all(Fault::Reset);
    let error = claiming.await.expect("no panic").expect_err("its answer was lost");
    assert_eq!(error.class(), ErrorClass::Unknown, "{error}");

    until("it is given back", async || state().await == State::Pending).await;
    let again = claim_inside(&far, 2).await;
    assert_eq!(
        again.iter().map(|task| (task.lease.id, task.attempt)).collect::<Vec<_>>(),
        [(id, 1)]
    );
    assert!(complete(&far, again[0].lease).await);
    assert_eq!(kept.len(), 3);
    for task in kept {
        assert!(complete(&far, task.lease).await, "what it knows of, it keeps");
    }
}
