//! `/`: what this is and where to go, until the dashboard takes its place.

use super::docs::html;
use crate::pages;
use axum::response::Response;

const BODY: &str = "<h1>Longshore</h1>\n\
<p>A durable task queue: it accepts work over HTTP, keeps it on disk, and runs it until it is \
done.</p>\n\
<pre><code>curl --json '{\"kind\": \"hello\"}' http://localhost:8080/v1/tasks?wait=5s</code></pre>\n\
<ul>\n\
<li><a href=\"/docs/api\">The API, to try out</a></li>\n\
<li><a href=\"/docs\">Docs</a></li>\n\
<li><a href=\"/v1/tasks\">The newest tasks</a>, as JSON</li>\n\
<li><a href=\"/health\">Health</a> and <a href=\"/metrics\">metrics</a></li>\n\
</ul>\n";

/// The front page.
pub(crate) async fn home() -> Response {
    html(pages::shell("A durable task queue", BODY))
}
