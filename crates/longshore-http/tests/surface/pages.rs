//! Probes, metrics, docs, and what is said at paths that lead nowhere.

use crate::house::{ask, engine, get, post};
use axum::body::Body;
use http::{Method, Request};
use longshore_http::codes::CODES;
use longshore_http::router;
use std::collections::BTreeSet;
use std::io::Read;

fn with(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn probes_say_that_all_is_well() {
    let router = router(&engine());
    // The store is asked by a duty, at once after the start.
    while get(&router, "/readyz").await.status != 200 {
        tokio::task::yield_now().await;
    }
    for path in ["/livez", "/startupz", "/readyz"] {
        assert_eq!(get(&router, path).await.text(), r#"{"status":"UP"}"#, "{path}");
    }
    let health = get(&router, "/health").await.json();
    assert_eq!(health["status"], "UP");
    assert_eq!(health["details"]["store"]["status"], "UP");
    assert!(health["details"]["store"]["latency"].as_str().unwrap().ends_with("ms"));
    assert_eq!(get(&router, "/readyz?verbose").await.json()["details"], health["details"]);
    let consumers = get(&router, "/readyz?scope=consumers").await;
    assert_eq!((consumers.status.as_u16(), consumers.text()), (200, r#"{"status":"UP"}"#));
}

#[tokio::test]
async fn requests_are_counted_by_route_template() {
    let router = router(&engine());
    post(&router, "/v1/tasks", r#"{"kind":"hello"}"#).await;
    get(&router, "/v1/tasks/7").await;
    get(&router, "/nowhere/at/all").await;
    let metrics = get(&router, "/metrics").await;
    for line in [
        r#"http_requests_total{method="POST",path="/v1/tasks",status="201"} 1"#,
        r#"http_requests_total{method="GET",path="/v1/tasks/{id}",status="400"} 1"#,
        r#"http_requests_total{method="GET",path="unmatched",status="404"} 1"#,
        r#"http_request_duration_seconds_count{method="POST",path="/v1/tasks"} 1"#,
    ] {
        assert!(metrics.text().contains(line), "{line} is missing in\n{}", metrics.text());
    }
}

#[tokio::test]
async fn every_error_page_and_every_page_of_the_docs_is_there() {
    let router = router(&engine());
    for code in CODES {
        let page = get(&router, &format!("/docs/errors/{}", code.name())).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.text().contains(code.title), "{}", code.title);
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    }
    for path in ["/", "/docs", "/docs/", "/docs/states", "/docs/store", "/docs/errors"] {
        assert_eq!(get(&router, path).await.status, 200, "{path}");
    }
    assert_eq!(get(&router, "/docs/errors/LS-1").await.code(), 40401);
    assert_eq!(get(&router, "/docs/nothing").await.code(), 40401);
}

#[tokio::test]
async fn links_inside_the_docs_lead_somewhere() {
    let router = router(&engine());
    let mut paths = vec!["/".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        let page = get(&router, &path).await;
        assert_ne!(page.status, 404, "{path}");
        if !page.header("content-type").starts_with("text/html") {
            continue;
        }
        for part in page.text().split("href=\"/").skip(1) {
            let link = format!("/{}", part.split('"').next().unwrap());
            if seen.insert(link.clone()) {
                paths.push(link);
            }
        }
    }
    assert!(seen.len() > CODES.len(), "{seen:?}");
}

#[tokio::test]
async fn the_api_can_be_tried_without_anything_from_elsewhere() {
    let router = router(&engine());
    for path in ["/docs/api", "/docs/api/"] {
        let page = get(&router, path).await;
        assert_eq!(page.status, 200);
        for part in page.text().split(['"']).filter(|part| part.starts_with("/docs/api/")) {
            assert_eq!(get(&router, part).await.status, 200, "{part}");
        }
        assert!(page.text().contains("/docs/api/swagger-ui-bundle.js"));
        assert!(!page.text().contains("\"./") && !page.text().contains("https://"));
    }
    let start = get(&router, "/docs/api/swagger-initializer.js").await;
    assert!(start.text().contains("/openapi.json"));
    assert_eq!(get(&router, "/openapi.json").await.json()["openapi"], "3.1.0");
    assert!(get(&router, "/openapi.yaml").await.text().contains("\nopenapi: \"3.1.0\""));
}

#[tokio::test]
async fn paths_that_lead_nowhere_and_wrong_methods_are_problems_too() {
    let router = router(&engine());
    for path in ["/v1/brokers", "/nothing", "/v1", "/asyncapi.json"] {
        assert_eq!(get(&router, path).await.code(), 40401, "{path}");
    }
    let wrong = ask(&router, with(Method::DELETE, "/v1/tasks", &[])).await;
    assert_eq!(wrong.code(), 40501);
    let mut allowed: Vec<_> = wrong.header("allow").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    let head = ask(&router, with(Method::HEAD, "/livez", &[])).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(get(&router, "/v1/tasks/?limit=1").await.status, 200);
}

#[tokio::test]
async fn a_foreign_host_is_turned_away_everywhere() {
    let router = router(&engine());
    for path in ["/v1/tasks", "/livez", "/", "/nothing"] {
        let foreign = with(Method::GET, path, &[("host", "evil.example:8080")]);
        assert_eq!(ask(&router, foreign).await.code(), 40301, "{path}");
        let own = with(Method::GET, path, &[("host", "127.0.0.1:8080")]);
        assert_ne!(ask(&router, own).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn large_answers_are_shrunk_for_those_who_ask_and_small_ones_are_not() {
    let router = router(&engine());
    let gzip = [("accept-encoding", "gzip")];
    let plain = get(&router, "/openapi.json").await;
    let small = ask(&router, with(Method::GET, "/openapi.json", &gzip)).await;
    assert_eq!(small.header("content-encoding"), "gzip");
    assert_eq!(small.header("vary"), "accept-encoding");
    let mut back = Vec::new();
    flate2::read::GzDecoder::new(&small.body[..]).read_to_end(&mut back).unwrap();
    assert_eq!(back, plain.body);
    let tiny = ask(&router, with(Method::GET, "/livez", &gzip)).await;
    assert_eq!(tiny.header("content-encoding"), "");
    let br = ask(&router, with(Method::GET, "/metrics", &[("accept-encoding", "br")])).await;
    assert_eq!(br.header("content-encoding"), "br");
}
