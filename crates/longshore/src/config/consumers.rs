//! The consumers of a configuration.

use super::block::Block;
use super::build::{command, given, named, push};
use super::form::Leaf;
use super::model::{Broker, Consumer, Runner};
use super::reader::Reader;
use super::{brokers, rules};
use longshore_runtime::handler::Decode;
use longshore_runtime::messages::{self, Mode};
use std::collections::BTreeMap;

/// Reads who gets which messages, and what is done with them.
pub(super) fn consumers(
    root: &Block,
    brokers: &BTreeMap<String, Broker>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, Consumer> {
    let mut all = BTreeMap::new();
    for (name, block) in named(root, "consumers") {
        let consumer = consumer(name, block, brokers, reader);
        judge_options(&consumer, block, brokers, reader);
        if !reader.sources.has_consumer_in_code(name) {
            judge(name, &consumer, block, reader);
        }
        all.insert(name.to_owned(), consumer);
    }
    all
}

fn consumer(
    name: &str,
    block: &Block,
    brokers: &BTreeMap<String, Broker>,
    reader: &mut Reader<'_>,
) -> Consumer {
    let text = |leaf: &Leaf| match leaf {
        Leaf::Text(text) => Some(text.clone()),
        _ => None,
    };
    let word = |key: &str| block.text(key).map(str::to_owned);
    let parallel = block.block("concurrency").and_then(|block| block.small("parallel"));
    let decode = match block.text("decode") {
        Some("text") => Decode::Text,
        Some("bytes") => Decode::Bytes,
        _ => Decode::Json,
    };
    Consumer {
        broker: broker_of(name, block, brokers, reader),
        topics: block.list("topic").iter().filter_map(text).collect(),
        group: word("group"),
        mode: block.text("mode").and_then(Mode::from_word).unwrap_or_default(),
        parallel: parallel.unwrap_or(1),
        decode,
        runner: runner(name, block, reader),
        timeout: block.span("timeout").unwrap_or_default(),
        grace: block.span("grace").unwrap_or_default(),
        retry: rules::retry(block, reader),
        on_error: rules::on_error(block, reader),
        dead_letter: word("dead_letter"),
        parameters: parameters(block, reader),
        options: brokers::options(block, "rabbitmq"),
        given: given(block),
    }
}

/// What a broker is not needed for. A key that was refused already is told once.
fn judge(name: &str, consumer: &Consumer, block: &Block, reader: &mut Reader<'_>) {
    if !block.has("topic") {
        let message = "is missing: name what it gets, such as \"orders.*\"";
        reader.fault(&block.path_of("topic"), &block.origin, message);
        return;
    }
    if consumer.topics.is_empty() || block.span("timeout").is_none_or(|time| time.is_zero()) {
        return;
    }
    if let Err(bad) = consumer.declared().checked(name) {
        reader.fault(&block.path_of(bad.key), &block.origin_of(bad.key), bad.message);
    }
}

/// What is said for one sort of broker does not belong to another.
fn judge_options(
    consumer: &Consumer,
    block: &Block,
    all: &BTreeMap<String, Broker>,
    reader: &mut Reader<'_>,
) {
    let named = consumer.broker.as_ref().and_then(|name| all.get(name));
    let broker = named.or(all.values().next().filter(|_| all.len() == 1));
    let Some(driver) = broker.and_then(brokers::driver) else { return };
    for other in brokers::DRIVERS.iter().filter(|other| **other != driver && block.has(other)) {
        let message = "belongs to another sort of broker than this consumer's";
        reader.fault(&block.path_of(other), &block.origin_of(other), message);
    }
}

fn broker_of(
    name: &str,
    block: &Block,
    brokers: &BTreeMap<String, Broker>,
    reader: &mut Reader<'_>,
) -> Option<String> {
    if block.text("broker").is_none() {
        let (count, coded) = (
            brokers.len() + reader.sources.coded_brokers().count(),
            reader.sources.has_consumer_in_code(name),
        );
        if count != 1 && !coded && !block.has("broker") {
            let message = format!("is missing: there are {count} brokers, name one of `brokers`");
            reader.fault(&block.path_of("broker"), &block.origin, message);
        }
        return None;
    }
    brokers::named_by("broker", block, brokers, reader)
}

/// Who does it: exactly one of them.
fn runner(name: &str, block: &Block, reader: &mut Reader<'_>) -> Runner {
    let coded = reader.sources.has_consumer_in_code(name);
    match (block.has("command"), block.has("push")) {
        (false, false) if coded => {}
        (false, false) => {
            let message = "nobody takes these messages: give it a `command` or a `push` URL";
            reader.fault(&block.path, &block.origin, message);
        }
        (true, true) => {
            let message = "a consumer has either `command` or `push`, not both";
            reader.fault(&block.path_of("push"), &block.origin_of("push"), message);
        }
        (is_command, _) if coded => {
            let key = if is_command { "command" } else { "push" };
            let message =
                "the program has a handler for this consumer; leave this out, or rename it";
            reader.fault(&block.path_of(key), &block.origin_of(key), message);
        }
        (true, false) => return command(block, reader),
        (false, true) => return push(block),
    }
    Runner::Code
}

fn parameters(block: &Block, reader: &mut Reader<'_>) -> serde_json::Value {
    let json = |leaf: &Leaf| match leaf {
        Leaf::Json(value) => Some(value.clone()),
        _ => None,
    };
    let said = block.pick("parameters", json).unwrap_or_default();
    if !said.is_null() && !said.is_object() {
        let message = "must be a block, such as { region: eu }";
        reader.fault(&block.path_of("parameters"), &block.origin_of("parameters"), message);
    }
    said
}

impl Consumer {
    /// Makes what the engine takes of what was said, with the defaults of what was not.
    pub(crate) fn declared(&self) -> messages::Consumer {
        self.over(messages::Consumer::topics(self.topics.clone()))
    }

    /// Lays what was said over what the code says.
    pub(crate) fn over(&self, code: messages::Consumer) -> messages::Consumer {
        let mut consumer = code;
        if self.is_set("topic") {
            consumer = consumer.of_topics(self.topics.clone());
        }
        if let Some(broker) = &self.broker {
            consumer = consumer.broker(broker);
        }
        if let Some(group) = &self.group {
            consumer = consumer.group(group);
        }
        if self.is_set("mode") {
            consumer = consumer.mode(self.mode);
        }
        if self.is_set("concurrency") {
            consumer = consumer.parallel(self.parallel);
        }
        if self.is_set("decode") {
            consumer = consumer.decode(self.decode);
        }
        if self.is_set("retry") {
            consumer = consumer.retry(self.retry.clone());
        }
        if self.is_set("timeout") {
            consumer = consumer.timeout(self.timeout);
        }
        if self.is_set("grace") {
            consumer = consumer.grace(self.grace);
        }
        if self.is_set("on_error") {
            consumer = consumer.on_error(rules::of(&self.on_error));
        }
        if let Some(group) = &self.dead_letter {
            consumer = consumer.dead_letter(group);
        }
        if self.is_set("parameters") {
            consumer = consumer.parameters(self.parameters.clone());
        }
        self.options.iter().fold(consumer, |consumer, (name, value)| consumer.option(name, value))
    }
}
