//! What follows from failures: retries, and the rules for certain ones.

use super::block::Block;
use super::build::longest;
use super::form::Leaf;
use super::model::{ErrorRule, Match, Then};
use super::reader::Reader;
use longshore_core::{FaultClass, RetryPolicy, rule};
use std::time::Duration;

/// Makes the policy of a kind.
pub(super) fn retry(kind: &Block, reader: &mut Reader<'_>) -> RetryPolicy {
    let Some(block) = kind.block("retry") else { return RetryPolicy::default() };
    let span = |key: &str| block.span(key).unwrap_or_default();
    let (policy, named) = match block.text("strategy") {
        Some("fixed") => (RetryPolicy::fixed(span("base")), span("base")),
        Some("immediate") => (RetryPolicy::immediate(), Duration::ZERO),
        Some("random") => {
            let (min, max) = (span("min"), span("max"));
            if min > max {
                let key = if block.has("min") { "min" } else { "max" };
                let message = format!("`min` ({min:?}) is longer than `max` ({max:?})");
                reader.fault(&block.path_of(key), &block.origin_of(key), message);
            }
            (RetryPolicy::random(min, max), max)
        }
        Some("list") => {
            if !block.has("delays") {
                let message = "is missing: `strategy: list` needs the pauses";
                reader.fault(&block.path_of("delays"), &block.origin_of("strategy"), message);
            }
            let pauses: Vec<Duration> = block.list("delays").iter().filter_map(pause).collect();
            let longest = longest(&pauses);
            (RetryPolicy::list(pauses), longest)
        }
        _ => {
            let growing = RetryPolicy::exponential(span("base"));
            (growing.factor(block.number("factor").unwrap_or(1.0)), span("base"))
        }
    };
    let policy = match block.number("jitter") {
        Some(share) => policy.jitter(share),
        None => policy,
    };
    let policy = match block.span("cap") {
        // Nobody names a pause of two hours to have it cut to the default of one.
        Some(cap) if !block.has("cap") => policy.cap(cap.max(named)),
        Some(cap) => policy.cap(cap),
        None => policy,
    };
    match block.small("max_attempts") {
        Some(attempts) => policy.max_attempts(attempts),
        None => policy,
    }
}

fn pause(leaf: &Leaf) -> Option<Duration> {
    match leaf {
        Leaf::Span(span) => Some(span.0),
        _ => None,
    }
}

/// Makes the rules of a kind.
pub(super) fn on_error(kind: &Block, reader: &mut Reader<'_>) -> Vec<ErrorRule> {
    kind.blocks("on_error").iter().filter_map(|rule| error_rule(kind, rule, reader)).collect()
}

fn error_rule(kind: &Block, rule: &Block, reader: &mut Reader<'_>) -> Option<ErrorRule> {
    let matches = matches(kind, rule.block("match")?, reader);
    let after = rule.span("after");
    let then = match rule.text("then")? {
        "dead" => Then::Dead,
        "discard" => Then::Discard,
        "snooze" => match after {
            Some(after) => Then::Snooze { after },
            None if rule.has("after") => return None,
            None => {
                let message = "is missing: `then: snooze` needs the pause";
                reader.fault(&rule.path_of("after"), &rule.origin_of("then"), message);
                return None;
            }
        },
        _ => Then::Retry { after },
    };
    Some(ErrorRule { matches, then })
}

fn matches(kind: &Block, block: &Block, reader: &mut Reader<'_>) -> Match {
    if block.entries.is_empty() {
        let message = "matches nothing: give one of `exit`, `class`, `status`, `code`";
        reader.fault(&block.path, &block.origin, message);
    }
    for (key, runner) in [("exit", "command"), ("status", "push")] {
        if block.has(key) && !kind.has(runner) {
            let message = format!("can match only for a kind that has a `{runner}`");
            reader.fault(&block.path_of(key), &block.origin_of(key), message);
        }
    }
    let texts = |key: &str| {
        block.list(key).iter().filter_map(|leaf| match leaf {
            Leaf::Text(text) => Some(text.as_str()),
            _ => None,
        })
    };
    let exit = |leaf: &Leaf| match leaf {
        Leaf::Whole(code) => u8::try_from(*code).ok(),
        _ => None,
    };
    let class = |word: &str| {
        FaultClass::ALL.iter().find(|(_, known)| *known == word).map(|(class, _)| *class)
    };
    Match {
        exits: block.list("exit").iter().filter_map(exit).collect(),
        classes: texts("class").filter_map(class).collect(),
        statuses: texts("status").filter_map(statuses).collect(),
        codes: texts("code").map(str::to_owned).collect(),
    }
}

/// `429` is one status, `5xx` a hundred.
fn statuses(text: &str) -> Option<(u16, u16)> {
    match text.strip_suffix("xx") {
        Some(hundreds) => hundreds.parse::<u16>().ok().map(|n| (n * 100, n * 100 + 99)),
        None => text.parse().ok().map(|status| (status, status)),
    }
}

/// Makes the engine's rules.
pub(crate) fn of(said: &[ErrorRule]) -> Vec<rule::ErrorRule> {
    let one = |said: &ErrorRule| rule::ErrorRule {
        matches: rule::ErrorMatch {
            classes: said.matches.classes.clone(),
            codes: said.matches.codes.clone(),
            exits: said.matches.exits.clone(),
            statuses: said.matches.statuses.clone(),
        },
        then: match said.then {
            Then::Retry { after } => rule::Then::Retry { after },
            Then::Dead => rule::Then::Dead,
            Then::Discard => rule::Then::Discard,
            Then::Snooze { after } => rule::Then::Snooze { after },
        },
    };
    said.iter().map(one).collect()
}
