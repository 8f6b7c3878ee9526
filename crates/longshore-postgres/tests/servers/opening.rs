//! Openings that fail, and what they tell.

use crate::bench::{
    claim_inside, claim_timed, connect, fresh_url, job, open, open_at, request, submit,
    with_fresh_schema,
};
use longshore_conformance::ManualClock;
use longshore_conformance::postgres::PostgresServer;
use longshore_core::store::{
    Extend, Hold, Intake, LeaseState, Lifecycle, Refused, TaskQuery, Upkeep, Work,
};
use longshore_core::{NewTask, State, TaskId, Valid};
use longshore_postgres::{OpenError, Options, PostgresStore};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

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

/// A schema as programs before version 4 left it, with one of them open.
async fn schema_of_version_3(url: &str) -> tokio_postgres::Client {
    let steps = [
        include_str!("../../migrations/0001.sql"),
        include_str!("../../migrations/0002.sql"),
        include_str!("../../migrations/0003.sql"),
        "INSERT INTO instances(epoch, opened_at, lasts) SELECT nextval('epochs'), 0, 600000",
    ];
    made(url, (3, 1), &steps).await
}

/// A schema as programs of version 4 left it, with one of them open.
async fn schema_of_version_4(url: &str) -> tokio_postgres::Client {
    let steps = [
        include_str!("../../migrations/0001.sql"),
        include_str!("../../migrations/0002.sql"),
        include_str!("../../migrations/0003.sql"),
        include_str!("../../migrations/0004.sql"),
        include_str!("../../migrations/0004-settled.sql"),
        "INSERT INTO instances(epoch, opened_at, lasts, version) SELECT nextval('epochs'), 0, 600000, 4",
    ];
    made(url, (4, 4), &steps).await
}

/// Makes a schema by these steps, which says of itself that it has that version and the oldest program that can work with it.
async fn made(url: &str, format: (i32, i32), steps: &[&str]) -> tokio_postgres::Client {
    let database = connect(url).await;
    let (_, schema) = url.split_once("schema=").expect("a schema");
    let (version, oldest) = format;
    let steps = steps.join(";");
    database
        .batch_execute(&format!(
            "CREATE SCHEMA {schema}; CREATE TABLE format(version integer NOT NULL, oldest integer NOT NULL);
             INSERT INTO format VALUES ({version}, {oldest}); {steps}"
        ))
        .await
        .expect("the schema of an older version");
    database
}

/// Accepts a task as a program of version 3 does.
async fn submit_as_version_3(database: &tokio_postgres::Client) -> TaskId {
    let id = TaskId(uuid::Uuid::now_v7());
    database
        .execute(
            "WITH new AS (
                 INSERT INTO tasks(seq, id, tenant, queue, kind, state, ready, rank, priority, max_attempts, created_at,
                     run_at, timeout, payload)
                 VALUES (nextval('task_seq'), $1, 'default', 'default', 'job', 1, 1, 0, 4, 4, 0, 0, 1000, 'null')
                 ON CONFLICT (id) DO NOTHING RETURNING 1)
             INSERT INTO counts(n, bytes, state, tenant, queue, kind)
             SELECT 1, 404, state, 'default', 'default', 'job' FROM (VALUES (1::int2), (8::int2)) AS s(state)",
            &[&id.0],
        )
        .await
        .expect("it answers");
    id
}

async fn format_of(database: &tokio_postgres::Client) -> (i32, i32) {
    let format = database.query_one("SELECT version, oldest FROM format", &[]).await;
    let format = format.expect("it answers");
    (format.get(0), format.get(1))
}

async fn indexes_of(database: &tokio_postgres::Client) -> Vec<String> {
    let names = database
        .query(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema AND tablename = 'tasks'
               AND indexname IN ('tasks_id', 'tasks_ready', 'tasks_held', 'tasks_due', 'tasks_leased', 'tasks_suspects',
                   'tasks_apart', 'tasks_lines', 'tasks_timed') ORDER BY 1",
            &[],
        )
        .await;
    names.expect("it answers").iter().map(|row| row.get(0)).collect()
}

pub(crate) async fn a_schema_is_brought_up_beside_its_servers_and_settled_when_they_are_gone() {
    let url = fresh_url();
    let database = schema_of_version_3(&url).await;
    let old = submit_as_version_3(&database).await;
    let new = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 1));
    let between = submit_as_version_3(&database).await;
    let fresh = submit(&new, job()).await;
    for id in [old, between, fresh] {
        let found = new.get(job().tenant, id).await.expect("it answers").expect("it is there");
        assert_eq!(found.id, id);
        // What an older program asks: an index leads it there.
        let found = database.query("SELECT 1 FROM tasks WHERE id = $1", &[&id.0]).await;
        assert_eq!(found.expect("it answers").len(), 1);
        let again = vec![Valid::vouch(NewTask { id, id_is_chosen: true, ..job() })];
        let refused = new.accept(again).await.expect("accept answers").remove(0);
        assert_eq!(refused.expect_err("it is taken"), Refused::IdTaken { existing: id });
    }
    assert_eq!(claim_inside(&new, 9).await.len(), 3);
    new.close().await.expect("closed");
    // Nothing is taken from a program that is open.
    let new = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 1));
    assert_eq!(indexes_of(&database).await.len(), 9);
    new.close().await.expect("closed");
    database.execute("DELETE FROM instances WHERE version IS NULL", &[]).await.expect("it left");
    let new = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 5));
    assert_eq!(indexes_of(&database).await, ["tasks_apart", "tasks_lines", "tasks_timed"]);
    assert!(new.get(job().tenant, old).await.expect("it answers").is_some());
    let held = database.query_one("SELECT count(*) FROM held", &[]).await.expect("it answers");
    assert_eq!(held.get::<_, i64>(0), 3, "by lines that were written before");
}

pub(crate) async fn a_schema_that_is_read_for_long_is_settled_later() {
    let url = fresh_url();
    let mut database = schema_of_version_3(&url).await;
    database.execute("DELETE FROM instances", &[]).await.expect("it had ended");
    open(&url).await.close().await.expect("closed");
    let backup = database.transaction().await.expect("begun");
    backup.query("SELECT count(*) FROM tasks", &[]).await.expect("it reads");
    let store = open(&url).await;
    submit(&store, job()).await;
    assert_eq!(claim_inside(&store, 1).await.len(), 1);
    backup.rollback().await.expect("ended");
    assert_eq!(format_of(&database).await, (5, 1));
    let second = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 5));
    // One of an older program that had been away cannot come back.
    let back = "INSERT INTO instances(epoch, opened_at, lasts) VALUES (0, 0, 0)";
    database.execute(back, &[]).await.expect_err("it has no version");
    second.close().await.expect("closed");
}

pub(crate) async fn what_an_older_program_held_is_taken_back() {
    let url = fresh_url();
    let database = schema_of_version_3(&url).await;
    let id = submit_as_version_3(&database).await;
    database
        .batch_execute(
            "UPDATE tasks SET state = 2, ready = 0, token = 1, openings = 1, began_at = 0, started_at = 0,
                 instance = (SELECT epoch FROM instances);
             INSERT INTO counts(n, bytes, state, tenant, queue, kind)
             SELECT n, 0, state, 'default', 'default', 'job'
             FROM (VALUES (-1, 1::int2), (1, 2), (-1, 8)) AS line(n, state);
             UPDATE instances SET fate = 1",
        )
        .await
        .expect("it was claimed, and its process is dead");
    let new = open(&url).await;
    let task = new.get(job().tenant, id).await.expect("it answers").expect("it is there");
    assert_eq!(task.state, State::Pending);
    assert_eq!(claim_inside(&new, 1).await.len(), 1);
}

pub(crate) async fn a_schema_that_was_just_brought_up_can_still_be_served_by_the_program_before() {
    let url = fresh_url();
    let database = schema_of_version_3(&url).await;
    database.execute("DELETE FROM instances", &[]).await.expect("it had ended");
    open(&url).await.close().await.expect("closed");
    assert_eq!(format_of(&database).await, (5, 1));
    open(&url).await.close().await.expect("closed");
    assert_eq!(format_of(&database).await, (5, 5));
}

pub(crate) async fn a_schema_of_version_1_is_brought_up_beside_its_servers() {
    let url = fresh_url();
    let database = schema_of_version_3(&url).await;
    database
        .batch_execute(
            "DROP TABLE rates; DROP INDEX outbox_relayed; UPDATE format SET version = 1, oldest = 1",
        )
        .await
        .expect("as version 1 had left it");
    submit_as_version_3(&database).await;
    let new = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 1));
    let mut claim = request(5, Hold::Process);
    claim.wants[0].rate = Some("1/h".parse().expect("a rate"));
    assert_eq!(new.claim(claim.clone()).await.expect("claim answers").len(), 1);
    submit_as_version_3(&database).await;
    assert_eq!(new.claim(claim).await.expect("claim answers").len(), 0, "one an hour");
    assert_eq!(claim_inside(&new, 5).await.len(), 1);
}

pub(crate) async fn a_schema_of_version_4_is_brought_up_beside_its_servers() {
    let url = fresh_url();
    let database = schema_of_version_4(&url).await;
    let submitted = database.query_one("SELECT submit('job'), submit('job')", &[]).await;
    let submitted = submitted.expect("accepted");
    database
        .batch_execute(
            "UPDATE tasks SET state = 0, ready = 0, due = 0 WHERE ctid = '(0,1)';
             INSERT INTO counts(n, bytes, state, tenant, queue, kind)
             SELECT n, 0, state, 'default', 'default', 'job'
             FROM (VALUES (1, 0::int2), (-1, 1), (-1, 8)) AS line(n, state)",
        )
        .await
        .expect("it waits for its time");
    let new = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 4), "nobody before version 4 comes back");
    assert_eq!(indexes_of(&database).await.len(), 6);
    let moved = new.make_ready().await.expect("it answers");
    assert_eq!(moved.events.len(), 1, "what was due by the index before");
    let claimed = claim_inside(&new, 9).await;
    let ids: HashSet<_> = claimed.iter().map(|task| task.lease.id.0).collect();
    assert_eq!(ids, HashSet::from([submitted.get(0), submitted.get(1)]));
    new.close().await.expect("closed");
    database.execute("DELETE FROM instances WHERE version = 4", &[]).await.expect("it left");
    let new = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 5));
    assert_eq!(indexes_of(&database).await, ["tasks_apart", "tasks_lines", "tasks_timed"]);
    let back = "INSERT INTO instances(epoch, opened_at, lasts, version) VALUES (0, 0, 0, 4)";
    database.execute(back, &[]).await.expect_err("it is too old");
    new.close().await.expect("closed");
}

pub(crate) async fn a_schema_is_settled_as_far_as_the_oldest_program_that_is_open() {
    let url = fresh_url();
    let database = schema_of_version_3(&url).await;
    database.execute("DELETE FROM instances", &[]).await.expect("it had ended");
    open(&url).await.close().await.expect("closed");
    let between = "INSERT INTO instances(epoch, opened_at, lasts, version)
        SELECT nextval('epochs'), 0, 600000, 4";
    database.execute(between, &[]).await.expect("it may open");
    let new = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 4));
    let left = [
        "tasks_apart",
        "tasks_due",
        "tasks_leased",
        "tasks_lines",
        "tasks_suspects",
        "tasks_timed",
    ];
    assert_eq!(indexes_of(&database).await, left, "what version 4 asks");
    let needed = "SELECT attnotnull FROM pg_attribute
        WHERE attrelid = 'tasks'::regclass AND attname = 'renewals'";
    let is_needed = async || database.query_one(needed, &[]).await.expect("it answers").get(0);
    assert!(is_needed().await, "version 4 reads no row without it");
    new.close().await.expect("closed");
    database.execute("DELETE FROM instances WHERE version = 4", &[]).await.expect("it left");
    let new = open(&url).await;
    assert_eq!(format_of(&database).await, (5, 5));
    assert!(!is_needed().await);
    new.close().await.expect("closed");
}

/// Accepts a task and claims it for 15 s, as a program of version 4 does.
async fn leased_by_version_4(database: &tokio_postgres::Client) -> TaskId {
    let row = database.query_one("SELECT submit('job')", &[]).await.expect("accepted");
    let id = TaskId(row.get(0));
    database
        .execute(
            "WITH claimed AS (
                 UPDATE tasks SET state = 2, ready = 0, token = 1, openings = 1, began_at = 0, started_at = 0, lease = 15000
                 WHERE id = $1)
             INSERT INTO counts(n, bytes, state, tenant, queue, kind)
             SELECT n, 0, state, 'default', 'default', 'job'
             FROM (VALUES (-1, 1::int2), (1, 2), (-1, 8)) AS line(n, state)",
            &[&id.0],
        )
        .await
        .expect("it answers");
    id
}

pub(crate) async fn leases_of_a_program_before_are_judged_beside_it_and_after_it() {
    const LEASE: Duration = Duration::from_secs(15);
    let (url, clock) = (fresh_url(), Arc::new(ManualClock::default()));
    let database = schema_of_version_4(&url).await;
    let renewed = leased_by_version_4(&database).await;
    let silent = leased_by_version_4(&database).await;
    let new = open_at(&url, &clock).await;
    let rescued = async |store: &PostgresStore| -> Vec<TaskId> {
        let moved = store.rescue().await.expect("rescue answers");
        moved.events.iter().map(|event| event.task).collect()
    };
    assert_eq!(rescued(&new).await, [], "they are seen for the first time");
    let renews = "UPDATE tasks SET renewals = renewals + 1 WHERE id = $1";
    database.execute(renews, &[&renewed.0]).await.expect("as version 4 does");
    database.execute("UPDATE instances SET beats = beats + 1", &[]).await.expect("it lives");
    clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!(rescued(&new).await, []);
    clock.advance(Duration::from_millis(1));
    assert_eq!(rescued(&new).await, [silent]);
    new.close().await.expect("closed");

    database.execute("DELETE FROM instances WHERE version = 4", &[]).await.expect("it left");
    let new = open_at(&url, &clock).await;
    assert_eq!(format_of(&database).await, (5, 5));
    let again = claim_timed(&new, 1).await.remove(0).lease;
    assert_eq!(again.id, silent);
    assert_eq!(rescued(&new).await, []);
    clock.advance(LEASE - Duration::from_millis(1));
    let beat = Extend { lease: again, lasts: None, progress: None };
    let held = new.extend(vec![beat]).await.expect("extend answers");
    assert!(matches!(held[..], [LeaseState::Held { .. }]), "{held:?}");
    assert_eq!(rescued(&new).await, []);
    clock.advance(Duration::from_millis(1));
    assert_eq!(rescued(&new).await, [renewed]);
    clock.advance(LEASE);
    assert_eq!(rescued(&new).await, [silent]);
}

/// What makes up the table of tasks, the order of its columns aside.
async fn table_of_tasks(database: &tokio_postgres::Client) -> Vec<String> {
    let told = database
        .query(
            "SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod), attcollation, attnotnull, attstorage,
                 attstattarget, (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
                                 WHERE adrelid = attrelid AND adnum = attnum))
             FROM pg_attribute WHERE attrelid = 'tasks'::regclass AND attnum > 0 AND NOT attisdropped
             UNION ALL SELECT replace(indexdef, current_schema || '.', '') FROM pg_indexes
             WHERE schemaname = current_schema AND tablename = 'tasks'
             UNION ALL SELECT reloptions::text FROM pg_class WHERE oid = 'tasks'::regclass
             UNION ALL SELECT pg_get_viewdef('held'::regclass)
             ORDER BY 1",
            &[],
        )
        .await;
    told.expect("it answers").iter().map(|row| row.get(0)).collect()
}

async fn columns_of_tasks(database: &tokio_postgres::Client) -> Vec<String> {
    let names = database
        .query(
            "SELECT attname::text FROM pg_attribute
             WHERE attrelid = 'tasks'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            &[],
        )
        .await;
    names.expect("it answers").iter().map(|row| row.get(0)).collect()
}

pub(crate) async fn a_table_that_is_there_keeps_the_order_of_its_columns_and_is_the_same_otherwise()
{
    let (new, used) = (fresh_url(), fresh_url());
    open(&new).await.close().await.expect("closed");
    let old = schema_of_version_4(&used).await;
    old.batch_execute("DELETE FROM instances; GRANT INSERT ON tasks TO PUBLIC")
        .await
        .expect("it left");
    let before = columns_of_tasks(&old).await;
    open(&used).await.close().await.expect("closed");
    open(&used).await.close().await.expect("closed");
    assert_eq!(columns_of_tasks(&old).await, before);
    let granted = "SELECT has_table_privilege('public', 'tasks', 'INSERT')";
    assert!(old.query_one(granted, &[]).await.expect("it answers").get::<_, bool>(0));
    let fresh = connect(&new).await;
    let columns = columns_of_tasks(&fresh).await;
    let front = ["seq", "rank", "id", "state", "ready", "tenant", "queue", "kind"];
    assert_eq!(columns[..front.len()], front);
    assert_ne!(columns, before);
    assert_eq!(table_of_tasks(&fresh).await, table_of_tasks(&old).await);
}
