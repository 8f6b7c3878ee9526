//! `/`: what this is and where to go, until the dashboard takes its place.

use super::docs::html;
use crate::pages;
use axum::response::Response;
use http::HeaderMap;
use http::header::HOST;

const INTRODUCTION: &str = "<h1>Longshore</h1>\n\
<p>A durable task queue: it accepts work over HTTP, keeps it on disk, and runs it until it is \
done.</p>\n";

const LINKS: &str = "<ul>\n\
<li><a href=\"/docs/api\">The API, to try out</a></li>\n\
<li><a href=\"/docs\">Docs</a></li>\n\
<li><a href=\"/v1/tasks\">The newest tasks</a>, as JSON</li>\n\
<li><a href=\"/health\">Health</a> and <a href=\"/metrics\">metrics</a></li>\n\
</ul>\n";

/// The front page, with a line to try that leads to where it was asked.
pub(crate) async fn home(headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_plain(host));
    let host = host.unwrap_or("localhost:8080");
    let example = format!(
        "<pre><code>curl --json '{{\"kind\": \"hello\"}}' 'http://{host}/v1/tasks?wait=5s'</code></pre>\n"
    );
    html(pages::shell("A durable task queue", &format!("{INTRODUCTION}{example}{LINKS}")))
}

/// Whether a host can stand in a page and in a shell as it is.
fn is_plain(host: &str) -> bool {
    host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b))
}
