//! `/docs`: product docs and error pages.

use crate::codes::{self, CODES};
use crate::pages::{self, PAGES, Sort};
use crate::problem::Problem;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use std::fmt::Write as _;

/// Nothing runs and nothing comes from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Reference pages that are no documents.
const API_AND_ERRORS: &str = "<li><a href=\"/docs/api\">The API, to try out</a> \
     (<a href=\"/openapi.json\">JSON</a>, <a href=\"/openapi.yaml\">YAML</a>)</li>\n\
     <li><a href=\"/docs/errors\">Error codes</a></li>\n";

/// Makes the response of an HTML document.
pub(crate) fn html(document: String) -> Response {
    (
        [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
        ],
        document,
    )
        .into_response()
}

/// The index of the docs.
pub(crate) async fn index() -> Response {
    let mut body = String::from("<h1>Docs</h1>\n");
    for sort in Sort::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(body, "<h2>{}</h2>\n<ul>", sort.heading());
        for page in PAGES.iter().filter(|page| page.sort == sort) {
            let _ = writeln!(body, "<li><a href=\"/docs/{}\">{}</a></li>", page.slug, page.title);
        }
        if sort == Sort::Reference {
            body.push_str(API_AND_ERRORS);
        }
        body.push_str("</ul>\n");
    }
    html(pages::shell("Docs", &body))
}

/// One page of the docs.
pub(crate) async fn page(slug: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let page = slug.ok().and_then(|Path(slug)| pages::by_slug(slug.trim_end_matches(".md")));
    page.map(|page| html(page.html())).ok_or_else(|| missing("/docs"))
}

/// The list of error codes.
pub(crate) async fn errors() -> Response {
    let mut body = String::from(
        "<h1>Error codes</h1>\n<table>\n<thead><tr><th>Code</th><th>Status</th>\
         <th>What</th></tr></thead>\n<tbody>\n",
    );
    for code in CODES {
        let (name, status) = (code.name(), code.status().as_u16());
        let _ = writeln!(
            body,
            "<tr><td><a href=\"/docs/errors/{name}\">{name}</a></td><td>{status}</td>\
             <td>{}</td></tr>",
            code.title
        );
    }
    body.push_str("</tbody>\n</table>\n");
    html(pages::shell("Error codes", &body))
}

/// The page of one error code.
pub(crate) async fn error(name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let code = name.ok().and_then(|Path(name)| codes::by_name(&name));
    code.map(|code| html(pages::of_code(code))).ok_or_else(|| missing("/docs/errors"))
}

/// The style of all pages.
pub(crate) async fn style() -> Response {
    (
        [
            (CONTENT_TYPE, "text/css; charset=utf-8"),
            (CACHE_CONTROL, "max-age=3600"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        pages::STYLE,
    )
        .into_response()
}

fn missing(index: &str) -> Problem {
    Problem::new(&codes::NO_ROUTE, format!("there is no such page; the list is at {index}"))
}
