//! The planner: how a policy is kept on a broker of certain capabilities, or why it cannot be.
//!
//! It is pure. It runs when the broker is connected, and again after each reconnect, since another version may answer
//! then. What is not possible is refused, with the fix; nothing is degraded silently.

use super::{Checked, Mode};
use crate::handler::Decode;
use longshore_core::Span;
use longshore_core::broker::{Capabilities, Durability, Pause};
use serde::Serialize;
use std::time::Duration;

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The broker itself, or its driver in one step with it.
    Native,
    /// The runtime, by means that the broker has.
    Supplied,
    /// Nobody: this is how far it goes.
    Limit,
}

/// How one thing is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is about: `order`, `retry`, ….
    pub about: &'static str,
    /// How it is done, in a sentence fragment.
    pub how: String,
    /// Who does it.
    pub done: Done,
}

/// How a consumer works on its broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Which server it was made for.
    pub server: String,
    /// One line for each thing, in the order of the documents.
    pub lines: Vec<Line>,
}

/// Something that the broker cannot keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{key}: {why}; {fix}")]
pub struct Refusal {
    /// The key of the configuration that it is about.
    pub key: &'static str,
    /// What is not possible.
    pub why: String,
    /// What to do.
    pub fix: String,
}

fn refusal(key: &'static str, why: impl Into<String>, fix: impl Into<String>) -> Refusal {
    Refusal { key, why: why.into(), fix: fix.into() }
}

/// Makes the plan, or tells everything that stands in its way.
pub fn plan(policy: &Checked, can: &Capabilities) -> Result<Plan, Vec<Refusal>> {
    let refused = refusals(policy, can);
    if !refused.is_empty() {
        return Err(refused);
    }
    let lines = vec![
        receive(policy),
        order(policy, can),
        retry(policy, can),
        dead_letters(policy, can),
        delays(policy, can),
        crash(policy, can),
        time(policy, can),
        shutdown(can),
        duplicates(can),
        durability(can),
    ];
    Ok(Plan { server: can.server.clone(), lines })
}

fn refusals(policy: &Checked, can: &Capabilities) -> Vec<Refusal> {
    let server = &can.server;
    let mut refused = Vec::new();
    let wild = policy.topics.iter().find(|pattern| !pattern.is_exact());
    if let (Some(pattern), false) = (wild, can.wildcards) {
        let why = format!("{server} knows no patterns such as \"{pattern}\"");
        refused.push(refusal("topic", why, "name the topics one by one"));
    }
    if policy.mode == Mode::SingleActive && !can.single_active {
        let why = format!("{server} hands out to all who consume, not to one at a time");
        refused.push(refusal("mode", why, "set `mode: compete`"));
    }
    if policy.mode == Mode::Broadcast && !can.broadcast {
        let why = format!("{server} cannot give everything to everybody");
        refused.push(refusal("mode", why, "give each consumer a `group` of its own"));
    }
    let tries_again = policy.retry.attempts() > 1;
    if tries_again && can.retry.is_none() {
        let why = format!("{server} cannot hand out a message again after a pause");
        refused.push(refusal("retry", why, "set `retry: { max_attempts: 1 }`"));
    }
    if let (Some(Pause::Exact { longest }), Some(pause)) = (can.retry, policy.longest_pause())
        && pause > longest
    {
        let why = format!("a pause of {} is longer than {server} can keep", Span(pause));
        let fix = format!("set `retry.cap` to {} at most", Span(longest));
        refused.push(refusal("retry", why, fix));
    }
    if policy.dead.is_some() && !can.dead_letters {
        let why = format!("{server} has no dead letters: what fails for good would be lost");
        refused.push(refusal("dead_letter", why, "use another broker for these topics"));
    }
    if let (Some(within), false) = (can.settle_within, can.extend)
        && policy.timeout.0 >= within
    {
        let (timeout, within) = (policy.timeout, Span(within));
        let why = format!(
            "{server} takes back what is not settled within {within}, and {timeout} is not less"
        );
        refused.push(refusal(
            "timeout",
            why,
            "set a shorter one, or let the handler submit a task",
        ));
    }
    refused
}

fn line(about: &'static str, done: Done, how: impl Into<String>) -> Line {
    Line { about, how: how.into(), done }
}

fn receive(policy: &Checked) -> Line {
    let (running, prefetch) = (policy.parallel, policy.prefetch());
    let who = match (&policy.mode, &policy.group) {
        (Mode::SingleActive, Some(group)) => format!("the group {group}, one process at a time"),
        (_, Some(group)) => format!("the group {group}, shared by all its processes"),
        (_, None) => "everything that comes while this process is there".to_owned(),
    };
    line("receive", Done::Native, format!("{who}; {running} at once, {prefetch} unsettled at most"))
}

fn order(policy: &Checked, can: &Capabilities) -> Line {
    let alone = policy.parallel == 1;
    let one = policy.mode == Mode::SingleActive || policy.mode == Mode::Broadcast;
    match (can.ordered, alone, one) {
        (false, ..) => line("order", Done::Limit, "none: the broker keeps none"),
        (true, true, true) => {
            line("order", Done::Native, "as published; a message that is tried again comes later")
        }
        (true, true, false) => {
            let how = "as published within this process; other processes of the group run beside it, \
                       `mode: single_active` makes it one";
            line("order", Done::Limit, how)
        }
        (true, false, _) => {
            line("order", Done::Limit, "none: several run at once; `concurrency: serial` keeps it")
        }
    }
}

fn retry(policy: &Checked, can: &Capabilities) -> Line {
    let attempts = policy.retry.attempts();
    if attempts == 1 {
        return line("retry", Done::Limit, "none: one attempt");
    }
    match can.atomic_retry {
        true => {
            let how = format!(
                "{attempts} attempts; handing out again is one step with forgetting the original"
            );
            line("retry", Done::Native, how)
        }
        false => {
            let how = format!(
                "{attempts} attempts; published again to the group, confirmed, then the original is \
                 forgotten: a crash in between makes a duplicate, never a loss"
            );
            line("retry", Done::Supplied, how)
        }
    }
}

fn dead_letters(policy: &Checked, can: &Capabilities) -> Line {
    let bad = match policy.decode {
        Decode::Json => "what is not JSON goes there at once",
        Decode::Text => "what is not UTF-8 goes there at once",
        Decode::Bytes => "nothing is too bad to be read",
    };
    match (&policy.dead, can.atomic_retry) {
        (None, _) => {
            let how = "none: what fails is logged, counted and thrown away, and so is what cannot be read";
            line("dead letters", Done::Limit, how)
        }
        (Some(dead), true) => {
            let how = format!("{dead}, with origin and reason, in one step; {bad}");
            line("dead letters", Done::Native, how)
        }
        (Some(dead), false) => {
            let how = format!(
                "{dead}, with origin and reason, confirmed before the original is forgotten; {bad}"
            );
            line("dead letters", Done::Supplied, how)
        }
    }
}

fn delays(policy: &Checked, can: &Capabilities) -> Line {
    let longest = policy.longest_pause().map_or(Span(Duration::ZERO), Span);
    match can.retry {
        _ if policy.retry.attempts() == 1 => line("delays", Done::Limit, "none"),
        None => line("delays", Done::Limit, "none"),
        Some(Pause::Exact { longest: most }) => {
            let how = format!(
                "to the millisecond, {longest} at most; a handler that asks for more than {} gets that",
                Span(most)
            );
            line("delays", Done::Native, how)
        }
        Some(Pause::Ladder { rungs }) => {
            let rungs: Vec<String> = rungs.iter().map(|rung| Span(*rung).to_string()).collect();
            let how = format!("{longest} at most, rounded up to steps of {}", rungs.join(", "));
            line("delays", Done::Native, how)
        }
    }
}

fn crash(policy: &Checked, can: &Capabilities) -> Line {
    match (can.counts_hand_outs, &policy.dead) {
        (false, _) => {
            let how = "handed out again, without end: this broker does not count";
            line("crash", Done::Limit, how)
        }
        (true, dead) => {
            let end = if dead.is_some() { "a dead letter" } else { "thrown away" };
            let how = format!(
                "handed out again, as the same attempt; after {} hand-outs {end}",
                policy.too_often()
            );
            line("crash", Done::Supplied, how)
        }
    }
}

fn time(policy: &Checked, can: &Capabilities) -> Line {
    let timeout = policy.timeout;
    match (can.settle_within, can.extend) {
        (None, _) => line(
            "time",
            Done::Native,
            format!("{timeout} an attempt; the broker waits as long as it takes"),
        ),
        (Some(within), true) => {
            let how = format!(
                "{timeout} an attempt; the broker waits {}, and is asked for more",
                Span(within)
            );
            line("time", Done::Supplied, how)
        }
        (Some(within), false) => line(
            "time",
            Done::Limit,
            format!("{timeout} an attempt; the broker waits {}", Span(within)),
        ),
    }
}

fn shutdown(can: &Capabilities) -> Line {
    let how = "receiving stops at once, handlers have the drain time, the rest is given back";
    match can.free_release {
        true => line("stop", Done::Native, how),
        false => line("stop", Done::Limit, format!("{how}, which counts as a hand-out")),
    }
}

fn duplicates(can: &Capabilities) -> Line {
    let how = "known by `ls-id`, else by the publisher's message id, else by the place in the broker; \
               a message with none of these has no identity, and nobody can tell that it comes twice";
    let done = if can.atomic_retry { Done::Native } else { Done::Limit };
    line("duplicates", done, how)
}

fn durability(can: &Capabilities) -> Line {
    match can.durability {
        Durability::Memory => line(
            "durability",
            Done::Limit,
            "a confirm says: in memory; a crash of the broker loses it",
        ),
        Durability::Disk => {
            line("durability", Done::Native, "a confirm says: on a disk that was synced")
        }
        Durability::Replicated => line(
            "durability",
            Done::Native,
            "a confirm says: a majority of the broker's servers has it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Consumer;
    use longshore_core::RetryPolicy;

    fn all() -> Capabilities {
        Capabilities {
            server: "Some broker 1.0".to_owned(),
            durability: Durability::Disk,
            tells_unroutable: true,
            wildcards: true,
            ordered: true,
            single_active: true,
            broadcast: true,
            retry: Some(Pause::Exact { longest: Duration::from_secs(86_400) }),
            atomic_retry: true,
            dead_letters: true,
            free_release: true,
            counts_hand_outs: true,
            settle_within: None,
            extend: false,
            inspects_in_flight: true,
            max_payload: 1 << 20,
        }
    }

    fn checked(consumer: Consumer) -> Checked {
        consumer.checked("shipping").expect("it is fine")
    }

    fn refused(consumer: Consumer, can: Capabilities) -> Vec<String> {
        let refused = plan(&checked(consumer), &can).expect_err("it must be refused");
        refused.iter().map(Refusal::to_string).collect()
    }

    fn how(consumer: Consumer, can: Capabilities, about: &str) -> (Done, String) {
        let plan = plan(&checked(consumer), &can).expect("it can be kept");
        let line = plan.lines.into_iter().find(|line| line.about == about).expect("it is told");
        (line.done, line.how)
    }

    #[test]
    fn what_a_broker_cannot_keep_is_refused_with_the_fix() {
        let topic = || Consumer::topic("orders.*");
        for (consumer, can, why) in [
            (
                topic(),
                Capabilities { wildcards: false, ..all() },
                "topic: Some broker 1.0 knows no patterns such as \"orders.*\"; name the topics one by one",
            ),
            (
                topic().mode(Mode::SingleActive),
                Capabilities { single_active: false, ..all() },
                "mode: Some broker 1.0 hands out to all who consume, not to one at a time; set `mode: compete`",
            ),
            (
                topic().mode(Mode::Broadcast),
                Capabilities { broadcast: false, ..all() },
                "mode: Some broker 1.0 cannot give everything to everybody; give each consumer a `group` of its own",
            ),
            (
                topic(),
                Capabilities { retry: None, ..all() },
                "retry: Some broker 1.0 cannot hand out a message again after a pause; set `retry: { max_attempts: 1 }`",
            ),
            (
                topic().retry(
                    RetryPolicy::list([Duration::from_secs(7_200)])
                        .cap(Duration::from_secs(7_200))
                        .jitter(0.0),
                ),
                Capabilities {
                    retry: Some(Pause::Exact { longest: Duration::from_secs(3_600) }),
                    ..all()
                },
                "retry: a pause of 2h is longer than Some broker 1.0 can keep; set `retry.cap` to 1h at most",
            ),
            (
                topic(),
                Capabilities { dead_letters: false, ..all() },
                "dead_letter: Some broker 1.0 has no dead letters: what fails for good would be lost; use another broker for these topics",
            ),
            (
                topic().timeout(Duration::from_secs(3_600)),
                Capabilities { settle_within: Some(Duration::from_secs(1_800)), ..all() },
                "timeout: Some broker 1.0 takes back what is not settled within 30m, and 1h is not less; set a shorter one, or let the handler submit a task",
            ),
        ] {
            assert_eq!(refused(consumer, can), [why]);
        }
    }

    #[test]
    fn everything_that_stands_in_the_way_is_told_at_once() {
        let can = Capabilities { wildcards: false, retry: None, dead_letters: false, ..all() };
        assert_eq!(refused(Consumer::topic("#"), can).len(), 3);
    }

    #[test]
    fn the_plan_says_what_is_native_and_what_is_supplied() {
        let topic = || Consumer::topic("orders.*");
        let plain = Capabilities { atomic_retry: false, ..all() };
        assert_eq!(how(topic(), all(), "retry").0, Done::Native);
        let (done, words) = how(topic(), plain.clone(), "retry");
        assert!(done == Done::Supplied && words.contains("a duplicate, never a loss"), "{words}");
        assert_eq!(how(topic(), plain, "dead letters").0, Done::Supplied);
        let (done, words) = how(topic().mode(Mode::Broadcast), all(), "dead letters");
        assert!(done == Done::Limit && words.starts_with("none"), "{words}");
        let uncounted = Capabilities { counts_hand_outs: false, ..all() };
        assert_eq!(how(topic(), uncounted, "crash").0, Done::Limit);
    }

    #[test]
    fn order_is_promised_to_one_at_a_time_alone() {
        let topic = || Consumer::topic("orders.*");
        let of = |consumer| how(consumer, all(), "order").0;
        assert_eq!(of(topic().serial().mode(Mode::SingleActive)), Done::Native);
        assert_eq!(of(topic().serial()), Done::Limit);
        assert_eq!(of(topic().parallel(2).mode(Mode::SingleActive)), Done::Limit);
        let unordered = Capabilities { ordered: false, ..all() };
        assert_eq!(how(topic(), unordered, "order").0, Done::Limit);
    }

    #[test]
    fn a_pause_on_a_ladder_is_never_too_long() {
        const RUNGS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
        let can = Capabilities { retry: Some(Pause::Ladder { rungs: &RUNGS }), ..all() };
        let (_, words) = how(Consumer::topic("a"), can, "delays");
        assert!(words.contains("rounded up to steps of 1s, 1m"), "{words}");
    }

    #[test]
    fn a_longer_time_is_fine_where_it_can_be_extended() {
        let within = Some(Duration::from_secs(30));
        let can = Capabilities { settle_within: within, extend: true, ..all() };
        assert_eq!(how(Consumer::topic("a"), can, "time").0, Done::Supplied);
    }
}
