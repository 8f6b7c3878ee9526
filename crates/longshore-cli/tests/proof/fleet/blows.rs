//! What is done to a fleet: each fault begins, lasts, and is healed.

use super::rig::{Fleet, LINKED, SERVERS, STORED};
use crate::ledger::Ledger;
use fastrand::Rng;
use libtest_mimic::Failed;
use longshore_conformance::proxy::{Fault, Way};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    KillServer,
    KillLinkedWorker,
    KillWorkerOnStore,
    /// SIGSTOP, longer than any lease, then CONT.
    StopServer,
    RestartDatabase,
    KillDatabase,
    FreezeDatabase,
    CutLink,
    ResetLink,
    BlackHole,
    BlackHoleOfAnswers,
    SlowLink,
    LateLink,
    /// The link of a linked worker is silent, for less than a lease.
    SilentServer,
    /// An answer is cut off in its middle.
    TruncateLink,
    /// The worker on the store is cut off for longer than any lease.
    PartitionWorker,
}

/// Each of them once, kills of servers twice.
const DECK: [Blow; 17] = [
    Blow::KillServer,
    Blow::KillServer,
    Blow::KillLinkedWorker,
    Blow::KillWorkerOnStore,
    Blow::StopServer,
    Blow::RestartDatabase,
    Blow::KillDatabase,
    Blow::FreezeDatabase,
    Blow::CutLink,
    Blow::ResetLink,
    Blow::BlackHole,
    Blow::BlackHoleOfAnswers,
    Blow::SlowLink,
    Blow::LateLink,
    Blow::SilentServer,
    Blow::TruncateLink,
    Blow::PartitionWorker,
];

impl Blow {
    fn name(self) -> &'static str {
        match self {
            Self::KillServer => "kill -9 of a server",
            Self::KillLinkedWorker => "kill -9 of a linked worker",
            Self::KillWorkerOnStore => "kill -9 of the worker on the store",
            Self::StopServer => "SIGSTOP of a server",
            Self::RestartDatabase => "restart of PostgreSQL",
            Self::KillDatabase => "kill -9 of PostgreSQL",
            Self::FreezeDatabase => "freeze of PostgreSQL",
            Self::CutLink => "cut of a server's link",
            Self::ResetLink => "reset of a server's link",
            Self::BlackHole => "half-open link",
            Self::BlackHoleOfAnswers => "link without answers",
            Self::SlowLink => "slow link",
            Self::LateLink => "latency of a link",
            Self::SilentServer => "silent server of a linked worker",
            Self::TruncateLink => "answers cut off",
            Self::PartitionWorker => "worker partitioned off",
        }
    }

    fn lasts(self) -> Duration {
        let millis = match self {
            Self::KillServer | Self::KillDatabase | Self::RestartDatabase => 1_500,
            Self::KillLinkedWorker | Self::KillWorkerOnStore => 1_000,
            Self::CutLink | Self::TruncateLink => 2_000,
            Self::ResetLink => 0,
            Self::FreezeDatabase | Self::SlowLink | Self::LateLink => 5_000,
            Self::SilentServer => 8_000,
            Self::BlackHole | Self::BlackHoleOfAnswers => 10_000,
            Self::StopServer | Self::PartitionWorker => 20_000,
        };
        Duration::from_millis(millis)
    }

    /// Whom it is done to; nothing means the database.
    fn victims(self) -> Option<std::ops::Range<usize>> {
        match self {
            Self::RestartDatabase | Self::KillDatabase | Self::FreezeDatabase => None,
            Self::KillLinkedWorker | Self::SilentServer => Some(LINKED),
            Self::KillWorkerOnStore | Self::PartitionWorker => Some(STORED..STORED + 1),
            _ => Some(0..SERVERS),
        }
    }

    /// What is wrong with the victim's link meanwhile.
    fn of_link(self) -> Option<Fault> {
        match self {
            Self::CutLink => Some(Fault::Cut),
            Self::BlackHole | Self::SilentServer | Self::PartitionWorker => {
                Some(Fault::BlackHole(Way::Both))
            }
            Self::BlackHoleOfAnswers => Some(Fault::BlackHole(Way::Back)),
            Self::SlowLink => Some(Fault::Slow(20_000)),
            Self::LateLink => Some(Fault::Latency(Duration::from_millis(40))),
            Self::TruncateLink => Some(Fault::Truncate(200)),
            _ => None,
        }
    }

    /// Whether others may take its victim for dead.
    fn isolates(self) -> bool {
        let silent = matches!(self.of_link(), Some(Fault::BlackHole(_)));
        self == Self::StopServer || silent && self != Self::SilentServer
    }
}

/// A blow that is to be healed.
#[derive(Debug)]
struct Struck {
    blow: Blow,
    victim: Option<usize>,
    until: Instant,
}

/// Dice, and what they have done so far.
#[derive(Debug)]
pub(crate) struct Dice {
    rng: Rng,
    deck: Vec<Blow>,
    open: Vec<Struck>,
    pub(crate) count: usize,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), deck: Vec::new(), open: Vec::new(), count: 0 }
    }

    /// How long until the next one, in a run of that length: a longer one has more of everything.
    pub(crate) fn pause(&mut self, length: Duration) -> Duration {
        let stretched = (length.as_secs_f64() / 90.0).max(1.0);
        Duration::from_millis(self.rng.u64(1_500..3_500)).mul_f64(stretched)
    }

    /// Does the next thing of the deck whose victim is well, if there is one.
    pub(crate) fn strike(&mut self, fleet: &mut Fleet, ledger: &Ledger) -> Result<(), Failed> {
        if self.deck.is_empty() {
            self.deck = DECK.to_vec();
            self.rng.shuffle(&mut self.deck);
            // What lasts longest comes first, so that all of it is seen in a short run.
            self.deck.sort_by_key(|blow| blow.lasts() >= Duration::from_secs(20));
        }
        for at in (0..self.deck.len()).rev() {
            let blow = self.deck[at];
            let Some(victim) = self.victim(blow, fleet) else { continue };
            self.deck.remove(at);
            begin(blow, victim, fleet, ledger)?;
            let until = Instant::now() + blow.lasts();
            self.open.push(Struck { blow, victim, until });
            self.count += 1;
            return Ok(());
        }
        Ok(())
    }

    /// Draws a victim for a blow; nothing if there is none that is well.
    fn victim(&mut self, blow: Blow, fleet: &Fleet) -> Option<Option<usize>> {
        match blow.victims() {
            None => self.open.iter().all(|struck| struck.victim.is_some()).then_some(None),
            Some(victims) => {
                let is_well = |at: &usize| {
                    let member = &fleet.members[*at];
                    member.is_up() && !member.is_struck
                };
                let well: Vec<usize> = victims.filter(is_well).collect();
                self.rng.choice(well).map(Some)
            }
        }
    }

    /// Heals what has lasted long enough.
    pub(crate) fn heal(&mut self, fleet: &mut Fleet, ledger: &Ledger) -> Result<(), Failed> {
        let now = Instant::now();
        let (over, open) = self.open.drain(..).partition(|struck| struck.until <= now);
        self.open = open;
        let over: Vec<Struck> = over;
        over.iter().try_for_each(|struck| end(struck, fleet, ledger))
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.open.is_empty()
    }
}

fn begin(
    blow: Blow,
    victim: Option<usize>,
    fleet: &mut Fleet,
    ledger: &Ledger,
) -> Result<(), Failed> {
    if let (true, Some(victim)) = (blow.isolates(), victim) {
        fleet.goes_away(victim, ledger.now());
    }
    match (blow, victim) {
        (Blow::RestartDatabase, _) => fleet.database.stop()?,
        (Blow::KillDatabase, _) => fleet.database.kill(),
        (Blow::FreezeDatabase, _) => fleet.database.freeze(true),
        (_, None) => {}
        (blow, Some(at)) => {
            let member = &mut fleet.members[at];
            member.is_struck = true;
            match blow {
                Blow::StopServer => member.signal(Signal::STOP)?,
                Blow::ResetLink => member.link.end_all(Fault::Reset),
                blow => match blow.of_link() {
                    Some(fault) => member.link.tell(fault),
                    None => member.kill(blow.lasts())?,
                },
            }
        }
    }
    ledger.fault(blow.name());
    Ok(())
}

fn end(struck: &Struck, fleet: &mut Fleet, ledger: &Ledger) -> Result<(), Failed> {
    let Struck { blow, victim, .. } = *struck;
    match (blow, victim) {
        (Blow::RestartDatabase | Blow::KillDatabase, _) => fleet.database.restart()?,
        (Blow::FreezeDatabase, _) => fleet.database.freeze(false),
        (_, None) => {}
        (blow, Some(at)) => {
            let member = &mut fleet.members[at];
            member.is_struck = false;
            match blow {
                Blow::StopServer => member.signal(Signal::CONT)?,
                // New connections are well.
                Blow::ResetLink => {}
                _ => member.link.tell(Fault::None),
            }
        }
    }
    if let (true, Some(victim)) = (blow.isolates(), victim) {
        fleet.is_back(victim, ledger.now());
        // Whoever comes back late may do what others do meanwhile.
        ledger.fault(&format!("end of {}", blow.name()));
    }
    Ok(())
}
