//! The document as a whole, written once.

use super::{schemas, security, yaml as write};
use crate::routes::{
    consumers, dead_letters, health, leases, messages, metrics, openapi, operations, queues,
    schedules, tasks, workers,
};
use std::sync::LazyLock;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Longshore",
        description = "A durable task queue.\n\nEvery success is `{code, message, data}`; with \
            `Accept: application/vnd.longshore+json` it is `data` alone. Every error is a problem \
            (RFC 9457) and the envelope at once. Times are RFC 3339 UTC with milliseconds; \
            durations are text such as `1h30m` or a number of seconds.",
        version = env!("CARGO_PKG_VERSION"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    paths(
        tasks::create::create, tasks::batch::batch,
        tasks::act::cancel, tasks::act::retry, tasks::act::replay, tasks::attempts::attempts, tasks::list::list, tasks::read::read,
        queues::read::list, queues::read::read, queues::patch::patch, queues::hold::pause,
        queues::hold::resume, queues::hold::purge, queues::hold::pause_kind,
        queues::hold::resume_kind, queues::hold::pause_tenant, queues::hold::resume_tenant,
        leases::take::take, leases::end::complete, leases::end::fail, leases::end::extend,
        leases::end::release, workers::list, workers::drain,
        queues::read::scaling, operations::config, operations::audit,
        schedules::read::list, schedules::read::read, schedules::read::next,
        schedules::create::create, schedules::change::change, schedules::act::run,
        schedules::act::pause, schedules::act::resume, schedules::act::delete,
        dead_letters::list, dead_letters::retry, dead_letters::discard,
        messages::publish, consumers::list, consumers::read, consumers::explain, consumers::pause,
        consumers::resume,
        health::livez, health::readyz, health::startupz, health::health, metrics::metrics,
        openapi::json, openapi::yaml,
    ),
    components(schemas(schemas::Problem, schemas::FieldError)),
    tags(
        (name = "tasks", description = "Work to be done, and what became of it"),
        (name = "workers", description = "Processes that run tasks, here and elsewhere"),
        (name = "queues", description = "Where tasks wait, and what holds them back"),
        (name = "schedules", description = "Work that is done again and again, by the clock"),
        (name = "dead letters", description = "Tasks that failed for good"),
        (name = "messages", description = "What brokers carry: publishing, and who consumes"),
        (name = "operations", description = "What is configured, and who did what"),
        (name = "health", description = "Probes and metrics"),
        (name = "docs", description = "This document"),
    ),
)]
struct Document;

static JSON: LazyLock<String> = LazyLock::new(|| {
    let mut document = Document::openapi();
    security::describe(&mut document);
    document.to_pretty_json().unwrap_or_else(|error| {
        tracing::error!(%error, "the OpenAPI document could not be written");
        "{}".into()
    })
});

static YAML: LazyLock<String> = LazyLock::new(|| {
    serde_json::from_str(json()).map_or_else(|_| "{}".into(), |doc| write::write(&doc))
});

/// Returns the document as JSON.
pub(crate) fn json() -> &'static str {
    &JSON
}

/// Returns the document as YAML.
pub(crate) fn yaml() -> &'static str {
    &YAML
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::plan::plan;
    use std::collections::BTreeSet;

    /// Pages for people, the aliases of versioned routes, and what is refused as not available.
    fn is_for_people(method: &str, path: &str) -> bool {
        let later = [
            ("GET", "/v1/dead-letters/groups"),
            ("POST", "/v1/dead-letters/retry"),
            ("POST", "/v1/dead-letters/discard"),
            ("POST", "/v1/consumers"),
            ("PATCH", "/v1/consumers/{name}"),
            ("DELETE", "/v1/consumers/{name}"),
        ];
        // What this program says to itself, from version to version.
        let beginnings = ["/docs/", "/tasks", "/v1/link/"];
        path == "/"
            || path == "/docs"
            || later.contains(&(method, path))
            || beginnings.iter().any(|beginning| path.starts_with(beginning))
    }

    #[test]
    fn every_route_is_in_the_document_and_every_entry_is_a_route() {
        let routes: BTreeSet<String> = plan()
            .unwrap()
            .routes()
            .iter()
            .filter(|(method, path, _)| !is_for_people(method.as_str(), path))
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        let document: serde_json::Value = serde_json::from_str(json()).unwrap();
        let mut entries = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                entries.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        assert_eq!(routes, entries);
    }

    #[test]
    fn every_operation_that_takes_a_key_says_so_and_others_do_not() {
        let document: serde_json::Value = serde_json::from_str(json()).unwrap();
        for (method, path, policy) in plan().unwrap().routes() {
            let operation = &document["paths"][*path][method.as_str().to_lowercase()];
            if !operation.is_object() {
                continue; // a page for people
            }
            let told = operation["description"].as_str().unwrap_or_default();
            assert_eq!(
                operation["security"].is_array(),
                policy.role().is_some(),
                "{method} {path}"
            );
            if let Some(role) = policy.role() {
                assert!(told.contains(&format!("role `{role}`")), "{method} {path}: {told}");
                assert!(operation["responses"]["401"].is_object(), "{method} {path}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(json()).unwrap();
        let mut rest = json();
        while let Some((_, after)) = rest.split_once("\"#/") {
            let (pointer, after) = after.split_once('"').unwrap();
            assert!(document.pointer(&format!("/{pointer}")).is_some(), "{pointer}");
            rest = after;
        }
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn the_fields_of_the_document_are_those_that_are_read_and_shown() {
        let document: serde_json::Value = serde_json::from_str(json()).unwrap();
        let names = |schema: &str| -> Vec<String> {
            let properties = &document["components"]["schemas"][schema]["properties"];
            properties.as_object().unwrap().keys().cloned().collect()
        };
        let mut fields: Vec<_> =
            crate::request::wish::FIELDS.iter().map(|f| f.to_string()).collect();
        fields.sort();
        let mut described = names("NewTask");
        described.sort();
        assert_eq!(described, fields);
        assert_eq!(names("Task").len(), 32);
    }
}
