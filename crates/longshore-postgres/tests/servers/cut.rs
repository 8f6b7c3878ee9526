//! Links that are cut in the middle of an answer: what a call says of it is true.

use crate::bench::{claim_inside, job, open_with, submit, success, until, with_fresh_schema};
use longshore_conformance::postgres::PostgresServer;
use longshore_conformance::proxy::{Fault, Proxy};
use longshore_core::store::{ErrorClass, Intake, Lifecycle, Recorded, TaskQuery, Work};
use longshore_core::{State, TaskId, TenantName, Valid};
use longshore_postgres::{Options, PostgresStore};
use std::sync::Arc;

/// So many bytes of answers pass more at each cut; an answer to an accept has some hundred.
const STEP: usize = 9;

/// A server behind a link that can be cut, and the same store by a link that is well.
struct Cut {
    link: Proxy,
    store: Arc<PostgresStore>,
    well: Arc<PostgresStore>,
    _server: PostgresServer,
}

impl Cut {
    async fn open() -> Self {
        let server = PostgresServer::start().expect("PostgreSQL is installed");
        let link = Proxy::start(server.addr()).expect("a free port");
        let url = with_fresh_schema(&server.url_by(link.addr()));
        let well = url.replace(&link.addr().to_string(), &server.addr().to_string());
        let well = open_with(Options::new(&well)).await;
        let store = open_with(Options::new(&url)).await;
        Self { link, store, well, _server: server }
    }

    /// Waits until it is heard again after a cut.
    async fn heal(&self) {
        self.link.tell(Fault::None);
        until("it is reached again", async || {
            self.store.condition().await.is_ok() && self.store.accept(Vec::new()).await.is_ok()
        })
        .await;
    }

    async fn state(&self, id: TaskId) -> Option<State> {
        let task = self.well.get(TenantName::default(), id).await.expect("get answers");
        task.map(|task| task.state)
    }
}

/// Cuts later and later, until nothing is cut off any more: all classes of answers have to come.
async fn walk(it: &Cut, mut step: impl AsyncFnMut(&Cut, Fault) -> Option<ErrorClass>) {
    let mut seen = Vec::new();
    let mut passed = 0;
    loop {
        let class = step(it, Fault::Truncate(passed)).await;
        seen.push(class);
        it.heal().await;
        passed += STEP;
        // The connection may have been another one, or others have used up what may pass.
        if seen.ends_with(&[None; 8]) {
            break;
        }
        assert!(passed < 20_000, "{seen:?}");
    }
    for wanted in [Some(ErrorClass::Temporary), Some(ErrorClass::Unknown)] {
        assert!(seen.contains(&wanted), "{wanted:?} never came: {seen:?}");
    }
}

pub(crate) async fn an_accept_that_is_cut_off_says_whether_it_may_be_there() {
    let it = Cut::open().await;
    walk(&it, async |it, cut| {
        let task = job();
        let id = task.id;
        it.link.tell(cut);
        let answer = it.store.accept(vec![Valid::vouch(task)]).await;
        let class = answer.err().map(|error| error.class());
        let there = it.state(id).await.is_some();
        match class {
            None => assert!(there, "it was accepted, and is lost"),
            Some(ErrorClass::Temporary) => assert!(!there, "nothing was done, it said"),
            Some(ErrorClass::Unknown) => {}
            Some(ErrorClass::Final) => panic!("a cut is never final"),
        }
        class
    })
    .await;
}

pub(crate) async fn an_end_that_is_cut_off_says_whether_it_may_be_stored() {
    let it = Cut::open().await;
    walk(&it, async |it, cut| {
        submit(&it.well, job()).await;
        let lease = claim_inside(&it.store, 1).await.remove(0).lease;
        it.link.tell(cut);
        let answer = it.store.record(vec![success(lease)]).await;
        let class = answer.as_ref().err().map(|error| error.class());
        let state = it.state(lease.id).await.expect("it is there");
        match class {
            None => assert_eq!(state, State::Success, "{answer:?}"),
            Some(ErrorClass::Temporary) => assert_eq!(state, State::Running),
            Some(ErrorClass::Unknown) => {}
            Some(ErrorClass::Final) => panic!("a cut is never final"),
        }
        // Told again, as the engine does, it is stored once.
        it.heal().await;
        let again = it.store.record(vec![success(lease)]).await.expect("record answers");
        assert_eq!(again == [Recorded::Stale], state == State::Success, "{again:?}");
        assert_eq!(it.state(lease.id).await, Some(State::Success));
        class
    })
    .await;
}
