//! A group as the writer remembers it: all but who holds what can be read again from the file.

use super::hand::Hand;
use super::route::Binding;
use super::route::Route;
use super::{GroupId, Position, held};
use longshore_core::Timestamp;
use longshore_core::broker::GroupName;
use rusqlite::{Connection, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The columns that [`Group::read`] reads.
pub(super) const COLUMNS: &str =
    "id, name, patterns, single_active, dead, breaker, temporary, cursor, ready, held";

/// Of `ready`: it has to be counted anew.
pub(super) const UNCOUNTED: i64 = -1;

/// One hand-out that is not settled.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// How often it was handed out.
    pub(super) count: u32,
    /// It is a later attempt, and has a row of its own.
    pub(super) is_retry: bool,
    /// Who has it; nobody: it waits to be handed out again.
    pub(super) holder: Option<Holder>,
}

#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub(super) hand: Arc<Hand>,
    pub(super) token: u64,
    /// Where it came from, if others get it too.
    pub(super) shared: Option<Arc<Route>>,
}

/// What a group is, where it stands, and who receives from it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) name: GroupName,
    pub(super) bindings: Vec<Binding>,
    pub(super) single_active: bool,
    pub(super) dead: Option<GroupName>,
    pub(super) breaker: u32,
    /// It goes with its subscription.
    pub(super) temporary: bool,
    /// Its subscription has gone: what it still has is to be removed.
    pub(super) gone: bool,
    /// Everything up to here was handed out, or is not for this group.
    pub(super) cursor: Position,
    /// How many behind the cursor are for it.
    pub(super) ready: i64,
    /// The row in the file is not as this is.
    pub(super) dirty: bool,
    held: BTreeMap<Position, Held>,
    /// Those of `held` that nobody has.
    returned: BTreeSet<Position>,
    /// Later attempts, waiting or handed out.
    pub(super) retries: i64,
    /// When the next of them is due.
    pub(super) next_due: i64,
    pub(super) hands: Vec<Arc<Hand>>,
    /// Whose turn it is.
    pub(super) turn: usize,
}

impl Group {
    /// Reads one from its row.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let broken = |what: &str| rusqlite::Error::InvalidColumnName(what.to_owned());
        let name = |text: &str| GroupName::new(text).map_err(|_| broken("name"));
        let dead: Option<String> = row.get(4)?;
        let mut group = Self {
            id: row.get(0)?,
            name: name(row.get_ref(1)?.as_str()?)?,
            bindings: unpack(row.get_ref(2)?.as_str()?).ok_or_else(|| broken("patterns"))?,
            single_active: row.get(3)?,
            dead: dead.as_deref().map(name).transpose()?,
            breaker: row.get(5)?,
            temporary: row.get(6)?,
            gone: false,
            cursor: row.get(7)?,
            ready: row.get(8)?,
            dirty: false,
            held: BTreeMap::new(),
            returned: BTreeSet::new(),
            retries: 0,
            next_due: i64::MAX,
            hands: Vec::new(),
            turn: 0,
        };
        match held::unpack(row.get_ref(9)?.as_blob()?) {
            Some(held) => held.into_iter().for_each(|(position, count)| {
                group.put(position, Some(Held { count, is_retry: false, holder: None }));
            }),
            None => {
                // All that is in the log is wanted by somebody: so nothing is lost, and something may come twice.
                tracing::error!(group = %group.name, "what a group held is damaged: it is handed out what is there once more");
                (group.cursor, group.ready) = (0, UNCOUNTED);
            }
        }
        group.dirty = false;
        Ok(group)
    }

    /// Reads which later attempts there are. One that was handed out has no time to wait for.
    pub(super) fn load_retries(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut select = db.prepare_cached("SELECT position, due FROM retries WHERE grp = ?1")?;
        let mut rows = select.query([self.id])?;
        while let Some(row) = rows.next()? {
            let (position, due): (Position, Option<i64>) = (row.get(0)?, row.get(1)?);
            self.retries += 1;
            match (due, self.held.get_mut(&position)) {
                (Some(due), _) => self.next_due = self.next_due.min(due),
                (None, Some(held)) => held.is_retry = true,
                (None, None) => {
                    self.put(position, Some(Held { count: 0, is_retry: true, holder: None }));
                }
            }
        }
        Ok(())
    }

    /// Changes who has a position, and returns what was before.
    pub(super) fn put(&mut self, position: Position, held: Option<Held>) -> Option<Held> {
        if let Some(holder) = held.as_ref().and_then(|held| held.holder.as_ref()) {
            holder.hand.count(1);
            self.returned.remove(&position);
        } else if held.is_some() {
            self.returned.insert(position);
        } else {
            self.returned.remove(&position);
        }
        let before = match held {
            Some(held) => self.held.insert(position, held),
            None => self.held.remove(&position),
        };
        if let Some(holder) = before.as_ref().and_then(|held| held.holder.as_ref()) {
            holder.hand.count(-1);
        }
        self.dirty = true;
        before
    }

    /// Returns a hand-out, if it is the one that the token names.
    pub(super) fn held(&self, position: Position, token: u64) -> Option<&Held> {
        let held = self.held.get(&position)?;
        held.holder.as_ref().filter(|holder| holder.token == token).map(|_| held)
    }

    pub(super) fn find(&self, position: Position) -> Option<&Held> {
        self.held.get(&position)
    }

    pub(super) fn all_held(&self) -> impl Iterator<Item = (Position, &Held)> {
        self.held.iter().map(|(position, held)| (*position, held))
    }

    /// Returns what waits to be handed out again, in order.
    pub(super) fn returned(&self) -> &BTreeSet<Position> {
        &self.returned
    }

    /// Returns whether nothing of it is anywhere.
    pub(super) fn is_idle(&self) -> bool {
        self.ready <= 0 && self.held.is_empty() && self.retries == 0
    }

    /// Gives back what somebody has; `counts` unless he never saw it.
    pub(super) fn take_back(&mut self, position: Position, counts: bool) {
        if let Some(held) = self.held.get(&position) {
            let count = held.count - u32::from(!counts && held.count > 0);
            let held = Held { count, is_retry: held.is_retry, holder: None };
            self.put(position, Some(held));
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.held.len() - self.returned.len()
    }

    /// Lets subscriptions go that have ended: what they had waits again.
    pub(super) fn let_go(&mut self) {
        let ended = |hand: &Arc<Hand>| hand.has_ended();
        if !self.hands.iter().any(ended) {
            return;
        }
        let has_ended =
            |held: &Held| held.holder.as_ref().is_some_and(|holder| ended(&holder.hand));
        let left = self.held.iter().filter(|(_, held)| has_ended(held));
        let left: Vec<Position> = left.map(|(position, _)| *position).collect();
        left.into_iter().for_each(|position| self.take_back(position, true));
        self.hands.retain(|hand| !ended(hand));
        self.gone = self.temporary && self.hands.is_empty();
    }

    /// Returns whether something could be handed out.
    pub(super) fn has_something(&self, now: Timestamp) -> bool {
        self.ready > 0 || !self.returned.is_empty() || self.next_due <= now.0
    }

    /// Returns how much may be handed out now.
    pub(super) fn room(&self) -> usize {
        let rooms = self.active().iter().map(|hand| hand.room());
        rooms.fold(0, usize::saturating_add)
    }

    /// Returns whose turn it is.
    pub(super) fn next_hand(&mut self) -> Option<Arc<Hand>> {
        let hands = self.active();
        let turns = (0..hands.len()).map(|step| (self.turn + step) % hands.len());
        let place = turns.into_iter().find(|place| hands[*place].room() > 0)?;
        let hand = hands[place].clone();
        self.turn = place + 1;
        Some(hand)
    }

    /// Those who may be handed something: of a group with a single one, the first that wants anything.
    fn active(&self) -> &[Arc<Hand>] {
        if !self.single_active {
            return &self.hands;
        }
        match self.hands.iter().position(|hand| hand.is_open()) {
            Some(first) => &self.hands[first..=first],
            None => &[],
        }
    }

    /// Takes over what only the memory knows.
    pub(super) fn inherit(&mut self, before: Self) {
        self.held = before.held;
        self.returned = before.returned;
        self.hands = before.hands;
        (self.gone, self.turn) = (before.gone, before.turn);
    }

    /// Returns what the file keeps of its hand-outs.
    pub(super) fn packed(&self) -> Vec<u8> {
        held::pack(self.held.iter().map(|(position, held)| (*position, held.count)))
    }
}

/// Writes bindings as JSON.
pub(super) fn pack(bindings: &[Binding]) -> Result<String, serde_json::Error> {
    let rows: Vec<(&str, Position, Position)> =
        bindings.iter().map(|one| (one.pattern.as_str(), one.since, one.until)).collect();
    serde_json::to_string(&rows)
}

fn unpack(text: &str) -> Option<Vec<Binding>> {
    let rows: Vec<(String, Position, Position)> = serde_json::from_str(text).ok()?;
    let binding = |(pattern, since, until): (String, _, _)| {
        let pattern = longshore_core::broker::Pattern::new(&pattern).ok()?;
        Some(Binding { pattern, since, until })
    };
    rows.into_iter().map(binding).collect()
}
