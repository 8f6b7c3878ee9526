//! The fleet: a PostgreSQL of its own, three servers, workers linked to the first two of them, and a worker on
//! the store.

use super::member::Member;
use crate::client::Client;
use crate::ledger::Effects;
use crate::server::{Launch, eventually};
use libtest_mimic::Failed;
use longshore_conformance::accounting::Ledgers;
use longshore_conformance::postgres::PostgresServer;
use longshore_conformance::proxy::Proxy;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// How many servers there are; workers come after them.
pub(crate) const SERVERS: usize = 3;
/// Each linked to a server, beginning with the first one.
pub(crate) const LINKED: Range<usize> = SERVERS..SERVERS + 2;
/// On the store.
pub(crate) const STORED: usize = LINKED.end;

/// All of them are up within this, whatever was broken before.
const UP: Duration = Duration::from_secs(60);
/// A process that was away may find out so late that what it held runs elsewhere.
const UNAWARE: Duration = Duration::from_secs(5);

/// Everything that is started.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) database: PostgresServer,
    pub(crate) members: Vec<Member>,
    absences: Vec<Absence>,
}

/// When a process could not be heard by the others: what it held may have run elsewhere meanwhile.
#[derive(Debug)]
struct Absence {
    member: usize,
    pid: u32,
    from: Duration,
    until: Option<Duration>,
}

/// The worker that is linked to a server, if there is one.
fn linked_to(server: usize) -> Option<usize> {
    Some(LINKED.start + server).filter(|worker| server < SERVERS && LINKED.contains(worker))
}

impl Fleet {
    /// Starts all of it.
    pub(crate) fn start(database: PostgresServer, effects: &Effects) -> Result<Self, Failed> {
        let watched = |launch: Launch| launch.env("LONGSHORE_EFFECTS", &effects.socket);
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut members = Vec::new();
        for name in ["server 1", "server 2", "server 3"] {
            let link = Proxy::start(database.addr())?;
            let launch = Launch::on_store(&database.url_by(link.addr()));
            members.push(Member::new(name, watched(launch), link, Some(Proxy::start(nobody)?)));
        }
        for (server, name) in ["linked worker 1", "linked worker 2"].into_iter().enumerate() {
            let door = members[server].door().ok_or("a server has a door")?;
            let link = Proxy::start(door)?;
            let launch = Launch::worker("--server", &format!("http://{}", link.addr()));
            members.push(Member::new(name, watched(launch), link, None));
        }
        let link = Proxy::start(database.addr())?;
        let launch = Launch::worker("--store", &database.url_by(link.addr()));
        members.push(Member::new("the worker on the store", watched(launch), link, None));
        let mut fleet = Self { database, members, absences: Vec::new() };
        fleet.be_up()?;
        Ok(fleet)
    }

    /// Waits until all are up, and the servers accept.
    pub(crate) fn be_up(&mut self) -> Result<(), Failed> {
        eventually("all are up", UP, || {
            self.look_after()?;
            Ok(self.members.iter().all(Member::is_up).then_some(()))
        })?;
        for door in self.doors() {
            eventually("it accepts", UP, || {
                let answer = Client::new(door).get("/readyz");
                Ok(answer.is_ok_and(|answer| answer.status == 200).then_some(()))
            })?;
        }
        Ok(())
    }

    /// Sees to all lives.
    pub(crate) fn look_after(&mut self) -> Result<(), Failed> {
        self.members.iter_mut().try_for_each(Member::look_after)
    }

    /// Where the servers are asked.
    pub(crate) fn doors(&self) -> Vec<SocketAddr> {
        self.members.iter().filter_map(Member::door).collect()
    }

    /// The others hear nothing of it from now on. A server takes its linked worker along.
    pub(crate) fn goes_away(&mut self, member: usize, now: Duration) {
        for member in [member].into_iter().chain(linked_to(member)) {
            if let Some(pid) = self.members[member].pid() {
                self.absences.push(Absence { member, pid, from: now, until: None });
            }
        }
    }

    /// It is heard again.
    pub(crate) fn is_back(&mut self, member: usize, now: Duration) {
        let members = [member, linked_to(member).unwrap_or(member)];
        for absence in &mut self.absences {
            if members.contains(&absence.member) {
                absence.until.get_or_insert(now + UNAWARE);
            }
        }
    }

    /// Who is away does not surely hold what it runs: such openings are judged as those of workers elsewhere.
    pub(crate) fn excuse(&self, ledgers: &mut Ledgers) {
        for effect in &mut ledgers.effects {
            let (begun, Some(ended)) = (effect.start, effect.end) else { continue };
            let while_away = |absence: &&Absence| {
                let nanos = crate::accounts::nanos;
                effect.incarnation.starts_with(&format!("{}-", absence.pid))
                    && nanos(absence.from) <= ended
                    && absence.until.is_none_or(|until| begun <= nanos(until))
            };
            effect.inside &= self.absences.iter().find(while_away).is_none();
        }
    }

    /// Asks all to stop, and demands that they do so in good order; the database stays.
    pub(crate) fn stop(self) -> Result<PostgresServer, Failed> {
        // Workers first: one that is linked gives back by its server.
        self.members.into_iter().rev().try_for_each(Member::stop)?;
        Ok(self.database)
    }
}
