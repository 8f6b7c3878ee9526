//! The store on PostgreSQL is a store: it passes the suite.

mod rig;

use longshore_conformance::{Rig, postgres};

async fn fresh() -> Box<dyn Rig> {
    rig::fresh_in(&postgres::shared().expect("it is needed")).await
}

longshore_conformance::store_suite!(fresh, needs: postgres::needed, after: postgres::stop_shared);
