//! Servers that have nothing to do.

use crate::bench::serve;
use longshore_conformance::postgres::PostgresServer;
use std::collections::BTreeMap;
use std::time::Duration;

const SERVERS: usize = 10;
/// All of them together.
const MOST: f64 = 10.0;
/// Starting is over: connections are made, statements are prepared, somebody leads.
const SETTLED: Duration = Duration::from_secs(12);
const COUNTED: Duration = Duration::from_secs(25);

/// What PostgreSQL was sent: each simple query and each execution begins an entry of its log.
fn statements(log: &str) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    let mut lines = log.lines();
    while let Some(line) = lines.next() {
        let sent = line.split_once("LOG:  statement: ").or_else(|| {
            let (_, execute) = line.split_once("LOG:  execute ")?;
            execute.split_once(": ")
        });
        let Some((_, mut sql)) = sent else { continue };
        if sql.is_empty() {
            sql = lines.next().unwrap_or_default();
        }
        *kinds.entry(sql.trim().chars().take(80).collect()).or_default() += 1;
    }
    kinds
}

pub(crate) async fn ten_servers_at_rest_ask_ten_things_a_second_at_most() {
    let database = PostgresServer::start().expect("it is installed");
    let url = database.url_logged();
    let mut services = Vec::new();
    for _ in 0..SERVERS {
        services.push(serve(&url).await);
    }
    tokio::time::sleep(SETTLED).await;
    let before = database.log().len();
    tokio::time::sleep(COUNTED).await;
    let kinds = statements(&database.log()[before..]);
    let all: usize = kinds.values().sum();
    let a_second = all as f64 / COUNTED.as_secs_f64();
    println!("{a_second:.1} statements a second of {SERVERS} servers at rest: {kinds:#?}");
    assert!(all > 0, "they say that they live");
    assert!(a_second <= MOST, "{a_second:.1} a second: {kinds:#?}");
    for service in services {
        service.stop(Duration::from_secs(5)).await;
    }
}
