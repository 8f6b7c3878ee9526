//! Claims whose answers are lost.

use crate::bench::{
    claim_inside, complete, job, open_with, request, submit, until, with_fresh_schema,
};
use longshore_conformance::postgres::PostgresServer;
use longshore_conformance::proxy::{Fault, Proxy, Way};
use longshore_core::store::{ErrorClass, Hold, Leased, Lifecycle, TaskQuery, Work};
use longshore_core::{State, Task, TaskId, TenantName};
use longshore_postgres::{Options, PostgresStore};
use std::sync::Arc;

/// Two servers: one whose connections may be broken, and one that sees what became of its tasks.
struct Rig {
    link: Proxy,
    near: Arc<PostgresStore>,
    far: Arc<PostgresStore>,
    /// What the far one has claimed, and knows of.
    kept: Vec<Leased>,
    _server: PostgresServer,
}

impl Rig {
    async fn start() -> Self {
        let server = PostgresServer::start().expect("PostgreSQL is installed");
        let direct = with_fresh_schema(&server.url());
        let link = Proxy::start(server.addr()).expect("a proxy");
        let schema = direct.split_once('?').expect("a schema in the address").1;
        let near = open_with(Options::new(&direct)).await;
        let far = format!("{}?{schema}", server.url_by(link.addr()));
        let far = open_with(Options::new(far)).await;
        // A look at all lines, then claims of the one that was seen: whatever comes next, the connection knows the statement.
        let mut kept = Vec::new();
        for _ in 0..3 {
            submit(&near, job()).await;
            kept.append(&mut claim_inside(&far, 1).await);
        }
        assert_eq!(kept.len(), 3);
        Self { link, near, far, kept, _server: server }
    }

    async fn task(&self, id: TaskId) -> Task {
        let task = self.near.get(TenantName::default(), id).await.expect("get answers");
        task.expect("it is there")
    }

    /// Has a task claimed whose answer is lost.
    async fn lose_an_answer(&self) -> TaskId {
        let id = submit(&self.near, job()).await;
        self.link.tell(Fault::BlackHole(Way::Back));
        let claiming = {
            let far = self.far.clone();
            tokio::spawn(async move { far.claim(request(1, Hold::Process)).await })
        };
        until("it is claimed", async || self.task(id).await.state == State::Running).await;
        // Not healed before: the answer would come through.
        self.link.end_all(Fault::Reset);
        let error = claiming.await.expect("no panic").expect_err("its answer was lost");
        assert_eq!(error.class(), ErrorClass::Unknown, "{error}");
        id
    }
}

pub(crate) async fn what_was_claimed_without_an_answer_is_given_back() {
    let rig = Rig::start().await;
    let id = rig.lose_an_answer().await;
    until("it is given back", async || rig.task(id).await.state == State::Pending).await;
    let again = claim_inside(&rig.far, 2).await;
    assert_eq!(
        again.iter().map(|task| (task.lease.id, task.attempt)).collect::<Vec<_>>(),
        [(id, 1)]
    );
    assert!(complete(&rig.far, again[0].lease).await);
    for task in &rig.kept {
        assert!(complete(&rig.far, task.lease).await, "what it knows of, it keeps");
    }
}

pub(crate) async fn what_was_claimed_without_an_answer_is_given_back_by_the_close() {
    let rig = Rig::start().await;
    for task in &rig.kept {
        assert!(complete(&rig.far, task.lease).await);
    }
    let id = rig.lose_an_answer().await;
    rig.far.close().await.expect("closed");
    let task = rig.task(id).await;
    assert_eq!((task.state, task.crashes), (State::Pending, 0), "nobody takes this for a death");
}
