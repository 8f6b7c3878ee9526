//! The schedules of a configuration.

use super::block::Block;
use super::build::{named, queue_of};
use super::form::Leaf;
use super::model::{Kind, Queue};
use super::reader::Reader;
use longshore_core::store::Missed;
use longshore_core::{KindName, Payload, QueueName, Span};
use longshore_runtime::nearest::nearest;
use longshore_runtime::{Plan, Submission};
use std::collections::BTreeMap;

/// Reads what is submitted again and again.
pub(super) fn schedules(
    root: &Block,
    queues: &BTreeMap<QueueName, Queue>,
    kinds: &BTreeMap<KindName, Kind>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, Plan> {
    let mut all = BTreeMap::new();
    for (name, block) in named(root, "schedules") {
        check_kind(block, kinds, reader);
        let queue = block.has("queue").then(|| queue_of(block, queues, reader).to_string());
        let task = task(name, block, queue);
        let text = |key: &str| block.text(key).unwrap_or_default().to_owned();
        let plan = Plan {
            timezone: text("timezone"),
            missed: Missed::parse(&text("missed")).unwrap_or_default(),
            ..Plan::new(text("cron"), task)
        };
        all.insert(name.to_owned(), plan);
    }
    all
}

fn task(name: &str, block: &Block, queue: Option<String>) -> Submission {
    let number = |key: &str| block.whole(key).and_then(|number| i64::try_from(number).ok());
    let json = |leaf: &Leaf| match leaf {
        Leaf::Json(value) => Some(Payload::from_json(value.to_string())),
        _ => None,
    };
    let word = |leaf: &Leaf| match leaf {
        Leaf::Text(text) => Some(text.clone()),
        _ => None,
    };
    Submission {
        name: Some(name.to_owned()),
        payload: block.pick("payload", json),
        queue,
        priority: number("priority"),
        max_attempts: number("max_attempts"),
        timeout: block.span("timeout").map(Span),
        total_timeout: block.span("total_timeout").map(Span),
        expires_in: block.span("expires_in").map(Span),
        order_key: block.text("order_key").map(str::to_owned),
        tags: block.list("tags").iter().filter_map(word).collect(),
        ..Submission::new(block.text("kind").unwrap_or_default())
    }
}

fn check_kind(block: &Block, kinds: &BTreeMap<KindName, Kind>, reader: &mut Reader<'_>) {
    let Some(kind) = block.text("kind") else { return }; // it was refused already
    if kinds.contains_key(kind) || reader.sources.has_in_code(kind) {
        return;
    }
    let hint = match nearest(kind, kinds.keys().map(KindName::as_str)).first() {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "declare it under `kinds`".into(),
    };
    let message = format!("there is no kind \"{kind}\"; {hint}");
    reader.fault(&block.path_of("kind"), &block.origin_of("kind"), message);
}
