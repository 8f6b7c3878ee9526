//! Openings that fail, and what they tell.

use crate::bench::{
    claim_inside, connect, fresh_url, job, open, request, submit, with_fresh_schema,
};
use longshore_conformance::postgres::PostgresServer;
use longshore_core::store::{Hold, Lifecycle, Work};
use longshore_postgres::{OpenError, Options, PostgresStore};

async fn error(url: &str) -> OpenError {
    PostgresStore::open(Options::new(url)).await.expect_err("it cannot be opened")
}

/// One that waiting does not mend.
async fn lasting(url: &str) -> OpenError {
    let failed = error(url).await;
    assert!(!failed.may_pass(), "{failed}");
    failed
}

pub(crate) async fn each_way_to_fail_is_told_apart() {
    let server = PostgresServer::start().expect("PostgreSQL is installed");
    let url = with_fresh_schema(&server.url());
    let admin = connect(&url).await;
    admin
        .batch_execute("CREATE ROLE locked LOGIN PASSWORD 'right'; CREATE ROLE poor LOGIN; CREATE ROLE many LOGIN CONNECTION LIMIT 0")
        .await
        .expect("roles are made");
    let with = |user: &str| url.replace("longshore@", &format!("{user}@"));
    let failed = lasting(&with("locked:wrong")).await;
    assert!(matches!(failed, OpenError::Refused { .. }), "{failed}");
    assert!(!failed.to_string().contains("wrong"), "{failed}");
    let failed = lasting(&with("locked")).await;
    assert!(matches!(failed, OpenError::Refused { .. }), "{failed}");
    let failed = lasting(&with("nobody_of_that_name")).await;
    assert!(matches!(failed, OpenError::Refused { .. }), "{failed}");
    let failed = lasting(&url.replace("/postgres?", "/no_such_database?")).await;
    assert!(matches!(failed, OpenError::Refused { .. }), "{failed}");
    let failed = lasting(&with("poor")).await;
    assert!(matches!(failed, OpenError::Rights { .. }), "{failed}");
    let failed = error(&with("many")).await;
    assert!(matches!(failed, OpenError::NotNow { .. }) && failed.may_pass(), "{failed}");
    let failed = lasting(&format!("{url}&sslmode=require")).await;
    assert!(matches!(failed, OpenError::Tls { .. }), "{failed}");
    let failed = lasting(&format!("{url}&sslmode=verify-full")).await;
    assert!(matches!(failed, OpenError::Tls { .. }), "{failed}");
    drop(server);
    let failed = error(&url).await;
    assert!(matches!(failed, OpenError::Unreachable { .. }) && failed.may_pass(), "{failed}");
    let failed = error(&url.replace("127.0.0.1", "db.invalid")).await;
    assert!(matches!(failed, OpenError::Unreachable { .. }) && failed.may_pass(), "{failed}");
    let failed = lasting("mysql://somewhere/else").await;
    assert!(matches!(failed, OpenError::BadUrl { .. }), "{failed}");
}

pub(crate) async fn a_schema_of_a_later_version_is_refused() {
    let url = fresh_url();
    open(&url).await.close().await.expect("closed");
    let client = connect(&url).await;
    client.execute("UPDATE format SET version = 99", &[]).await.expect("it answers");
    open(&url).await.close().await.expect("one that this program can work with is opened");
    client.execute("UPDATE format SET oldest = 98", &[]).await.expect("it answers");
    let failed = lasting(&url).await;
    assert!(matches!(failed, OpenError::TooNew { found: 99, .. }), "{failed}");
}

pub(crate) async fn a_table_of_somebody_else_is_left_alone() {
    let url = fresh_url();
    let client = connect(&url).await;
    let (_, schema) = url.split_once("schema=").expect("a schema");
    client
        .batch_execute(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.tasks(mine int)"))
        .await
        .expect("it answers");
    let failed = lasting(&url).await;
    assert!(matches!(failed, OpenError::Unfit { .. }), "{failed}");
}

pub(crate) async fn two_servers_make_the_schema_at_the_same_time() {
    let url = fresh_url();
    let (first, second) = tokio::join!(open(&url), open(&url));
    first.condition().await.expect("it serves");
    second.condition().await.expect("it serves");
}

pub(crate) async fn a_schema_of_version_1_is_brought_up_beside_its_servers() {
    let url = fresh_url();
    let old = open(&url).await;
    submit(&old, job()).await;
    let database = connect(&url).await;
    database
        .batch_execute(
            "DROP TABLE rates; DROP INDEX outbox_relayed; UPDATE format SET version = 1, oldest = 1",
        )
        .await
        .expect("as version 1 had left it");
    let new = open(&url).await;
    let format = database.query_one("SELECT version, oldest FROM format", &[]).await;
    let format = format.expect("it answers");
    assert_eq!((format.get::<_, i32>(0), format.get::<_, i32>(1)), (3, 1));
    let mut claim = request(5, Hold::Process);
    claim.wants[0].rate = Some("1/h".parse().expect("a rate"));
    assert_eq!(new.claim(claim.clone()).await.expect("claim answers").len(), 1);
    submit(&old, job()).await;
    assert_eq!(new.claim(claim).await.expect("claim answers").len(), 0, "one an hour");
    assert_eq!(claim_inside(&old, 5).await.len(), 1);
}
