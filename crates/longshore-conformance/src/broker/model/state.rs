//! What is where.

use longshore_core::broker::{
    Dead, Envelope, Group, GroupName, LinkState, Origin, Outgoing, Pattern, PublishError, Receipt,
    Settled, Settlement, To, TopicName, Topology, TopologyDiff, What,
};
use longshore_core::{Clock, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Something that waits in a group.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) envelope: Envelope,
    pub(super) topic: Option<TopicName>,
    pub(super) redelivered: bool,
    pub(super) hand_outs: u32,
}

/// A group over there.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) spec: Group,
    pub(super) ready: VecDeque<Item>,
    /// Waits for a time of the monotonic clock.
    pub(super) delayed: Vec<(Duration, Item)>,
    /// In the order in which they came.
    pub(super) subscriptions: Vec<u64>,
    /// Goes with its subscription.
    pub(super) is_own: bool,
}

/// What is with somebody.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) subscription: u64,
    pub(super) group: GroupName,
    pub(super) item: Item,
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) group: GroupName,
    pub(super) prefetch: usize,
    pub(super) paused: bool,
    pub(super) deaf: bool,
    pub(super) connection: u64,
}

/// Everything.
#[derive(Debug)]
pub(super) struct State {
    pub(super) groups: BTreeMap<GroupName, Held>,
    pub(super) declared: Topology,
    pub(super) lent: BTreeMap<u64, Lent>,
    pub(super) subscribers: BTreeMap<u64, Subscriber>,
    pub(super) remade: Vec<GroupName>,
    pub(super) next: u64,
    /// Connections that were closed.
    pub(super) closed: BTreeSet<u64>,
    pub(super) epoch: u64,
    pub(super) stale: u64,
    pub(super) reconnects: u64,
    pub(super) link: LinkState,
    pub(super) since: Instant,
    pub(super) blocked: Option<String>,
}

pub(super) const SERVER: &str = "the model";
pub(super) const MAX_PAYLOAD: usize = 1024 * 1024;

impl State {
    pub(super) fn new() -> Self {
        Self {
            groups: BTreeMap::new(),
            declared: Topology::default(),
            lent: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            remade: Vec::new(),
            next: 0,
            closed: BTreeSet::new(),
            epoch: 1,
            stale: 0,
            reconnects: 0,
            link: LinkState::Up { server: SERVER.to_owned() },
            since: Instant::now(),
            blocked: None,
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Makes what was declared and is not there.
    pub(super) fn make(&mut self, create: bool) -> TopologyDiff {
        let mut diff = TopologyDiff::default();
        for spec in self.declared.groups.clone() {
            let dead = spec.dead.clone().map(|name| Group { dead: None, ..Group::new(name) });
            for spec in [Some(spec), dead].into_iter().flatten() {
                match self.groups.get_mut(&spec.name) {
                    Some(there) if there.spec.patterns != spec.patterns && create => {
                        let known = &there.spec.patterns;
                        let new = spec.patterns.iter().filter(|pattern| !known.contains(pattern));
                        diff.missing.extend(new.map(|new| format!("{new} of {}", spec.name)));
                        there.spec = spec;
                    }
                    Some(_) => {}
                    None => {
                        diff.missing.push(format!("group {}", spec.name));
                        if create {
                            self.add(spec, false);
                        }
                    }
                }
            }
        }
        diff
    }

    pub(super) fn add(&mut self, spec: Group, is_own: bool) {
        let (ready, delayed, subscriptions) = (VecDeque::new(), Vec::new(), Vec::new());
        self.groups.insert(spec.name.clone(), Held { spec, ready, delayed, subscriptions, is_own });
    }

    pub(super) fn publish(&mut self, outgoing: Outgoing) -> Result<Receipt, PublishError> {
        let Outgoing { to, envelope } = outgoing;
        if envelope.payload.len() > MAX_PAYLOAD {
            let size = envelope.payload.len();
            return Err(PublishError::TooLarge { size, limit: MAX_PAYLOAD });
        }
        let topic = match &to {
            To::Topic(topic) => Some(topic.clone()),
            To::Group(_) => None,
        };
        let gets = |held: &&mut Held| match &to {
            To::Topic(topic) => held.spec.patterns.iter().any(|pattern| pattern.matches(topic)),
            To::Group(group) => held.spec.name == *group,
        };
        let mut taken = false;
        for held in self.groups.values_mut().filter(gets) {
            let item = Item {
                envelope: envelope.clone(),
                topic: topic.clone(),
                redelivered: false,
                hand_outs: 0,
            };
            held.ready.push_back(item);
            taken = true;
        }
        if taken { Ok(Receipt) } else { Err(PublishError::Unroutable { to }) }
    }

    pub(super) fn subscribe(
        &mut self,
        what: &What,
        prefetch: usize,
        connection: u64,
    ) -> Option<u64> {
        let number = self.number();
        let group = match what {
            What::Group(group) => group.clone(),
            What::All(patterns) => self.own(number, patterns),
        };
        let held = self.groups.get_mut(&group)?;
        held.subscriptions.push(number);
        self.subscribers
            .insert(number, Subscriber { group, prefetch, paused: false, deaf: false, connection });
        Some(number)
    }

    fn own(&mut self, number: u64, patterns: &[Pattern]) -> GroupName {
        let name = GroupName::new(&format!("own.{number}")).expect("a name");
        let group = Group { patterns: patterns.to_vec(), dead: None, ..Group::new(name.clone()) };
        self.add(group, true);
        name
    }

    /// The subscription is gone, and leaves what it has not settled to others.
    pub(super) fn leave(&mut self, number: u64) {
        let Some(gone) = self.subscribers.remove(&number) else { return };
        self.take_back(|lent| lent.subscription == number);
        if let Some(held) = self.groups.get_mut(&gone.group) {
            held.subscriptions.retain(|there| *there != number);
            if held.is_own {
                self.groups.remove(&gone.group);
            }
        }
    }

    /// A connection is closed, and its subscriptions with it; returns how much they had not settled.
    pub(super) fn close(&mut self, connection: u64) -> u64 {
        self.closed.insert(connection);
        let of = |one: &(&u64, &Subscriber)| one.1.connection == connection;
        let gone: Vec<u64> =
            self.subscribers.iter().filter(of).map(|(number, _)| *number).collect();
        let lent = self.lent.values().filter(|lent| gone.contains(&lent.subscription)).count();
        gone.into_iter().for_each(|number| self.leave(number));
        lent as u64
    }

    /// Everything that is with somebody of these waits again, in its old order, before what came later.
    pub(super) fn take_back(&mut self, which: impl Fn(&Lent) -> bool) {
        let numbers = self.lent.iter().filter(|(_, lent)| which(lent)).map(|(number, _)| *number);
        let numbers: Vec<u64> = numbers.collect();
        for number in numbers.into_iter().rev() {
            let Some(lent) = self.lent.remove(&number) else { continue };
            self.put_back(lent);
        }
    }

    fn put_back(&mut self, lent: Lent) {
        if let Some(held) = self.groups.get_mut(&lent.group) {
            held.ready.push_front(Item { redelivered: true, ..lent.item });
        }
    }

    /// Hands out to a subscription: numbers and items.
    pub(super) fn hand_out(
        &mut self,
        number: u64,
        most: usize,
        tick: Duration,
    ) -> Vec<(u64, Item)> {
        let away = !(self.link.is_up() || self.blocked.is_some());
        let Some(subscriber) = self.subscribers.get(&number) else { return Vec::new() };
        let (group, prefetch) = (subscriber.group.clone(), subscriber.prefetch);
        let lent = self.lent.values().filter(|lent| lent.subscription == number).count();
        let room = most.min(prefetch.saturating_sub(lent));
        let is_paused = |number: &u64| self.subscribers.get(number).is_some_and(|one| one.paused);
        let is_shut = subscriber.paused
            || subscriber.deaf
            || away
            || self.closed.contains(&subscriber.connection);
        let Some(held) = self.groups.get_mut(&group) else { return Vec::new() };
        let due = held.delayed.extract_if(.., |(at, _)| *at <= tick);
        held.ready.extend(due.map(|(_, item)| item).collect::<Vec<_>>());
        let first = held.subscriptions.iter().find(|there| !is_paused(there));
        if is_shut || held.spec.single_active && first != Some(&number) {
            return Vec::new();
        }
        let taken: Vec<Item> = held.ready.drain(..room.min(held.ready.len())).collect();
        let lend = |mut item: Item| {
            item.hand_outs += 1;
            let lent = self.number();
            let (group, subscription) = (group.clone(), number);
            self.lent.insert(lent, Lent { subscription, group, item: item.clone() });
            (lent, item)
        };
        taken.into_iter().map(lend).collect()
    }

    /// Settles what was lent, unless it was taken back.
    pub(super) fn settle(
        &mut self,
        number: u64,
        envelope: Envelope,
        origin: &Origin,
        how: Settlement,
        clock: &dyn Clock,
    ) -> Result<Settled, String> {
        let Some(lent) = self.lent.remove(&number) else {
            self.stale += 1;
            return Ok(Settled::Stale);
        };
        match how {
            Settlement::Ack | Settlement::Discard => {}
            Settlement::Release => self.put_back(lent),
            Settlement::Retry { after } => {
                let envelope = envelope.next_attempt(origin);
                let item = Item { envelope, redelivered: false, ..lent.item };
                if let Some(held) = self.groups.get_mut(&lent.group) {
                    held.delayed.push((clock.monotonic() + after, item));
                }
            }
            Settlement::Dead(dead) => {
                if let Err(why) = self.bury(&lent, envelope, origin, &dead, clock.now()) {
                    self.lent.insert(number, lent);
                    self.take_back_one(number);
                    return Err(why);
                }
            }
        }
        Ok(Settled::Done)
    }

    pub(super) fn take_back_one(&mut self, number: u64) {
        if let Some(lent) = self.lent.remove(&number) {
            self.put_back(lent);
        }
    }

    fn bury(
        &mut self,
        lent: &Lent,
        envelope: Envelope,
        origin: &Origin,
        dead: &Dead,
        now: Timestamp,
    ) -> Result<(), String> {
        let group = self.groups.get(&lent.group).and_then(|held| held.spec.dead.clone());
        let group = group.ok_or("the group has no dead letters")?;
        let letter = envelope.dead_letter(origin, dead, now);
        let held = self.groups.get_mut(&group).ok_or("its dead letters' group is not there")?;
        let (redelivered, hand_outs) = (false, 0);
        let topic = lent.item.topic.clone();
        held.ready.push_back(Item { envelope: letter, topic, redelivered, hand_outs });
        Ok(())
    }
}
