//! What linked workers and servers say to each other, as JSON. Both are this program: a field that one does not know
//! is left alone, so that either side may be the newer one.

use super::LeaseName;
use longshore_core::attempt::TaskError;
use longshore_core::queue::{QueueSettings, Rate};
use longshore_core::retry::BuryReason;
use longshore_core::store::{
    Ending, Extend, KnownKind, LeaseState, Leased, Recorded, Want, Worker,
};
use longshore_core::{KindName, Payload, QueueName, Span, State, TenantName, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Something that was said cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be understood")]
pub struct Garbled {
    /// What it is about.
    pub what: &'static str,
}

/// Asks for work.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClaimSaid {
    /// Who asks.
    pub worker: Arc<str>,
    /// What it has room for.
    pub wants: Vec<WantSaid>,
    /// How long to wait, in milliseconds.
    pub wait: u64,
    /// How long it holds what it is given, in milliseconds.
    pub lease: u64,
}

/// Room in a queue.
#[derive(Debug, Serialize, Deserialize)]
pub struct WantSaid {
    queue: QueueName,
    kinds: Vec<KindName>,
    slots: usize,
    limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
}

impl WantSaid {
    /// Says it.
    pub fn of(want: &Want) -> Self {
        let Want { queue, kinds, slots, limit, rate, .. } = want;
        let (queue, kinds) = (queue.clone(), kinds.to_vec());
        Self { queue, kinds, slots: *slots, limit: *limit, rate: *rate }
    }

    /// Returns the queue.
    pub fn queue(&self) -> &QueueName {
        &self.queue
    }

    /// Bounds what was said: so many tasks, and what the server knows to be set on the queue.
    pub fn within(&mut self, most: usize, set: &QueueSettings) {
        self.slots = self.slots.min(most);
        self.limit = match (self.limit, set.limit) {
            (Some(said), Some(known)) => Some(said.min(known)),
            (said, known) => said.or(known),
        };
        self.rate = match (self.rate, set.rate) {
            (Some(said), Some(known)) => Some(said.slower(known)),
            (said, known) => said.or(known),
        };
    }

    /// Returns what was said, for the tasks of a tenant.
    pub fn into_want(self, tenant: TenantName) -> Want {
        let Self { queue, kinds, slots, limit, rate } = self;
        let tenant = Some(tenant);
        Want { queue, tenant, kinds: kinds.into(), outside: [].into(), slots, limit, rate }
    }
}

/// A task that was handed out.
#[derive(Debug, Serialize, Deserialize)]
pub struct LeasedSaid {
    lease: String,
    kind: KindName,
    queue: QueueName,
    tenant: TenantName,
    payload: Box<RawValue>,
    headers: Vec<(String, String)>,
    traceparent: Option<String>,
    run: u32,
    attempt: u32,
    openings: u32,
    max_attempts: u32,
    timeout: Span,
    total_left: Option<u64>,
    created_at: Timestamp,
    ready_at: Timestamp,
    started_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// How long after the claim had come it was handed out, in milliseconds.
    after: u64,
    in_lane: bool,
}

impl LeasedSaid {
    /// Says it, in answer to a claim that had come at `came`; nothing if its payload is no JSON.
    pub fn of(leased: Leased, came: Instant) -> Option<Self> {
        let payload = RawValue::from_string(leased.payload.as_str().to_owned()).ok()?;
        Some(Self {
            lease: LeaseName(leased.lease).to_string(),
            kind: leased.kind,
            queue: leased.queue,
            tenant: leased.tenant,
            payload,
            headers: leased.headers,
            traceparent: leased.traceparent,
            run: leased.run,
            attempt: leased.attempt,
            openings: leased.openings,
            max_attempts: leased.max_attempts,
            timeout: leased.timeout,
            total_left: leased.total_left.map(millis),
            created_at: leased.created_at,
            ready_at: leased.ready_at,
            started_at: leased.started_at,
            expires_at: leased.expires_at,
            after: millis(leased.handed_out.saturating_duration_since(came)),
            in_lane: leased.in_lane,
        })
    }

    /// Returns what was said in answer to a claim that was sent at `asked`.
    pub fn into_leased(self, asked: Instant) -> Result<Leased, Garbled> {
        let LeaseName(lease) = self.lease.parse().map_err(|_| Garbled { what: "a lease" })?;
        Ok(Leased {
            lease,
            kind: self.kind,
            queue: self.queue,
            tenant: self.tenant,
            payload: Payload::from_json(Box::<str>::from(self.payload)),
            headers: self.headers,
            traceparent: self.traceparent,
            run: self.run,
            attempt: self.attempt,
            openings: self.openings,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            total_left: self.total_left.map(Duration::from_millis),
            created_at: self.created_at,
            ready_at: self.ready_at,
            started_at: self.started_at,
            expires_at: self.expires_at,
            // The claim came there after it was sent, so this is not too late.
            handed_out: asked + Duration::from_millis(self.after),
            isolated: false,
            in_lane: self.in_lane,
        })
    }
}

/// Tasks that were handed out.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClaimAnswer {
    /// They.
    pub tasks: Vec<LeasedSaid>,
}

/// Asks to hold on.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExtendSaid {
    lease: String,
    lasts: Option<u64>,
    progress: Option<Box<RawValue>>,
}

impl ExtendSaid {
    /// Says it.
    pub fn of(extend: Extend) -> Self {
        Self {
            lease: LeaseName(extend.lease).to_string(),
            lasts: extend.lasts.map(millis),
            progress: extend.progress.and_then(raw),
        }
    }

    /// Returns what was said.
    pub fn into_extend(self) -> Result<Extend, Garbled> {
        Ok(Extend {
            lease: lease(&self.lease)?,
            lasts: self.lasts.map(Duration::from_millis),
            progress: self.progress.map(payload),
        })
    }
}

/// Whether an opening is still held.
#[derive(Debug, Serialize, Deserialize)]
pub struct HeldSaid {
    held: bool,
    cancel: bool,
    expires_at: Option<Timestamp>,
}

impl From<LeaseState> for HeldSaid {
    fn from(state: LeaseState) -> Self {
        match state {
            LeaseState::Held { cancel_asked, expires_at } => {
                Self { held: true, cancel: cancel_asked, expires_at }
            }
            LeaseState::Lost => Self { held: false, cancel: false, expires_at: None },
        }
    }
}

impl From<HeldSaid> for LeaseState {
    fn from(said: HeldSaid) -> Self {
        match said {
            HeldSaid { held: true, cancel, expires_at } => {
                Self::Held { cancel_asked: cancel, expires_at }
            }
            HeldSaid { held: false, .. } => Self::Lost,
        }
    }
}

/// What becomes of a task.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
enum VerdictSaid {
    Complete,
    Retry { after: u64 },
    Bury { reason: String },
    Snooze { after: u64 },
    Discard { reason: String },
    Cancel,
    Release,
}

/// The end of an opening.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndSaid {
    lease: String,
    verdict: VerdictSaid,
    result: Option<Box<RawValue>>,
    error: Option<TaskError>,
}

impl EndSaid {
    /// Says it. What follows from an end of a worker is decided by the server.
    pub fn of(ending: Ending) -> Self {
        let verdict = match ending.verdict {
            Verdict::Complete => VerdictSaid::Complete,
            Verdict::Retry { after } => VerdictSaid::Retry { after: millis(after) },
            Verdict::Bury(why) => VerdictSaid::Bury { reason: why.as_str().to_owned() },
            Verdict::Snooze { after } => VerdictSaid::Snooze { after: millis(after) },
            Verdict::Discard(reason) => VerdictSaid::Discard { reason },
            Verdict::Cancel => VerdictSaid::Cancel,
            Verdict::Release => VerdictSaid::Release,
        };
        Self {
            lease: LeaseName(ending.lease).to_string(),
            verdict,
            result: ending.result.and_then(raw),
            error: ending.error,
        }
    }

    /// Returns what was said.
    pub fn into_ending(self) -> Result<Ending, Garbled> {
        let verdict = match self.verdict {
            VerdictSaid::Complete => Verdict::Complete,
            VerdictSaid::Retry { after } => Verdict::Retry { after: Duration::from_millis(after) },
            VerdictSaid::Bury { reason } => {
                let why = BuryReason::from_word(&reason);
                Verdict::Bury(why.ok_or(Garbled { what: "the reason of a burial" })?)
            }
            VerdictSaid::Snooze { after } => {
                Verdict::Snooze { after: Duration::from_millis(after) }
            }
            VerdictSaid::Discard { reason } => Verdict::Discard(reason),
            VerdictSaid::Cancel => Verdict::Cancel,
            VerdictSaid::Release => Verdict::Release,
        };
        Ok(Ending {
            lease: lease(&self.lease)?,
            verdict,
            result: self.result.map(payload),
            error: self.error,
            then: Vec::new(),
        })
    }
}

/// What became of an end.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecordedSaid {
    /// Where the task stands; nothing if the end came too late.
    state: Option<State>,
    at: Timestamp,
    next_at: Option<Timestamp>,
}

impl From<Recorded> for RecordedSaid {
    fn from(recorded: Recorded) -> Self {
        match recorded {
            Recorded::Applied { state, at, next_at, .. } => {
                Self { state: Some(state), at, next_at }
            }
            Recorded::Stale => Self { state: None, at: Timestamp::default(), next_at: None },
        }
    }
}

impl From<RecordedSaid> for Recorded {
    fn from(said: RecordedSaid) -> Self {
        match said.state {
            Some(state) => Self::Applied {
                state,
                at: said.at,
                next_at: said.next_at,
                then: Vec::new(),
                others: Vec::new(),
            },
            None => Self::Stale,
        }
    }
}

/// A worker says that it lives.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnnounceSaid {
    /// It.
    pub worker: Worker,
    /// What servers have to know of its kinds.
    pub kinds: Vec<KnownKind>,
    /// Without a word for so long, in milliseconds, it is lost.
    pub lasts: u64,
}

/// What a worker is told in answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnnounceAnswer {
    /// It is to take nothing new.
    pub drain: bool,
    /// What operators have set on queues.
    pub queues: BTreeMap<QueueName, QueueSettings>,
}

/// Returns whole milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn lease(text: &str) -> Result<longshore_core::store::LeaseRef, Garbled> {
    text.parse().map(|LeaseName(lease)| lease).map_err(|_| Garbled { what: "a lease" })
}

fn raw(payload: Payload) -> Option<Box<RawValue>> {
    RawValue::from_string(payload.as_str().to_owned()).ok()
}

fn payload(raw: Box<RawValue>) -> Payload {
    Payload::from_json(Box::<str>::from(raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::store::LeaseRef;
    use longshore_core::task::Seq;
    use longshore_core::{FaultClass, TaskId, Token};

    fn there_and_back<T: Serialize + serde::de::DeserializeOwned>(said: &T) -> T {
        serde_json::from_str(&serde_json::to_string(said).unwrap()).unwrap()
    }

    fn lease() -> LeaseRef {
        LeaseRef { id: TaskId::fresh(), seq: Seq(7), token: Token::new(3, 4) }
    }

    #[test]
    fn every_end_is_understood_as_it_was_meant() {
        let second = Duration::from_secs(1);
        for verdict in [
            Verdict::Complete,
            Verdict::Retry { after: second },
            Verdict::Bury(BuryReason::Exhausted),
            Verdict::Bury(BuryReason::BadData),
            Verdict::Snooze { after: second },
            Verdict::Discard("no use".into()),
            Verdict::Cancel,
            Verdict::Release,
        ] {
            let error = TaskError {
                class: FaultClass::Dependency,
                code: Some("db.1".into()),
                message: "down".into(),
                trace: None,
                at: Timestamp(5),
            };
            let result = Some(Payload::from_json(r#"{"n":1.000,"big":12345678901234567890123}"#));
            let ending =
                Ending { lease: lease(), verdict, result, error: Some(error), then: Vec::new() };
            let said = there_and_back(&EndSaid::of(ending.clone()));
            assert_eq!(said.into_ending(), Ok(ending));
        }
    }

    #[test]
    fn states_of_leases_and_ends_come_back() {
        let at = Some(Timestamp(9));
        for state in [LeaseState::Lost, LeaseState::Held { cancel_asked: true, expires_at: at }] {
            assert_eq!(LeaseState::from(there_and_back(&HeldSaid::from(state))), state);
        }
        let applied = Recorded::Applied {
            state: State::Retrying,
            at: Timestamp(1),
            next_at: at,
            then: Vec::new(),
            others: Vec::new(),
        };
        for recorded in [applied, Recorded::Stale] {
            let said = there_and_back(&RecordedSaid::from(recorded.clone()));
            assert_eq!(Recorded::from(said), recorded);
        }
    }

    #[test]
    fn what_is_garbled_is_said_so() {
        let end = r#"{"lease":"x","verdict":{"do":"complete"},"result":null,"error":null}"#;
        let end: EndSaid = serde_json::from_str(end).unwrap();
        assert_eq!(end.into_ending(), Err(Garbled { what: "a lease" }));
    }

    #[test]
    fn the_stricter_of_what_is_said_and_what_is_set_bounds_a_claim() {
        let said = |limit, rate: Option<&str>| Want {
            queue: QueueName::default(),
            tenant: None,
            kinds: [].into(),
            outside: [].into(),
            slots: 100,
            limit,
            rate: rate.map(|rate| rate.parse().unwrap()),
        };
        let bound = |want: &Want, set: &QueueSettings| {
            let mut said = there_and_back(&WantSaid::of(want));
            said.within(64, set);
            let want = said.into_want(TenantName::default());
            (want.slots, want.limit, want.rate.map(|rate| rate.to_string()))
        };
        let rate = Some("30/m".parse().unwrap());
        let set = QueueSettings { limit: Some(3), rate, ..QueueSettings::default() };
        let slow = Some("30/m".to_owned());
        assert_eq!(bound(&said(None, None), &set), (64, Some(3), slow.clone()));
        assert_eq!(bound(&said(Some(9), Some("1/s")), &set), (64, Some(3), slow));
        assert_eq!(bound(&said(Some(2), Some("1/h")), &set), (64, Some(2), Some("1/h".into())));
        let nothing = QueueSettings::default();
        assert_eq!(bound(&said(Some(2), Some("1/h")), &nothing).2, Some("1/h".to_owned()));
        assert_eq!(bound(&said(None, None), &nothing), (64, None, None));
    }
}
