//! What the document says of keys: made from the policies, so that it cannot disagree with them. And
//! how each operation refuses what it does not even begin with.

use crate::auth::{POLICIES, Role};
use http::Method;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder};

const SCHEME: &str = "key";
/// Of operations that take a key.
const KEYED: [(&str, &str); 3] = [
    ("401", "No key was shown, or none that is good"),
    ("403", "The key does not allow this, or the `Host` is foreign"),
    ("429", "Too many wrong keys, or tasks"),
];
/// Of operations that may come with a body.
const BODIED: [(&str, &str); 2] = [
    ("413", "The body is too large"),
    ("415", "The body is not JSON by its type, or of an unknown coding"),
];
/// Of each.
const ALL: [(&str, &str); 1] = [("403", "The `Host` is foreign")];

/// Adds the scheme, and to each operation which role it takes and how it refuses others.
pub(super) fn describe(document: &mut OpenApi) {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("ls_<env>_<id>_<secret>")
        .description(Some("Made by `longshore key new`. A server without keys asks for none."))
        .build();
    document
        .components
        .get_or_insert_default()
        .add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    for (method, path, policy) in POLICIES {
        let item = document.paths.paths.get_mut(*path);
        let operation = item.and_then(|item| operation(item, method));
        let (Some(operation), Some(role)) = (operation, policy.role()) else { continue };
        restrict(operation, role, policy.is_whole());
    }
    for item in document.paths.paths.values_mut() {
        for method in [&Method::GET, &Method::POST, &Method::PATCH, &Method::PUT, &Method::DELETE] {
            let Some(operation) = operation(item, method) else { continue };
            if method != Method::GET {
                refuse(operation, &BODIED);
            }
            refuse(operation, &ALL);
        }
    }
}

fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "PUT" => item.put.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

fn restrict(operation: &mut Operation, role: Role, whole: bool) {
    // Either of the two: with a key, or without one where the server has none.
    let shown = SecurityRequirement::new(SCHEME, [] as [&str; 0]);
    operation.security = Some(vec![shown, SecurityRequirement::default()]);
    let about = operation.description.get_or_insert_default();
    let whole = if whole { ", and a key for all queues" } else { "" };
    about.push_str(&format!("\n\nTakes the role `{role}`{whole}."));
    refuse(operation, &KEYED);
}

/// Adds what the operation does not tell in words of its own.
fn refuse(operation: &mut Operation, refusals: &[(&str, &str)]) {
    for (status, what) in refusals {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response =
            ResponseBuilder::new().description(*what).content("application/problem+json", problem);
        let there = operation.responses.responses.entry((*status).to_owned());
        there.or_insert_with(|| response.build().into());
    }
}
