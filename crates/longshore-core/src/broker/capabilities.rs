//! What a broker can do, as it was found when connecting.

use std::time::Duration;

/// What a confirm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is in memory somewhere.
    Memory,
    /// It is on a disk that was synced.
    Disk,
    /// A majority of servers has it, each on its disk or in memory as it is configured.
    Replicated,
}

/// How long the pauses of retries can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Any, to the millisecond.
    Exact {
        /// The longest.
        longest: Duration,
    },
    /// Those of a ladder: a pause is rounded up to the next rung, and a longer one takes several.
    Ladder {
        /// The rungs, in order.
        rungs: &'static [Duration],
    },
}

/// What a broker can do. Probed at each connect, never guessed from a name or learned from a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Which server answers, with its version, for people.
    pub server: String,
    /// What a confirm says.
    pub durability: Durability,
    /// Tells if nobody would receive an envelope.
    pub tells_unroutable: bool,
    /// Patterns with `*` and `#`.
    pub wildcards: bool,
    /// A group hands out in the order of publishing, as long as nothing is handed out again.
    pub ordered: bool,
    /// One subscription of a group at a time, the next one as soon as it goes.
    pub single_active: bool,
    /// Everything for everybody.
    pub broadcast: bool,
    /// Messages can be handed out again after a pause.
    pub retry: Option<Pause>,
    /// Retry and dead letter are one step with forgetting the original: no crash makes a duplicate.
    pub atomic_retry: bool,
    /// Messages can be put among dead letters, with origin and reason.
    pub dead_letters: bool,
    /// Giving back costs nothing of what the broker counts.
    pub free_release: bool,
    /// The broker counts hand-outs.
    pub counts_hand_outs: bool,
    /// Takes back what is not settled within this time.
    pub settle_within: Option<Duration>,
    /// That time can be extended.
    pub extend: bool,
    /// Tells how much is in flight.
    pub inspects_in_flight: bool,
    /// Largest payload in bytes.
    pub max_payload: usize,
}

/// A capability for a table: its name, what is possible, for people.
pub type Row = (&'static str, String);

impl Capabilities {
    /// Returns all of them in the order of the documents.
    pub fn rows(&self) -> Vec<Row> {
        let yes = |can: bool| if can { "yes" } else { "no" }.to_owned();
        let durability = match self.durability {
            Durability::Memory => "memory",
            Durability::Disk => "disk",
            Durability::Replicated => "replicated",
        };
        let retry = match self.retry {
            None => "no".to_owned(),
            Some(Pause::Exact { longest }) => {
                format!("to the millisecond, up to {}", crate::Span(longest))
            }
            Some(Pause::Ladder { rungs }) => {
                let rungs: Vec<String> =
                    rungs.iter().map(|rung| crate::Span(*rung).to_string()).collect();
                format!("in steps of {}", rungs.join(", "))
            }
        };
        let within =
            self.settle_within.map_or("any time".to_owned(), |time| crate::Span(time).to_string());
        vec![
            ("durability of a confirm", durability.to_owned()),
            ("tells what nobody receives", yes(self.tells_unroutable)),
            ("patterns with * and #", yes(self.wildcards)),
            ("order", yes(self.ordered)),
            ("single active subscription", yes(self.single_active)),
            ("broadcast", yes(self.broadcast)),
            ("retry after a pause", retry),
            ("retry without a duplicate at a crash", yes(self.atomic_retry)),
            ("dead letters", yes(self.dead_letters)),
            ("release without a count", yes(self.free_release)),
            ("counts hand-outs", yes(self.counts_hand_outs)),
            ("to be settled within", within),
            ("that time can be extended", yes(self.extend)),
            ("tells what is in flight", yes(self.inspects_in_flight)),
            ("largest payload", format!("{} KiB", self.max_payload / 1024)),
        ]
    }
}
