//! When a lost connection is tried again, and where.
//!
//! [`Gate`] is pure: it says how long to wait and which endpoint is next. [`knock`] is the one loop around it that
//! every driver uses, on every way out of a connection; how a connection ended the driver tells with [`Gate::lost`] or
//! [`Gate::rested`].

use super::BrokerError;
use super::error::BrokerClass;
use std::time::Duration;

/// How a connection is tried again: at once, then after 1 s, 2 s, 4 s … 60 s, each with full jitter, without end. Where
/// connections are made but do not [last](Gate::LASTS), each but the first of every endpoint waits as after one or two tries
/// that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// The first pause; each is twice the one before.
    pub first: Duration,
    /// The longest.
    pub cap: Duration,
    /// Gives up after so many tries in a row; nothing: never.
    pub most: Option<u32>,
    /// An endpoint that has failed so often in a row, or kept no connection, is passed over while another one has not.
    pub unavailable_after: u32,
}

impl Default for Reconnect {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { first: secs(1), cap: secs(60), most: None, unavailable_after: 3 }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// Wait for so long, then try this endpoint. While the pause is longer than a second, a probe each second that
    /// finds somebody listening ends it.
    After {
        /// How long to wait.
        pause: Duration,
        /// Which endpoint, by its place in the list.
        endpoint: usize,
    },
    /// No more tries: somebody has to act.
    GiveUp,
}

/// Counts failures, and says what to do next.
#[derive(Debug, Clone)]
pub struct Gate {
    policy: Reconnect,
    /// Failures in a row, by endpoint.
    failures: Vec<u32>,
    /// Failures in a row.
    tries: u32,
    /// Connections that did not last since one did, by endpoint.
    brief: Vec<u32>,
    last: Option<usize>,
}

impl Gate {
    /// A connection that was lost sooner has not lasted: whoever takes all of them and ends them is not stormed.
    pub const LASTS: Duration = Duration::from_secs(5);
    /// Short connections in a row count for so many failed tries of each endpoint at most: somebody listens.
    const BRIEF: u32 = 2;

    /// Makes a gate for so many endpoints.
    pub fn new(policy: Reconnect, endpoints: usize) -> Self {
        let none = vec![0; endpoints.max(1)];
        Self { policy, failures: none.clone(), tries: 0, brief: none, last: None }
    }

    /// Returns how many tries have failed in a row.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// Says what to do next. `entropy` is from 0 to 1: full jitter.
    pub fn next(&mut self, entropy: f64) -> Try {
        if self.policy.most.is_some_and(|most| self.tries >= most) {
            return Try::GiveUp;
        }
        let endpoint = self.choose();
        self.last = Some(endpoint);
        // All endpoints once before the first pause: another one may well answer.
        let endpoints = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
        // The first that does not last is made again at once, as any other.
        let brief = self.brief.iter().sum::<u32>().saturating_sub(1) / endpoints;
        let rounds = (self.tries / endpoints).max(brief.min(Self::BRIEF));
        if rounds == 0 {
            return Try::After { pause: Duration::ZERO, endpoint };
        }
        let doubled = self.policy.first.saturating_mul(1 << (rounds - 1).min(16));
        let pause = doubled.min(self.policy.cap).mul_f64(entropy.clamp(0.0, 1.0));
        Try::After { pause, endpoint }
    }

    /// The one after the last, unless it has failed too often and another one has not.
    fn choose(&self) -> usize {
        let count = self.failures.len();
        let start = self.last.map_or(0, |last| (last + 1) % count);
        let order = || (0..count).map(|step| (start + step) % count);
        let is_available = |at: &usize| !self.is_unavailable(*at);
        order().find(is_available).unwrap_or(start)
    }

    /// The last try has failed.
    pub fn failed(&mut self) {
        self.tries = self.tries.saturating_add(1);
        if let Some(last) = self.last {
            self.failures[last] = self.failures[last].saturating_add(1);
        }
    }

    /// The last try has succeeded: its endpoint is the first to be tried next time.
    pub fn succeeded(&mut self) {
        self.tries = 0;
        if let Some(last) = self.last {
            self.failures[last] = 0;
            self.last = last.checked_sub(1).or(Some(self.failures.len() - 1));
        }
    }

    /// The connection that was made last is lost, after so long.
    pub fn lost(&mut self, after: Duration) {
        if after >= Self::LASTS {
            return self.rested();
        }
        // Another endpoint may keep what it takes.
        if let Some(before) = self.last {
            let endpoint = (before + 1) % self.failures.len();
            self.last = Some(endpoint);
            self.brief[endpoint] = self.brief[endpoint].saturating_add(1);
        }
    }

    /// The connection that was made last has ended because nobody needed it.
    pub fn rested(&mut self) {
        self.brief.fill(0);
    }

    /// Returns whether an endpoint counts as unavailable.
    pub fn is_unavailable(&self, endpoint: usize) -> bool {
        let most = self.policy.unavailable_after;
        [&self.failures, &self.brief]
            .iter()
            .any(|counts| counts.get(endpoint).is_some_and(|count| *count >= most))
    }
}

/// What a driver offers to [`knock`].
#[async_trait::async_trait]
pub trait Door: Send + Sync {
    /// A connection that can be used.
    type Link: Send;

    /// Connects to an endpoint, with a deadline of its own.
    async fn connect(&self, endpoint: usize) -> Result<Self::Link, BrokerError>;

    /// Returns whether somebody listens there; takes less than a second.
    async fn probe(&self, endpoint: usize) -> bool;

    /// Waits.
    async fn pause(&self, time: Duration);

    /// Hears that a try has failed, and how many have in a row.
    fn failed(&self, endpoint: usize, tries: u32, error: &BrokerError);
}

/// Tries until there is a connection; fails with the last error once it has given up, or at once if the broker was closed.
/// Dropping it stops it anywhere.
pub async fn knock<D: Door>(
    gate: &mut Gate,
    door: &D,
    mut entropy: impl FnMut() -> f64,
) -> Result<D::Link, BrokerError> {
    let mut last = BrokerError::Unavailable { why: "never tried".to_owned() };
    loop {
        let Try::After { pause, endpoint } = gate.next(entropy()) else { return Err(last) };
        // Who was refused hears nothing new by finding the port open.
        let probes = last.class() == BrokerClass::Temporary;
        wait(door, pause, endpoint, probes).await;
        match door.connect(endpoint).await {
            Ok(link) => {
                gate.succeeded();
                return Ok(link);
            }
            Err(error) if error.class() == BrokerClass::Final => return Err(error),
            Err(error) => {
                gate.failed();
                door.failed(endpoint, gate.tries(), &error);
                last = error;
            }
        }
    }
}

/// Between two probes.
const PROBE: Duration = Duration::from_secs(1);

async fn wait<D: Door>(door: &D, mut pause: Duration, endpoint: usize, probes: bool) {
    while probes && pause > PROBE {
        door.pause(PROBE).await;
        pause -= PROBE;
        if door.probe(endpoint).await {
            return;
        }
    }
    door.pause(pause).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn pause(gate: &mut Gate) -> (Duration, usize) {
        match gate.next(1.0) {
            Try::After { pause, endpoint } => (pause, endpoint),
            Try::GiveUp => panic!("gave up"),
        }
    }

    #[test]
    fn the_first_try_is_at_once_then_pauses_double_up_to_a_minute() {
        let mut gate = Gate::new(Reconnect::default(), 1);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            pauses.push(pause(&mut gate).0.as_secs());
            gate.failed();
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        gate.succeeded();
        assert_eq!(pause(&mut gate).0, Duration::ZERO);
    }

    #[test]
    fn jitter_is_full() {
        let mut gate = Gate::new(Reconnect::default(), 1);
        gate.next(0.0);
        gate.failed();
        assert_eq!(gate.clone().next(0.0), Try::After { pause: Duration::ZERO, endpoint: 0 });
        let half = Duration::from_millis(500);
        assert_eq!(gate.next(0.5), Try::After { pause: half, endpoint: 0 });
    }

    #[test]
    fn endpoints_take_turns_and_one_that_fails_is_passed_over() {
        let mut gate = Gate::new(Reconnect { unavailable_after: 2, ..Reconnect::default() }, 2);
        let mut tried = Vec::new();
        for _ in 0..3 {
            tried.push(pause(&mut gate).1);
            gate.failed();
        }
        assert_eq!(tried, [0, 1, 0]);
        assert!(gate.is_unavailable(0) && !gate.is_unavailable(1));
        assert_eq!(pause(&mut gate).1, 1);
        gate.succeeded();
        assert_eq!(pause(&mut gate).1, 1, "the one that worked is first");
        gate.failed();
        gate.failed();
        assert_eq!(pause(&mut gate).1, 0, "when all fail, all are tried");
    }

    fn brief(gate: &mut Gate) -> (Duration, usize) {
        let next = pause(gate);
        gate.succeeded();
        gate.lost(Gate::LASTS / 2);
        next
    }

    #[test]
    fn connections_that_do_not_last_are_made_again_after_a_pause() {
        let ends: [fn(&mut Gate); 2] = [Gate::rested, |gate| gate.lost(Gate::LASTS)];
        for end in ends {
            let mut gate = Gate::new(Reconnect::default(), 1);
            let pauses: Vec<_> = (0..20).map(|_| brief(&mut gate).0.as_secs()).collect();
            assert_eq!(pauses[..4], [0, 0, 1, 2]);
            assert!(pauses[4..].iter().all(|pause| *pause == 2), "{pauses:?}");
            pause(&mut gate);
            gate.succeeded();
            end(&mut gate);
            brief(&mut gate);
            assert_eq!(pause(&mut gate).0, Duration::ZERO);
        }
    }

    #[test]
    fn connections_that_do_not_last_are_made_elsewhere() {
        let mut gate = Gate::new(Reconnect::default(), 2);
        let tried: Vec<_> = (0..5).map(|_| brief(&mut gate)).collect();
        let pauses: Vec<_> = tried.iter().map(|(pause, _)| pause.as_secs()).collect();
        assert_eq!(pauses, [0, 0, 0, 1, 1]);
        let endpoints: Vec<_> = tried.iter().map(|(_, endpoint)| *endpoint).collect();
        assert_eq!(endpoints, [0, 1, 0, 1, 0]);
    }

    #[test]
    fn an_endpoint_that_is_back_is_found_while_another_one_keeps_nothing() {
        let mut gate = Gate::new(Reconnect::default(), 2);
        for _ in 0..7 {
            pause(&mut gate);
            gate.failed();
        }
        assert!(gate.is_unavailable(0));
        let mut endpoints = (0..9).map(|_| brief(&mut gate).1);
        assert!(endpoints.any(|endpoint| endpoint == 0));
    }

    #[test]
    fn it_gives_up_only_where_told_to() {
        let mut gate = Gate::new(Reconnect { most: Some(2), ..Reconnect::default() }, 1);
        for _ in 0..2 {
            assert_ne!(gate.next(1.0), Try::GiveUp);
            gate.failed();
        }
        assert_eq!(gate.next(1.0), Try::GiveUp);
    }

    /// A broker that comes up while somebody waits.
    #[derive(Default)]
    struct Back {
        waited: Mutex<Duration>,
        up_after: Duration,
        refuses: bool,
    }

    #[async_trait::async_trait]
    impl Door for Back {
        type Link = ();
        async fn connect(&self, _endpoint: usize) -> Result<(), BrokerError> {
            let is_up = *self.waited.lock().unwrap() >= self.up_after;
            match (is_up, self.refuses) {
                (true, _) => Ok(()),
                (false, true) => Err(BrokerError::Refused { why: "no rights".to_owned() }),
                (false, false) => Err(BrokerError::Unavailable { why: "away".to_owned() }),
            }
        }
        async fn probe(&self, _endpoint: usize) -> bool {
            self.refuses || *self.waited.lock().unwrap() >= self.up_after
        }
        async fn pause(&self, time: Duration) {
            *self.waited.lock().unwrap() += time;
        }
        fn failed(&self, _endpoint: usize, _tries: u32, _error: &BrokerError) {}
    }

    fn run<F: Future>(future: F) -> F::Output {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let mut future = std::pin::pin!(future);
        loop {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return value;
            }
        }
    }

    #[test]
    fn a_probe_opens_the_gate_early() {
        let back = Back { up_after: Duration::from_secs(40), ..Back::default() };
        run(knock(&mut Gate::new(Reconnect::default(), 1), &back, || 1.0)).unwrap();
        assert_eq!(*back.waited.lock().unwrap(), Duration::from_secs(40), "not 63");
    }

    #[test]
    fn whoever_is_refused_waits_his_time() {
        let back = Back { up_after: Duration::from_secs(40), refuses: true, ..Back::default() };
        run(knock(&mut Gate::new(Reconnect::default(), 1), &back, || 1.0)).unwrap();
        assert_eq!(
            *back.waited.lock().unwrap(),
            Duration::from_secs(63),
            "1 + 2 + 4 + 8 + 16 + 32"
        );
    }
}
