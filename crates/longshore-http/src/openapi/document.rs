//! The document as a whole, written once.

use super::{schemas, yaml as write};
use crate::routes::{dead_letters, health, metrics, openapi, operations, queues, schedules, tasks};
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
        queues::read::scaling, operations::config, operations::audit,
        schedules::read::list, schedules::read::read, schedules::read::next,
        schedules::create::create, schedules::change::change, schedules::act::run,
        schedules::act::pause, schedules::act::resume, schedules::act::delete,
        dead_letters::list, dead_letters::retry, dead_letters::discard,
        health::livez, health::readyz, health::startupz, health::health, metrics::metrics,
        openapi::json, openapi::yaml,
    ),
    components(schemas(schemas::Problem, schemas::FieldError)),
    tags(
        (name = "tasks", description = "Work to be done, and what became of it"),
        (name = "queues", description = "Where tasks wait, and what holds them back"),
        (name = "schedules", description = "Work that is done again and again, by the clock"),
        (name = "dead letters", description = "Tasks that failed for good"),
        (name = "operations", description = "What is configured, and who did what"),
        (name = "health", description = "Probes and metrics"),
        (name = "docs", description = "This document"),
    ),
)]
struct Document;

static JSON: LazyLock<String> = LazyLock::new(|| {
    Document::openapi().to_pretty_json().unwrap_or_else(|error| {
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
    fn is_for_people(path: &str) -> bool {
        let later =
            ["/v1/dead-letters/groups", "/v1/dead-letters/retry", "/v1/dead-letters/discard"];
        let beginnings = ["/docs/", "/tasks"];
        path == "/"
            || path == "/docs"
            || later.contains(&path)
            || beginnings.iter().any(|beginning| path.starts_with(beginning))
    }

    #[test]
    fn every_route_is_in_the_document_and_every_entry_is_a_route() {
        let routes: BTreeSet<String> = plan()
            .unwrap()
            .routes()
            .iter()
            .filter(|(_, path)| !is_for_people(path))
            .map(|(method, path)| format!("{method} {path}"))
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
