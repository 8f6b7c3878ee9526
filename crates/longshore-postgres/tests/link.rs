//! The same store behind a bad link: whatever is said takes a while, and arrives in pieces.

mod rig;

use longshore_conformance::postgres::{self, PostgresServer};
use longshore_conformance::proxy::{Fault, Proxy};
use longshore_conformance::{ManualClock, Rig, async_trait};
use longshore_core::store::Store;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Each way; a question and its answer take twice as long.
const LATENCY: Duration = Duration::from_millis(1);
/// No message is sure to arrive whole.
const PIECE: usize = 499;
/// Each of them asks a dozen times.
const OPERATIONS: usize = 200;

/// A store, and the links that lead to its server.
struct Far {
    rig: Box<dyn Rig>,
    _links: [Proxy; 2],
}

#[async_trait]
impl Rig for Far {
    fn store(&self) -> Arc<dyn Store> {
        self.rig.store()
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.rig.clock()
    }

    async fn reboot(&self) -> Arc<dyn Store> {
        self.rig.reboot().await
    }

    fn operations(&self) -> usize {
        OPERATIONS
    }
}

static SERVER: Mutex<Option<PostgresServer>> = Mutex::new(None);

async fn fresh() -> Box<dyn Rig> {
    let (url, links) = {
        let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        let server =
            server.get_or_insert_with(|| PostgresServer::start().expect("PostgreSQL is installed"));
        // In this order: each piece would be late the other way round.
        let late = Proxy::start(server.addr()).expect("a free port");
        let pieces = Proxy::start(late.addr()).expect("a free port");
        late.tell(Fault::Latency(LATENCY));
        pieces.tell(Fault::Pieces(PIECE));
        (server.url_by(pieces.addr()), [pieces, late])
    };
    Box::new(Far { rig: rig::fresh_in(&url).await, _links: links })
}

fn stop() {
    SERVER.lock().unwrap_or_else(PoisonError::into_inner).take();
}

longshore_conformance::store_suite!(fresh, needs: postgres::startable, after: stop);
