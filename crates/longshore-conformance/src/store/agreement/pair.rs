//! The model and the store that is compared with it, on one clock.

use super::super::bench::Bench;
use super::operation::{Beat, End, Operation};
use super::view::{self, Tokens};
use crate::ModelStore;
use longshore_core::attempt::Attempt;
use longshore_core::store::{
    Count, Ending, Extend, Filter, LeaseRef, Leased, Marked, Moved, Opened, Retention, Schedule,
    Store,
};
use longshore_core::{Task, TaskId, Timestamp, Valid};
use std::sync::Arc;

/// Two stores that should agree.
pub(super) struct Pair {
    reference: Arc<ModelStore>,
    bench: Bench,
    model: Side,
    real: Side,
    /// Ids that were ever accepted.
    ids: Vec<TaskId>,
}

/// What is known of one of the two.
struct Side {
    store: Arc<dyn Store>,
    tokens: Tokens,
    /// All openings, as this side names them.
    leases: Vec<LeaseRef>,
}

type Compared = Result<(), String>;

/// Compares two answers.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, (model, real): (T, T)) -> Compared {
    if model == real {
        return Ok(());
    }
    Err(format!("{what} differs\nmodel: {model:#?}\nstore: {real:#?}"))
}

/// Asks both sides the same, one after the other.
macro_rules! both {
    ($pair:ident, $side:ident => $ask:expr) => {{
        let $side = &mut $pair.model;
        let model = $ask;
        let $side = &mut $pair.real;
        (model, $ask)
    }};
}

impl Side {
    fn new(store: Arc<dyn Store>) -> Self {
        Self { store, tokens: Tokens::default(), leases: Vec::new() }
    }

    fn lease(&self, opening: usize) -> Option<LeaseRef> {
        self.leases.get(opening).copied()
    }

    /// Learns an opening, and shows it without what the store may choose.
    fn learn(&mut self, leased: &Leased) -> Compared {
        self.leases.push(leased.lease);
        self.tokens.learn(leased.lease.token)
    }

    fn beats(&self, beats: &[Beat]) -> Vec<Extend> {
        let extend = |beat: &Beat| {
            let (lasts, progress) = (beat.lasts, beat.progress.clone());
            self.lease(beat.opening).map(|lease| Extend { lease, lasts, progress })
        };
        beats.iter().filter_map(extend).collect()
    }

    fn ends(&self, ends: &[End]) -> Vec<Ending> {
        let ending = |end: &End| {
            Some(Ending {
                lease: self.lease(end.opening)?,
                verdict: end.verdict.clone(),
                result: end.result.clone(),
                error: end.error(),
                then: end.then.iter().cloned().map(Valid::vouch).collect(),
            })
        };
        ends.iter().filter_map(ending).collect()
    }

    /// Walks all pages.
    async fn list(&self, filter: Filter) -> Vec<Task> {
        let mut tasks = Vec::new();
        let mut before = None;
        loop {
            let filter = Filter { before, ..filter.clone() };
            let page = self.store.page(filter).await.expect("page answers");
            tasks.extend(page.items);
            before = page.next;
            if before.is_none() {
                return tasks;
            }
        }
    }

    /// The version that a schedule is written over: that which is there, or another one.
    async fn version(&self, schedule: &Schedule, as_read: bool) -> Option<u64> {
        let all = self.store.schedules(None).await.expect("schedules answers");
        let there = all.iter().find(|there| there.id == schedule.id).map(|there| there.version);
        if as_read { there } else { Some(there.unwrap_or(0) + 1) }
    }

    async fn counters(&self) -> Vec<Count> {
        let mut counters = self.store.counters().await.expect("counters answer");
        counters.sort();
        counters
    }

    async fn read(&self, task: &Task) -> (Option<Task>, Option<Vec<Attempt>>) {
        let (tenant, id) = (task.tenant.clone(), task.id);
        let read = self.store.get(tenant.clone(), id).await.expect("get answers");
        let attempts = self.store.attempts(tenant, id).await.expect("attempts answers");
        let attempts = attempts
            .map(|rows| rows.into_iter().map(|attempt| self.tokens.attempt(attempt)).collect());
        (read.map(|task| self.tokens.task(task)), attempts)
    }
}

impl Pair {
    /// Puts a fresh model beside the store on the bench.
    pub(super) fn new(bench: Bench) -> Self {
        let reference = Arc::new(ModelStore::new(bench.clock()));
        let model = Side::new(Arc::clone(&reference) as _);
        let real = Side::new(bench.store());
        Self { reference, bench, model, real, ids: Vec::new() }
    }

    pub(super) fn ids(&self) -> &[TaskId] {
        &self.ids
    }

    pub(super) fn openings(&self) -> usize {
        self.model.leases.len()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.bench.now()
    }

    /// Does an operation to both and compares the answers.
    pub(super) async fn apply(&mut self, operation: Operation) -> Compared {
        match operation {
            Operation::Accept(tasks) => {
                let tasks: Vec<_> = tasks.into_iter().map(Valid::vouch).collect();
                let answers = both!(self, side => {
                    let answers = side.store.accept(tasks.clone()).await;
                    answers.expect("accept answers").into_iter().map(view::accepted).collect()
                });
                let (model, _): &(Vec<_>, _) = &answers;
                self.ids.extend(model.iter().flatten().map(|accepted| accepted.id));
                same("accept", answers)
            }
            Operation::Replay(tenant, key) => {
                let answers = both!(self, side => {
                    let answer = side.store.replay(tenant.clone(), key.clone()).await;
                    answer.expect("replay answers").map(view::accepted)
                });
                same("replay", answers)
            }
            Operation::List(filter) => {
                let (model, real) = both!(self, side => side.list(filter.clone()).await);
                let ids = |tasks: Vec<Task>| tasks.iter().map(|task| task.id).collect::<Vec<_>>();
                same("a list", (ids(model), ids(real)))
            }
            Operation::Act(acts) => {
                let answers = both!(self, side => {
                    let answers = side.store.act(acts.clone()).await.expect("act answers");
                    let answers = answers.into_iter();
                    answers.map(|acted| side.tokens.acted(acted)).collect::<Vec<_>>()
                });
                same("act", answers)
            }
            Operation::Claim(claim) => {
                let answers = both!(self, side => {
                    let leased = side.store.claim(claim.clone()).await.expect("claim answers");
                    leased.iter().try_for_each(|leased| side.learn(leased))?;
                    let leased = leased.into_iter();
                    leased.map(|leased| side.tokens.leased(leased)).collect::<Vec<_>>()
                });
                same("claim", answers)
            }
            Operation::Open(want) => {
                let answers = both!(self, side => {
                    let opened = side.store.open(want.clone()).await.expect("open answers");
                    for opened in &opened {
                        if let Opened::Leased(leased) = opened {
                            side.learn(leased)?;
                        }
                    }
                    let opened = opened.into_iter();
                    opened.map(|opened| side.tokens.opened(opened)).collect::<Vec<_>>()
                });
                same("open", answers)
            }
            Operation::Extend(beats) => {
                let answers = both!(self, side => {
                    side.store.extend(side.beats(&beats)).await.expect("extend answers")
                });
                same("extend", answers)
            }
            Operation::Record(ends) => {
                let answers = both!(self, side => {
                    let recorded = side.store.record(side.ends(&ends)).await;
                    let recorded = recorded.expect("record answers").into_iter();
                    recorded.map(view::recorded).collect::<Vec<_>>()
                });
                let then = ends.iter().flat_map(|end| &end.then);
                self.ids.extend(then.map(|task| task.id));
                same("record", answers)
            }
            Operation::MakeReady => {
                let answers = both!(self, side => {
                    side.store.make_ready().await.expect("make_ready answers")
                });
                let next = (answers.0.next, answers.1.next);
                same("make_ready", moved(answers)).and(same("make_ready's next", next))
            }
            Operation::Rescue => {
                let answers = both!(self, side => {
                    side.store.rescue().await.expect("rescue answers")
                });
                same("rescue", moved(answers))
            }
            Operation::Expire => {
                let answers = both!(self, side => {
                    side.store.expire().await.expect("expire answers")
                });
                same("expire", moved(answers))
            }
            Operation::Prune(keep) => self.prune(&keep).await,
            Operation::Relay { want, confirmed } => {
                let answers = both!(self, side => {
                    let outbox = side.store.outbox(want.clone()).await.expect("outbox answers");
                    if confirmed {
                        let marks = outbox.marks.iter().map(|marked| marked.mark).collect();
                        side.store.relayed(marks).await.expect("relayed answers");
                    }
                    let marks = outbox.marks.into_iter();
                    let seen = |one: Marked| (one.id, one.mark.openings, one.tenant, one.queue, one.kind);
                    (marks.map(seen).collect::<Vec<_>>(), outbox.carried)
                });
                same("outbox", answers)
            }
            Operation::Lose { queue, each } => {
                let answers = both!(self, side => {
                    let carried = side.store.carried(&queue).await.expect("carried answers");
                    let marks = carried.iter().step_by(each).map(|one| one.mark).collect();
                    let lost = side.store.lost(marks).await.expect("lost answers");
                    let kinds = carried.into_iter().map(|one| (one.kind, one.mark.openings));
                    (kinds.collect::<Vec<_>>(), lost)
                });
                same("carried", answers)
            }
            Operation::Plan { schedule, as_read } => {
                let answers = both!(self, side => {
                    let before = side.version(&schedule, as_read).await;
                    side.store.put_schedule((*schedule).clone(), before).await.expect("put_schedule answers")
                });
                same("put_schedule", answers)
            }
            Operation::Unplan(tenant, id) => {
                let answers = both!(self, side => {
                    side.store.remove_schedule(&tenant, id).await.expect("remove_schedule answers")
                });
                same("remove_schedule", answers)
            }
            Operation::FireDue { limit, task } => {
                self.ids.extend(task.iter().map(|task| task.id));
                let answers = both!(self, side => {
                    let (due, next) = side.store.due_schedules(limit).await.expect("due_schedules answers");
                    let firings = view::firings(&due, task.as_deref());
                    let fired = side.store.fire(firings).await.expect("fire answers");
                    (due, next, fired.into_iter().map(view::fired).collect::<Vec<_>>())
                });
                same("due schedules, or what became of them", answers)
            }
            Operation::Reboot => {
                self.reference = Arc::new(self.reference.reboot());
                self.model.store = Arc::clone(&self.reference) as _;
                self.bench.reboot().await;
                self.real.store = self.bench.store();
                self.look_at_everything().await
            }
            Operation::Pass(by) => {
                self.bench.pass(by);
                Ok(())
            }
            Operation::JumpWall(by) => {
                self.bench.clock().jump_wall(by);
                Ok(())
            }
        }
    }

    /// When keys go is a store's own affair, as long as they are not answered with.
    async fn prune(&mut self, keep: &Retention) -> Compared {
        let answers = both!(self, side => {
            let mut tasks = 0;
            loop {
                let pruned = side.store.prune(keep).await.expect("prune answers");
                tasks += pruned.tasks;
                if !pruned.more {
                    break tasks;
                }
            }
        });
        same("prune", answers)
    }

    /// Compares everything that is kept.
    pub(super) async fn look_at_everything(&mut self) -> Compared {
        let (model, real) = both!(self, side => {
            side.list(Filter { limit: 7, ..Filter::default() }).await
        });
        let ids = |tasks: &[Task]| tasks.iter().map(|task| task.id).collect::<Vec<_>>();
        same("the list", (ids(&model), ids(&real)))?;
        if !real.is_sorted_by(|newer, older| newer.seq > older.seq) {
            return Err("the list is not newest first".to_owned());
        }
        let bare = |side: &Side, tasks: Vec<Task>| -> Vec<Task> {
            tasks.into_iter().map(|task| side.tokens.task(task)).collect()
        };
        let (model, real) = (bare(&self.model, model), bare(&self.real, real));
        for (model, real) in model.into_iter().zip(real) {
            let read = both!(self, side => side.read(&model).await);
            same("a task or its attempts", read)?;
            same("a listed task", (model, real))?;
        }
        same("counters", both!(self, side => side.counters().await))?;
        let controls = both!(self, side => side.store.controls().await.expect("controls answer"));
        same("controls", controls)?;
        let schedules =
            both!(self, side => side.store.schedules(None).await.expect("schedules answers"));
        same("schedules", schedules)?;
        self.look_at_the_audit_log().await?;
        same("ages", both!(self, side => side.store.ages().await.expect("ages answer")))
    }

    async fn look_at_the_audit_log(&mut self) -> Compared {
        let (model, real) = both!(self, side => {
            side.store.audit(None, usize::MAX).await.expect("audit answers")
        });
        same("the length of the audit log", (model.len(), real.len()))?;
        // Oldest first: the first that differs says why.
        for lines in model.into_iter().zip(real).rev() {
            same("a line of the audit log", lines)?;
        }
        Ok(())
    }
}

fn moved((model, real): (Moved, Moved)) -> (Moved, Moved) {
    (view::moved(model), view::moved(real))
}
