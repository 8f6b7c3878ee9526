//! Servers that die, freeze, block and refuse.

use crate::rig::{SOON, declare, group, next, open, publish, ready, subscribe, text, to_group};
use longshore_conformance::proxy::{Fault, Proxy, Way};
use longshore_conformance::rabbitmq::RabbitMqServer;
use longshore_core::broker::{
    Broker, BrokerError, LinkState, PublishError, Settled, Settlement, Subscribed,
};
use longshore_rabbitmq::{Options, RabbitMq};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A silent link is given up within this time.
const SILENCE: Duration = Duration::from_secs(15);
/// Below the time that a confirmation is waited for.
const AT_ONCE: Duration = Duration::from_secs(8);
/// A server needs so long to start, and the link a moment more.
const RESTART: Duration = Duration::from_secs(60);

async fn until(broker: &RabbitMq, within: Duration, is: impl Fn(&LinkState) -> bool) -> Duration {
    let began = Instant::now();
    let wait = async {
        let mut report = broker.link();
        while !is(&report.state) {
            report = broker.link_changed(report.version).await;
        }
    };
    let waited = tokio::time::timeout(within, wait).await;
    assert!(waited.is_ok(), "still {:?}", broker.link());
    began.elapsed()
}

pub(crate) async fn a_killed_server_comes_back_with_all_that_was_confirmed() {
    let mut server = RabbitMqServer::start().unwrap();
    let (broker, group) = (open(&server.url()).await, group("killed"));
    declare(&broker, &group).await;
    publish(&broker, (0..100).map(|at| to_group(&group, &at.to_string())).collect()).await;
    let mut received = subscribe(&broker, &group.name, 10).await;
    let held = next(&mut received).await;
    server.kill();
    until(&broker, SOON, |state| !state.is_up()).await;
    received.state_changed(&Subscribed::Confirmed).await;
    assert_eq!(held.settle(Settlement::Ack).await.unwrap(), Settled::Stale);
    let began = Instant::now();
    let answers = broker.publish(vec![to_group(&group, "away")]).await;
    // The other connection may not have noticed yet.
    let away = |error: &PublishError| error.is_temporary();
    assert!(answers[0].as_ref().is_err_and(away), "{answers:?}");
    assert!(began.elapsed() < SOON);
    assert!(matches!(received.state(), Subscribed::Lost { .. }), "{:?}", received.state());
    server.restart().unwrap();
    until(&broker, RESTART, LinkState::is_up).await;
    let mut seen: Vec<u32> = Vec::new();
    for _ in 0..100 {
        seen.push(text(&mut received).await.parse().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    let report = broker.link();
    assert!(report.reconnects >= 1 && report.stale == 1, "{report:?}");
    publish(&broker, vec![to_group(&group, "again")]).await;
    assert_eq!(text(&mut received).await, "again");
}

pub(crate) async fn a_frozen_server_is_given_up_and_found_again() {
    let server = RabbitMqServer::start().unwrap();
    let (broker, group) = (open(&server.url()).await, group("frozen"));
    declare(&broker, &group).await;
    publish(&broker, vec![to_group(&group, "1")]).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    let held = next(&mut received).await;
    server.freeze(true);
    let (began, mut batch) = (Instant::now(), vec![to_group(&group, "2")]);
    let answers = broker.publish(std::mem::take(&mut batch)).await;
    assert!(matches!(answers[0], Err(PublishError::Unconfirmed { .. })), "{answers:?}");
    assert!(began.elapsed() < SILENCE, "{:?}", began.elapsed());
    until(&broker, SILENCE, |state| !state.is_up()).await;
    assert!(began.elapsed() < SILENCE, "{:?}", began.elapsed());
    assert_eq!(held.settle(Settlement::Ack).await.unwrap(), Settled::Stale);
    tokio::time::sleep(Duration::from_secs(12)).await;
    server.freeze(false);
    until(&broker, RESTART, LinkState::is_up).await;
    assert_eq!(text(&mut received).await, "1");
    let connections = connections_to(server.addr());
    assert!(connections <= 2, "{connections} connections, of which some were given up");
}

/// How many connections this machine has with a server, as its clients.
fn connections_to(server: SocketAddr) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!(":{:04X}", server.port());
    let is_one = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        let is_there = fields.next().is_some_and(|address| address.ends_with(&remote));
        is_there && fields.next() == Some("01")
    };
    table.lines().skip(1).filter(is_one).count()
}

pub(crate) async fn a_silent_link_is_given_up() {
    let server = RabbitMqServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (broker, group) = (open(&server.url_by(proxy.addr())).await, group("silent"));
    declare(&broker, &group).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    proxy.tell(Fault::BlackHole(Way::Back));
    let waited = until(&broker, SILENCE, |state| !state.is_up()).await;
    assert!(waited < SILENCE, "{waited:?}");
    proxy.end_all(Fault::Cut);
    until(&broker, SOON, LinkState::is_up).await;
    publish(&broker, vec![to_group(&group, "x")]).await;
    assert_eq!(text(&mut received).await, "x");
}

pub(crate) async fn a_server_that_ends_every_connection_is_not_stormed() {
    let server = RabbitMqServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (broker, group) = (open(&server.url_by(proxy.addr())).await, group("brief"));
    declare(&broker, &group).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    // Both links are made.
    publish(&broker, vec![to_group(&group, "before")]).await;
    assert_eq!(text(&mut received).await, "before");
    let (began, before) = (Instant::now(), broker.link().reconnects);
    let (mut reconnects, mut took) = (0, Duration::ZERO);
    while took < Duration::from_secs(10) || reconnects < 4 {
        assert!(took < Duration::from_secs(60), "{reconnects} within {took:?}");
        if broker.link().state.is_up() {
            proxy.end_all(Fault::Reset);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        (reconnects, took) = (broker.link().reconnects - before, began.elapsed());
    }
    // Each of them about once a second; a look finds somebody listening.
    assert!(reconnects <= 5 * took.as_secs(), "{reconnects} within {took:?}");
    until(&broker, SOON, LinkState::is_up).await;
    publish(&broker, vec![to_group(&group, "x")]).await;
    // Its acknowledgement may have been lost with a connection.
    while text(&mut received).await == "before" {}
}

pub(crate) async fn a_blocked_server_says_so_and_hands_out() {
    let server = RabbitMqServer::start().unwrap();
    let (broker, group) = (open(&server.url()).await, group("blocked"));
    declare(&broker, &group).await;
    publish(&broker, (0..20).map(|at| to_group(&group, &at.to_string())).collect()).await;
    server.control(&["set_vm_memory_high_watermark", "0.00001"]).unwrap();
    let began = Instant::now();
    let first = broker.publish(vec![to_group(&group, "first")]).await;
    let is_open =
        matches!(first[0], Err(PublishError::Blocked { .. } | PublishError::Unconfirmed { .. }));
    assert!(is_open, "{first:?}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    until(&broker, SOON, |state| state.word() == "blocked").await;
    let began = Instant::now();
    let second = broker.publish(vec![to_group(&group, "second")]).await;
    assert!(matches!(second[0], Err(PublishError::Blocked { .. })), "{second:?}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    let mut received = subscribe(&broker, &group.name, 5).await;
    for at in 0..20 {
        assert_eq!(text(&mut received).await, at.to_string());
    }
    // Longer than a silence that ends a link.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(broker.link().state.word(), "blocked");
    server.control(&["set_vm_memory_high_watermark", "0.8"]).unwrap();
    until(&broker, SOON, LinkState::is_up).await;
    publish(&broker, vec![to_group(&group, "third")]).await;
    assert_eq!(broker.link().reconnects, 0);
}

pub(crate) async fn revoked_credentials_are_told_and_tried_again() {
    let server = RabbitMqServer::start().unwrap();
    let control = |args: &[&str]| server.control(args).unwrap();
    control(&["add_user", "app", "first"]);
    control(&["set_permissions", "app", ".*", ".*", ".*"]);
    let url = format!("amqp://app:first@{}", server.addr());
    let (broker, group) = (open(&url).await, group("revoked"));
    declare(&broker, &group).await;
    let mut received = subscribe(&broker, &group.name, 1).await;
    control(&["change_password", "app", "second"]);
    control(&["close_all_connections", "--", "tested"]);
    until(&broker, SOON, |state| matches!(state, LinkState::Lost { tries: 1.., .. })).await;
    let LinkState::Lost { why, .. } = broker.link().state else { panic!("{:?}", broker.link()) };
    assert!(why.contains("refuse") && !why.contains("first@"), "{why}");
    let declared = broker.inspect(&group.name).await;
    assert!(matches!(declared, Err(BrokerError::Refused { .. })), "{declared:?}");
    tokio::time::sleep(Duration::from_secs(5)).await;
    if let LinkState::Lost { tries, .. } = broker.link().state {
        assert!(tries <= 12, "{tries} tries in 5 s");
    }
    control(&["change_password", "app", "first"]);
    until(&broker, RESTART, LinkState::is_up).await;
    publish(&broker, vec![to_group(&group, "x")]).await;
    assert_eq!(text(&mut received).await, "x");
}

pub(crate) async fn rights_that_are_missing_are_told() {
    let server = RabbitMqServer::start().unwrap();
    let control = |args: &[&str]| server.control(args).unwrap();
    let admin = open(&server.url()).await;
    let group = group("rights");
    declare(&admin, &group).await;
    control(&["add_user", "poor", "pw"]);
    control(&["set_permissions", "poor", "^$", "^$", "^$"]);
    let place = server.addr();
    let poor = open(&format!("amqp://poor:pw@{place}")).await;
    let declared = poor
        .declare(
            &longshore_core::broker::Topology::of(group.clone()),
            longshore_core::broker::DeclareMode::Declare,
        )
        .await;
    assert!(matches!(declared, Err(BrokerError::Refused { .. })), "{declared:?}");
    let published = poor.publish(vec![to_group(&group, "x")]).await;
    assert!(matches!(published[0], Err(PublishError::Refused { .. })), "{published:?}");
    let subscription = longshore_core::broker::Subscription::to_group(
        group.name.clone(),
        std::num::NonZeroUsize::MIN,
    );
    let subscribed = poor.subscribe(&subscription).await;
    assert!(matches!(subscribed, Err(BrokerError::Refused { .. })), "{subscribed:?}");
    assert!(poor.link().state.is_up(), "a refusal costs no connection: {:?}", poor.link());
}

pub(crate) async fn endpoints_take_turns() {
    let server = RabbitMqServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let urls = [server.url_by(proxy.addr()), server.url()];
    let broker = RabbitMq::open(Options::new(urls)).unwrap();
    broker.first_contact(SOON).await.unwrap();
    let group = group("turns");
    declare(&broker, &group).await;
    proxy.tell(Fault::Reset);
    until(&broker, SOON, |state| !state.is_up()).await;
    until(&broker, SOON, LinkState::is_up).await;
    let LinkState::Up { server: place } = broker.link().state else { panic!() };
    assert!(place.contains(&server.addr().port().to_string()), "{place}");
    publish(&broker, vec![to_group(&group, "x")]).await;
    assert_eq!(ready(&broker, &group.name, 1).await, 1);
}

pub(crate) async fn a_broker_that_is_not_there_yet_is_found() {
    let mut server = RabbitMqServer::start().unwrap();
    let url = server.url();
    server.kill();
    let broker = RabbitMq::open(Options::new([url])).unwrap();
    let group = group("later");
    let topology = longshore_core::broker::Topology::of(group.clone());
    let began = Instant::now();
    let mode = longshore_core::broker::DeclareMode::Declare;
    let declared = broker.declare(&topology, mode).await;
    assert!(matches!(declared, Err(BrokerError::Unavailable { .. })), "{declared:?}");
    let mut received = subscribe(&broker, &group.name, 1).await;
    assert_eq!(received.state(), Subscribed::Waiting);
    assert!(began.elapsed() < SOON);
    assert!(matches!(broker.link().state, LinkState::Connecting { why: Some(_) }));
    server.restart().unwrap();
    until(&broker, RESTART, LinkState::is_up).await;
    publish(&broker, vec![to_group(&group, "x")]).await;
    assert_eq!(text(&mut received).await, "x");
}

pub(crate) async fn a_link_that_publishes_nothing_rests() {
    let server = RabbitMqServer::start().unwrap();
    let mut options = Options::new([server.url()]);
    options.idle = Duration::from_millis(500);
    let broker = RabbitMq::open(options).unwrap();
    broker.first_contact(SOON).await.unwrap();
    let group = group("idle");
    declare(&broker, &group).await;
    let connections = || {
        let listed = server.control(&["list_connections", "client_properties"]).unwrap();
        listed.matches("longshore (publish)").count()
    };
    assert_eq!(connections(), 0, "it is made when it is needed");
    publish(&broker, vec![to_group(&group, "1")]).await;
    // It may rest again before anybody has asked.
    assert_eq!(server.log().matches("client-provided name: longshore (publish)").count(), 1);
    let began = Instant::now();
    while connections() > 0 {
        assert!(began.elapsed() < SOON, "it does not rest");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(broker.link().state.is_up());
    publish(&broker, vec![to_group(&group, "2")]).await;
    assert_eq!(ready(&broker, &group.name, 2).await, 2);
    assert_eq!(broker.link().reconnects, 0);
}
