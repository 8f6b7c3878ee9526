//! Starts whose database is away.

use super::singles::{PATIENCE, Witnesses};
use crate::server::{Launch, Server, eventually};
use crate::usage::cpu;
use libtest_mimic::{Completion, Failed};
use longshore_conformance::postgres::PostgresServer;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// What is said while a start waits.
const WAITS: &str = "The start waits for it";
/// The database is away for so long after the last of them has said so.
const AWAY: Duration = Duration::from_secs(8);
/// A process that only waits uses no more of a processor than that meanwhile.
const IDLE: Duration = Duration::from_millis(500);
/// After a signal nothing waits.
const AT_ONCE: Duration = Duration::from_secs(2);
/// The longest pause, and a start.
const BACK: Duration = Duration::from_secs(15);

type Begun = (Server, Receiver<SocketAddr>);

pub(crate) fn a_start_waits_for_its_database() -> Result<Completion, Failed> {
    let mut database = match PostgresServer::start() {
        Ok(database) => database,
        Err(why) => return Ok(Completion::ignored_with(format!("needs PostgreSQL: {why}"))),
    };
    let it = Witnesses::called()?;
    let url = database.url();
    database.stop()?;
    let mut begun = [
        it.watched(Launch::on_store(&url)).begin()?,
        it.watched(Launch::serve_on(&url)).begin()?,
        it.watched(Launch::worker("--store", &url)).begin()?,
    ];
    begun.iter_mut().try_for_each(waits)?;
    let used =
        begun.iter().map(|(process, _)| cpu(process.pid())).collect::<Result<Vec<_>, _>>()?;
    // The outage itself lasts that long.
    std::thread::sleep(AWAY);
    for ((process, _), before) in begun.iter_mut().zip(used) {
        let used = cpu(process.pid())?.saturating_sub(before);
        let said = process.stderr();
        if process.has_ended()? || used > IDLE || said.matches(WAITS).count() != 1 {
            return Err(format!("{used:?} of a processor used, and said:\n{said}").into());
        }
    }
    database.restart()?;
    for (process, told) in &mut begun {
        let ready = told.recv_timeout(BACK);
        process.addr = ready.map_err(|_| format!("not ready: {}", process.stderr()))?;
    }
    let [(server, _), (other, _), (worker, _)] = begun;
    let ids = it.submit(&mut server.client(), 4, "1ms")?;
    it.begun(&ids, 1, PATIENCE)?;
    it.succeeded(&mut other.client(), 1)?;
    [worker, server, other].into_iter().try_for_each(|process| process.stop().map(drop))?;
    Ok(Completion::Completed)
}

pub(crate) fn a_signal_ends_the_wait_for_a_database() -> Result<(), Failed> {
    // Nobody listens there, and nobody answers here.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    silent.set_nonblocking(true)?;
    let url = |addr: SocketAddr| format!("postgres://me:secret@{addr}/db");
    for signal in [Signal::TERM, Signal::INT] {
        let mut refused = [
            Launch::on_store(&url(nowhere)).begin()?,
            Launch::worker("--store", &url(nowhere)).begin()?,
        ];
        refused.iter_mut().try_for_each(waits)?;
        let unanswered = Launch::on_store(&url(silent.local_addr()?)).begin()?;
        let _link = eventually("it is asked", PATIENCE, || Ok(silent.accept().ok()))?;
        for (mut process, _) in refused.into_iter().chain([unanswered]) {
            let asked = Instant::now();
            process.signal(signal)?;
            let status = process.wait(PATIENCE)?;
            let (took, said) = (asked.elapsed(), process.stderr());
            if !status.success() || took > AT_ONCE || said.contains("secret") {
                return Err(format!("{status} after {took:?}:\n{said}").into());
            }
        }
    }
    Ok(())
}

pub(crate) fn what_waiting_does_not_mend_fails_at_once() -> Result<Completion, Failed> {
    let database = match PostgresServer::start() {
        Ok(database) => database,
        Err(why) => return Ok(Completion::ignored_with(format!("needs PostgreSQL: {why}"))),
    };
    let url = database.url();
    for (url, says) in [
        (url.replace("longshore@", "nobody_of_that_name@"), "lets us not in"),
        (url.replace("/postgres", "/no_such_database"), "lets us not in"),
        (format!("{url}?sslmode=require"), "no TLS with PostgreSQL"),
    ] {
        for launch in [Launch::on_store(&url), Launch::worker("--store", &url)] {
            let Err(not) = launch.try_start()? else {
                return Err(format!("{url} was opened").into());
            };
            if not.status.code() != Some(1) || !not.stderr.contains(says) {
                return Err(format!("{url}: {}\n{}", not.status, not.stderr).into());
            }
        }
    }
    Ok(Completion::Completed)
}

/// Returns once it has said that it waits.
fn waits((process, _): &mut Begun) -> Result<(), Failed> {
    eventually("it says that it waits", PATIENCE, || {
        let (ended, said) = (process.has_ended()?, process.stderr());
        match ended {
            true => Err(format!("it has ended:\n{said}").into()),
            false => Ok(said.contains(WAITS).then_some(())),
        }
    })
}
