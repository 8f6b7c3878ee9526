//! Faults by lot, for as long as the soak of the fleet lasts, 40 s at most.

use super::rig::{CARRIED, Rig};
use crate::server::eventually;
use fastrand::Rng;
use libtest_mimic::{Completion, Failed};
use longshore_conformance::proxy::{Fault, Way};
use longshore_conformance::rabbitmq;
use std::time::{Duration, Instant};

const PUBLISHERS: usize = 12;
const PAUSE: Duration = Duration::from_millis(20);
/// After the last fault nothing that is still to come waits longer: pauses of the link, of retries and of the outbox.
const QUIET: Duration = Duration::from_secs(120);
/// By then everything has come, also on a slow machine.
const END: Duration = Duration::from_secs(600);
/// Sorts of faults: each comes at least once.
const KINDS: usize = 10;
const LENGTH: Duration = Duration::from_secs(40);

pub(crate) fn on_the_embedded_store() -> Result<Completion, Failed> {
    if let Err(missing) = rabbitmq::startable() {
        return Ok(Completion::ignored_with(missing));
    }
    under_faults(None)
}

pub(crate) fn on_postgresql() -> Result<Completion, Failed> {
    if let Err(missing) = rabbitmq::startable() {
        return Ok(Completion::ignored_with(missing));
    }
    match crate::fleet::store_of("messages") {
        Ok(url) => under_faults(Some(&url)),
        Err(missing) => Ok(Completion::ignored_with(missing)),
    }
}

fn under_faults(store: Option<&str>) -> Result<Completion, Failed> {
    let seed = std::env::var("LONGSHORE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut dice = Rng::with_seed(seed);
    let mut rig = Rig::start(store)?;
    rig.load(PUBLISHERS, PAUSE);
    let began = Instant::now();
    let mut faults = Vec::new();
    while began.elapsed() < LENGTH || faults.len() < KINDS {
        std::thread::sleep(Duration::from_millis(dice.u64(1_000..3_000)));
        let fault = strike(&mut rig, faults.len(), &mut dice);
        faults.push(fault.map_err(|why| rig.with_state(&why))?);
    }
    rig.enough()?;
    let quiet = all_is_handled(&rig);
    // What comes late, or twice, has come by then.
    std::thread::sleep(Duration::from_secs(3));
    let (wrong, figures) = rig.account.judge(faults.len());
    eprintln!("seed {seed}: {figures} {faults:?}");
    if !wrong.is_empty() || quiet.is_err() {
        let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        let why = quiet.err().and_then(|late| late.message().map(str::to_owned));
        let why = why.unwrap_or_default();
        return Err(rig.with_state(&format!("seed {seed}: {figures}\n{shown}\n{why}").into()));
    }
    let up = eventually("everything is up again", QUIET, || {
        let health = rig.client().get("/health")?;
        let text = String::from_utf8_lossy(&health.body).into_owned();
        Ok(text.starts_with(r#"{"status":"UP""#).then_some(()))
    });
    up.map_err(|late| rig.with_state(&late))?;
    let empty = eventually("the queue is empty", QUIET, || {
        // The tool itself may take too long on a busy machine.
        let Ok(left) = rig.broker.control(&["-q", "list_queues", "name", "messages"]) else {
            return Ok(None);
        };
        let is_ours = |line: &&str| line.starts_with("shipping") || line.starts_with(CARRIED);
        let mut ours = left.lines().filter(is_ours);
        Ok(ours.all(|line| line.ends_with("\t0")).then_some(()))
    });
    empty.map_err(|late| rig.with_state(&late))?;
    // Every task that was taken in has succeeded, whatever became of its answer.
    let mail = rig.client().get("/v1/queues/mail")?.data();
    let unfinished =
        ["scheduled", "pending", "running", "retrying", "failed", "cancelled", "expired"];
    if mail["carrier"] != "main" || unfinished.iter().any(|state| mail["tasks"][state] != 0) {
        return Err(format!("{mail}").into());
    }
    if let Some(server) = rig.server.take() {
        server.stop()?;
    }
    Ok(Completion::Completed)
}

/// Waits until all that is stored is handled, for as long as something comes.
fn all_is_handled(rig: &Rig) -> Result<(), Failed> {
    let (mut least, mut moved) = (usize::MAX, Instant::now());
    eventually("all that is stored is handled", END, || {
        let missing = rig.account.missing();
        if missing < least {
            (least, moved) = (missing, Instant::now());
        }
        if moved.elapsed() > QUIET {
            return Err(format!("{missing} are missing, and nothing comes").into());
        }
        Ok((missing == 0).then_some(()))
    })
}

/// Does one thing, each of them at least once; says which.
fn strike(rig: &mut Rig, at: usize, dice: &mut Rng) -> Result<&'static str, Failed> {
    let second = Duration::from_secs(1);
    let which = if at < KINDS { at } else { dice.usize(..KINDS) };
    Ok(match which {
        0 => {
            rig.broker.kill();
            rig.broker.restart()?;
            "kill"
        }
        1 => {
            rig.link.end_all(Fault::Reset);
            "reset"
        }
        2 => {
            rig.kill_server()?;
            "server"
        }
        3 => {
            rig.broker.freeze(true);
            std::thread::sleep(second * 9);
            rig.broker.freeze(false);
            "freeze"
        }
        4 => {
            rig.link.tell(Fault::BlackHole(Way::Back));
            std::thread::sleep(second * 3);
            // What was held is lost with its connection; new ones are well.
            rig.link.end_all(Fault::Cut);
            "lost answers"
        }
        5 => {
            rig.link.tell(Fault::BlackHole(Way::Both));
            std::thread::sleep(second * 10);
            rig.link.tell(Fault::None);
            "silence"
        }
        6 => {
            rig.broker.stop()?;
            rig.broker.restart()?;
            "stop"
        }
        // Of what the broker carries the truth is elsewhere; messages would be lost by this.
        7 => {
            on_queue(rig, "purge_queue")?;
            "purge"
        }
        8 => {
            on_queue(rig, "delete_queue")?;
            "delete"
        }
        _ => {
            rig.link.tell(Fault::Latency(Duration::from_millis(100)));
            std::thread::sleep(second * 2);
            rig.link.tell(Fault::None);
            "slow"
        }
    })
}

/// Does something to the queue of carried tasks. It has no leader for a moment after a restart. On a busy machine a queue of RabbitMQ
/// 3.10 was seen to answer nobody any more, neither clients nor tools, after a clean stop in the middle of a soak, and not behind another
/// restart either. Whoever runs it would start it once more, and then delete the queue; so does this, and tells it.
fn on_queue(rig: &mut Rig, what: &str) -> Result<(), Failed> {
    let Err(late) = attempt_on_queue(rig, what) else { return Ok(()) };
    let said = late.message().unwrap_or_default();
    eprintln!("the broker is started once more: {said}; {}", process_of_queue(rig));
    rig.broker.kill();
    rig.broker.restart()?;
    let Err(late) = attempt_on_queue(rig, what) else { return Ok(()) };
    let said = late.message().unwrap_or_default();
    eprintln!("the queue is deleted: {said}; {}", process_of_queue(rig));
    attempt_on_queue(rig, "delete_queue")
}

/// Returns what RabbitMQ knows of the process of the queue: where its log stands, and what it does.
fn process_of_queue(rig: &Rig) -> String {
    let asked = format!(
        "N = '%2F_{CARRIED}', P = whereis(N), {{ets:lookup(ra_metrics, N), ets:lookup(ra_state, N), \
         catch erlang:process_info(P, [status, message_queue_len, memory, current_stacktrace])}}."
    );
    rig.broker.control(&["eval", &asked]).unwrap_or_else(|why| why)
}

fn attempt_on_queue(rig: &Rig, what: &str) -> Result<(), Failed> {
    let mut said = String::new();
    let done = eventually(what, Duration::from_secs(60), || {
        Ok(rig.broker.control(&[what, CARRIED]).map_err(|why| said = why).ok())
    });
    done.map(|_| ())
        .map_err(|late| format!("{}; {said}", late.message().unwrap_or_default()).into())
}
