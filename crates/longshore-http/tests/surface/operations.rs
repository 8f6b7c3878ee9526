//! The configuration, and the audit log.

use crate::house::{ask, engine, get, post};
use axum::body::Body;
use http::Request;
use longshore_http::{ConfigView, Door, DoorOptions, router};
use serde_json::Value;

#[tokio::test]
async fn a_program_without_configuration_shows_an_empty_one() {
    let router = router(&engine());
    let shown = get(&router, "/v1/config").await;
    assert_eq!((shown.status.as_u16(), &shown.json()["data"]), (200, &serde_json::json!({})));
    let tag = shown.header("etag").to_owned();
    let known = Request::get("/v1/config").header("if-none-match", tag).body(Body::empty());
    let again = ask(&router, known.unwrap()).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(get(&router, "/v1/config?x=1").await.code(), 40001);
}

#[tokio::test]
async fn the_configuration_is_shown_as_the_program_gives_it() {
    let config =
        serde_json::json!({"server.listen": {"value": "127.0.0.1:0", "origin": "default"}});
    let given = config.clone();
    let options = DoorOptions {
        listen: ([127, 0, 0, 1], 0).into(),
        config: ConfigView::new(move || given.clone()),
        ..DoorOptions::default()
    };
    let door = Door::bind(engine(), options).await.unwrap();
    let url = (door.local_addr(), "/v1/config");
    let serving = tokio::spawn(door.serve(tokio_util::sync::CancellationToken::new()));
    let stream = tokio::net::TcpStream::connect(url.0).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(url.1).header("host", "localhost").body(Body::empty()).unwrap();
    let body = sender.send_request(request).await.unwrap().into_body();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    let shown: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(shown["data"], config);
    serving.abort();
}

#[tokio::test]
async fn every_act_leaves_one_line() {
    let router = router(&engine());
    let task = post(&router, "/v1/tasks", r#"{"kind":"hello","delay":"1h"}"#).await;
    let path = task.header("location").to_owned();
    post(&router, "/v1/queues/default/pause", "").await;
    post(&router, &format!("{path}/cancel"), "").await;
    let list = get(&router, "/v1/audit").await.json();
    let lines = list["data"]["items"].as_array().unwrap();
    let acts: Vec<_> = lines.iter().map(|line| line["act"].as_str().unwrap()).collect();
    assert_eq!((acts, &list["data"]["next_cursor"]), (vec!["cancel", "pause"], &Value::Null));
    assert_eq!(lines[0]["target"], path.rsplit('/').next().unwrap());
    assert_eq!(
        (&lines[1]["target"], &lines[1]["after"]["paused"]),
        (&"queue default".into(), &true.into())
    );
    assert_eq!((lines[0]["hash"].as_str().unwrap().len(), &lines[0]["by"]), (64, &"local".into()));
}

#[tokio::test]
async fn the_log_is_paged_newest_first() {
    let router = router(&engine());
    for _ in 0..3 {
        post(&router, "/v1/queues/default/pause", "").await;
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/audit?limit=2".to_owned());
    loop {
        let page = get(&router, &path).await.json();
        let items = page["data"]["items"].as_array().unwrap().clone();
        seen.extend(items.iter().map(|line| line["number"].as_u64().unwrap()));
        let Some(cursor) = page["data"]["next_cursor"].as_str() else { break };
        path = format!("/v1/audit?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, [3, 2, 1]);
    assert_eq!(get(&router, "/v1/audit?limit=0").await.code(), 40001);
    assert_eq!(get(&router, "/v1/audit?cursor=x").await.code(), 40004);
    assert_eq!(get(&router, "/v1/audit?by=me").await.code(), 40001);
}
