//! How one thing is made: looked for first, so that it can be said what was missing.

use crate::error::{Trouble, code};
use crate::group::{ExchangeType, set};
use crate::ladder::Rung;
use crate::live::Live;
use crate::mismatch::difference;
use crate::names::{DIRECT, LOST};
use crate::shape::Entry;
use crate::topology::{Keeper, Work};
use lapin::types::{AMQPValue, FieldTable};
use longshore_core::broker::{BrokerError, DeclareMode};
use std::sync::PoisonError;
use std::time::Duration;

/// A server that dies within a second after it has made a quorum queue starts it again empty, whatever it had confirmed:
/// the list of its queues is written now and then (seen with 3.10.8, a kill up to 0.7 s later).
const RIPE: Duration = Duration::from_millis(1_500);

impl Work<'_> {
    /// Makes a group's exchange, queue and bindings, or only looks; answers whether the queue was made.
    pub(crate) async fn group(
        &mut self,
        entry: &Entry,
        arguments: FieldTable,
    ) -> Result<bool, BrokerError> {
        if let (Some(exchange), Some(kind)) = (&entry.options.exchange, entry.options.exchange_type)
        {
            self.exchange(exchange, kind, entry.mode).await?;
        }
        if entry.mode == DeclareMode::Off {
            return Ok(false);
        }
        let was_made = self.queue(&entry.queue, arguments, entry.mode).await?;
        if entry.mode == DeclareMode::Verify {
            return Ok(false);
        }
        for route in &entry.bindings {
            let bound = entry.options.bound_by();
            let step = self.desk.bind(&entry.queue, &route.exchange, &route.key, bound).await;
            self.bound(&route.exchange, step)?;
        }
        let step = self.desk.bind(&entry.queue, DIRECT, &entry.queue, FieldTable::default()).await;
        self.bound(DIRECT, step)?;
        Ok(was_made)
    }

    fn bound(&mut self, exchange: &str, step: Result<(), Trouble>) -> Result<(), BrokerError> {
        match step {
            Err(trouble) if trouble.is_not_found() => {
                self.refused.push(format!(
                    "{trouble}; declare the exchange {exchange}, or say its exchange_type"
                ));
                Ok(())
            }
            other => self.tolerate(other),
        }
    }

    /// Makes an exchange, or only looks.
    pub(crate) async fn exchange(
        &mut self,
        name: &str,
        kind: ExchangeType,
        mode: DeclareMode,
    ) -> Result<(), BrokerError> {
        self.exchange_with(name, kind.as_str(), FieldTable::default(), mode).await
    }

    async fn exchange_with(
        &mut self,
        name: &str,
        kind: &str,
        arguments: FieldTable,
        mode: DeclareMode,
    ) -> Result<(), BrokerError> {
        if mode == DeclareMode::Off || name.starts_with("amq.") {
            return Ok(());
        }
        let object = format!("exchange {name}");
        let is_there = self.desk.has_exchange(name).await.map_err(Trouble::into_error)?;
        if !is_there {
            self.diff.missing.push(object.clone());
        }
        if mode == DeclareMode::Declare {
            let step = self.desk.declare_exchange(name, kind, arguments).await;
            self.declared(&object, step)?;
        }
        Ok(())
    }

    /// Makes a queue, or only looks; answers whether it was made.
    async fn queue(
        &mut self,
        name: &str,
        arguments: FieldTable,
        mode: DeclareMode,
    ) -> Result<bool, BrokerError> {
        let object = format!("queue {name}");
        let there = self.desk.queue(name).await;
        let is_there = match there {
            Ok(found) => found.is_some(),
            // Somebody's own queue can only be looked at by him.
            Err(trouble) if trouble.code() == Some(code::RESOURCE_LOCKED) => true,
            Err(trouble) => return Err(trouble.into_error()),
        };
        if !is_there {
            self.diff.missing.push(object.clone());
        }
        if mode == DeclareMode::Declare {
            let is_quorum = arguments.inner().get("x-queue-type") == Some(&quorum_type());
            let step = self.desk.declare_queue(name, arguments).await;
            let was_made = self.declared(&object, step)? && !is_there;
            self.is_fresh |= was_made && is_quorum;
            return Ok(was_made);
        }
        Ok(false)
    }

    /// Waits until quorum queues that were made would outlive the death of their server.
    pub(crate) async fn ripen(&self) {
        if self.is_fresh {
            tokio::time::sleep(RIPE).await;
        }
    }

    /// Answers whether it is there as declared, or differs.
    fn declared(&mut self, object: &str, step: Result<(), Trouble>) -> Result<bool, BrokerError> {
        match step {
            Err(trouble) if trouble.code() == Some(code::PRECONDITION_FAILED) => {
                self.differs(difference(object, &trouble.to_string()));
                Ok(false)
            }
            other => {
                let is_made = other.is_ok();
                self.tolerate(other)?;
                Ok(is_made)
            }
        }
    }

    /// One refusal does not keep the rest from being made.
    fn tolerate(&mut self, step: Result<(), Trouble>) -> Result<(), BrokerError> {
        match step {
            Ok(()) => Ok(()),
            Err(trouble) if trouble.is_refusal() => {
                self.refused.push(trouble.to_string());
                Ok(())
            }
            Err(trouble) => Err(trouble.into_error()),
        }
    }
}

impl Keeper {
    /// Makes what every group needs: the way back from the ladder, and the parking of what finds no way.
    pub(crate) async fn make_commons(
        &self,
        live: &Live,
        work: &mut Work<'_>,
    ) -> Result<(), BrokerError> {
        if self.has_made(live.epoch, DIRECT) {
            return Ok(());
        }
        let mode = DeclareMode::Declare;
        work.exchange_with(LOST, "fanout", FieldTable::default(), mode).await?;
        work.queue(LOST, quorum(), mode).await?;
        let step = work.desk.bind(LOST, LOST, "", FieldTable::default()).await;
        work.bound(LOST, step)?;
        let mut otherwise = FieldTable::default();
        set(&mut otherwise, "alternate-exchange", AMQPValue::LongString(LOST.into()));
        work.exchange_with(DIRECT, "direct", otherwise, mode).await?;
        self.made(live.epoch, DIRECT);
        Ok(())
    }

    /// Makes what every group needs, for those who are no group.
    pub(crate) async fn make_way_back(&self, live: &Live) -> Result<(), BrokerError> {
        let mut work = Work::new(live);
        self.make_commons(live, &mut work).await
    }

    /// Binds a queue to where the ladder ends, unless that is done: whoever has declared it need not have.
    pub(crate) async fn bind_way_back(&self, live: &Live, queue: &str) -> Result<(), BrokerError> {
        let _one = self.making.lock().await;
        let mark = format!("{DIRECT} {queue}");
        if self.has_made(live.epoch, &mark) {
            return Ok(());
        }
        let mut work = Work::new(live);
        let step = work.desk.bind(queue, DIRECT, queue, FieldTable::default()).await;
        work.bound(DIRECT, step)?;
        match work.refused.pop() {
            None => {
                self.made(live.epoch, &mark);
                Ok(())
            }
            Some(why) => Err(BrokerError::Refused { why }),
        }
    }

    /// Makes a rung of the ladder, unless it was made on this connection already.
    pub(crate) async fn make_rung(&self, live: &Live, rung: Rung) -> Result<(), BrokerError> {
        let _one = self.making.lock().await;
        if self.has_made(live.epoch, rung.name) {
            return Ok(());
        }
        let mut work = Work::new(live);
        self.make_commons(live, &mut work).await?;
        let mut arguments = quorum();
        let millis = i64::try_from(rung.pause.as_millis()).unwrap_or(i64::MAX);
        set(&mut arguments, "x-message-ttl", AMQPValue::LongLongInt(millis));
        for (name, value) in [
            ("x-dead-letter-exchange", DIRECT),
            ("x-dead-letter-strategy", "at-least-once"),
            ("x-overflow", "reject-publish"),
        ] {
            set(&mut arguments, name, AMQPValue::LongString(value.into()));
        }
        let mode = DeclareMode::Declare;
        // The routing key says where to come back to, so that the rung itself is reached by an exchange.
        work.exchange_with(rung.name, "fanout", FieldTable::default(), mode).await?;
        work.queue(rung.name, arguments, mode).await?;
        let step = work.desk.bind(rung.name, rung.name, "", FieldTable::default()).await;
        work.bound(rung.name, step)?;
        for difference in &work.diff.different {
            tracing::warn!(%difference, "the ladder of pauses is not as it should be, and is left as it is");
        }
        work.ripen().await;
        if work.refused.is_empty() {
            self.made(live.epoch, rung.name);
            return Ok(());
        }
        Err(BrokerError::Refused { why: work.refused.join("; ") })
    }

    /// A rung may be gone: it is made again when it is needed next.
    pub(crate) fn forget_rung(&self, rung: Rung) {
        self.commons.lock().unwrap_or_else(PoisonError::into_inner).1.remove(rung.name);
    }

    fn has_made(&self, epoch: u64, name: &str) -> bool {
        let commons = self.commons.lock().unwrap_or_else(PoisonError::into_inner);
        commons.0 == epoch && commons.1.contains(name)
    }

    fn made(&self, epoch: u64, name: &str) {
        let mut commons = self.commons.lock().unwrap_or_else(PoisonError::into_inner);
        if commons.0 != epoch {
            *commons = (epoch, Default::default());
        }
        commons.1.insert(name.to_owned());
    }
}

fn quorum() -> FieldTable {
    let mut table = FieldTable::default();
    set(&mut table, "x-queue-type", quorum_type());
    table
}

fn quorum_type() -> AMQPValue {
    AMQPValue::LongString("quorum".into())
}
