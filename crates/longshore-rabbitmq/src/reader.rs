//! What fills a subscription: a consumer on a channel of its own, made again after whatever ends it over there.

use crate::acks::Acker;
use crate::connection::STEP;
use crate::consumer::{Shelf, Wish};
use crate::delivery::{Office, Tag};
use crate::desk::short;
use crate::error::{Trouble, within};
use crate::link::Standing;
use crate::live::Live;
use crate::lookout::{Lookout, Sight};
use crate::names::Route;
use crate::source::Source;
use crate::wire::Received;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use longshore_core::broker::{
    BrokerError, Delivery, Gate, Origin, Reconnect, Subscribed, TopicName, Try, header,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Which attachment a delivery belongs to, in this process.
static EPOCHS: AtomicU64 = AtomicU64::new(0);
/// A quorum queue answers once it has a leader, which takes a while after a start.
const CONSUME: Duration = Duration::from_secs(15);
/// Between two tries to send on what has not waited long enough.
const AGAIN: Duration = Duration::from_secs(5);
/// An attachment that lasted so long was none of a row of failures.
const LASTED: Duration = Duration::from_secs(5);
/// So many are handed on at once at most.
const TOGETHER: usize = 64;

/// Keeps one subscription.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) office: Arc<Office>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) source: Source,
    pub(crate) prefetch: u16,
    pub(crate) consumer: String,
    /// Of the whole broker: asks every subscription to stop receiving, then to end.
    pub(crate) closing: watch::Receiver<Wish>,
}

/// Why an attachment is over.
enum End {
    /// Nobody wants it any more.
    Wished,
    /// The server cancelled it: its queue is gone.
    Cancelled,
    /// It may be deaf, and nothing is lost by making it again.
    Stale,
    /// It failed.
    Failed(Trouble),
}

impl Reader {
    /// Receives until nobody wants it any more; tells of a refusal once.
    pub(crate) async fn run(mut self, refusal: watch::Sender<Option<BrokerError>>) {
        let mut standing = self.office.consume.standing();
        let fresh = || Gate::new(Reconnect::default(), 1);
        // It counts failures in a row on one connection: the next one knows nothing of them.
        let (mut gate, mut connection) = (fresh(), 0);
        while let Some(live) = self.live(&mut standing).await {
            let began = Instant::now();
            let end = self.attach(&live).await;
            self.shelf.clear();
            if began.elapsed() > LASTED || live.epoch != connection {
                (gate, connection) = (fresh(), live.epoch);
            }
            let trouble = match end {
                End::Wished => break,
                End::Stale => continue,
                End::Cancelled => match self.source.remake(&self.office.keeper, &live).await {
                    Ok(()) => Trouble::Away("the queue was deleted, and was made again".to_owned()),
                    Err(error) => Trouble::Away(error.to_string()),
                },
                End::Failed(trouble) => trouble,
            };
            let why = trouble.to_string();
            tracing::warn!(source = %self.source, why, "a subscription was lost; it is made again");
            if trouble.is_refusal() {
                refusal.send_replace(Some(trouble.into_error()));
            }
            self.shelf.tell(Subscribed::Lost { why });
            if live.connection.is_up() {
                let Try::After { pause, .. } = gate.next(fastrand::f64()) else { break };
                gate.failed();
                self.pause(pause, &live, &mut standing).await;
            }
        }
        self.shelf.tell(Subscribed::Ended);
        self.shelf.clear();
    }

    fn wish(&mut self) -> Wish {
        let own = *self.shelf.wish.borrow();
        own.max(*self.closing.borrow_and_update())
    }

    /// Waits before the next try; not longer than its connection lasts, or than one is wanted.
    async fn pause(
        &mut self,
        pause: Duration,
        live: &Live,
        standing: &mut watch::Receiver<Standing>,
    ) {
        let mut own = self.shelf.wish.subscribe();
        let lasts = |standing: &Standing| match standing {
            Standing::Up(up) => up.epoch == live.epoch && up.connection.is_up(),
            _ => false,
        };
        let over = async {
            while self.wish() != Wish::End && lasts(&standing.borrow_and_update()) {
                tokio::select! {
                    changed = standing.changed() => if changed.is_err() { return },
                    changed = own.changed() => if changed.is_err() { return },
                    changed = self.closing.changed() => if changed.is_err() { return },
                }
            }
        };
        let _ = tokio::time::timeout(pause, over).await;
    }

    /// Returns a connection once there is one; nothing once there will be none, or none is wanted.
    async fn live(&mut self, standing: &mut watch::Receiver<Standing>) -> Option<Arc<Live>> {
        let mut own = self.shelf.wish.subscribe();
        loop {
            if self.wish() == Wish::End {
                return None;
            }
            match &*standing.borrow_and_update() {
                Standing::Up(live) if live.connection.is_up() => return Some(live.clone()),
                Standing::Closed | Standing::GivenUp(_) => return None,
                _ => {}
            }
            tokio::select! {
                changed = standing.changed() => changed.ok()?,
                changed = own.changed() => changed.ok()?,
                changed = self.closing.changed() => changed.ok()?,
            }
        }
    }

    /// Receives on one channel for as long as it lasts.
    async fn attach(&mut self, live: &Arc<Live>) -> End {
        let epoch = EPOCHS.fetch_add(1, Ordering::Relaxed) + 1;
        let channel = match self.open(live).await {
            Ok(channel) => channel,
            Err(trouble) => return End::Failed(trouble),
        };
        let queue: Arc<str> = match self.source.queue(live, &channel, &self.office.keeper).await {
            Ok(queue) => queue.into(),
            Err(trouble) => return End::Failed(trouble),
        };
        let name = match short(&queue) {
            Ok(name) => name,
            Err(trouble) => return End::Failed(trouble),
        };
        self.office.keeper.forget_way_back(&queue);
        let lookout = Lookout::new(&self.office.keeper, &self.source);
        let acker = Arc::new(Acker::new(channel.clone(), name, usize::from(self.prefetch)));
        let telling = tokio::spawn({
            let acker = acker.clone();
            async move { acker.run().await }
        });
        let hands = Hands {
            office: self.office.clone(),
            shelf: self.shelf.clone(),
            source: self.source.clone(),
            acker: acker.clone(),
            queue,
            epoch,
        };
        let mut consumer = None;
        let end = self.receive(live, &channel, &hands, lookout, &mut consumer).await;
        self.shelf.clear();
        acker.end();
        if channel.status().connected() {
            // What is settled is told, or it would be handed out again.
            let _ = tokio::time::timeout(STEP, telling).await;
        }
        if matches!(end, End::Wished) {
            acker.ask().await;
            // Not cancelled before: who is active next would get what follows before what is given back.
            let _ = within(STEP, channel.close(200, "done".into())).await;
        } else if channel.status().connected() {
            // The server would go on to hand out on it.
            let _ = within(STEP, channel.close(200, "made again".into())).await;
        }
        drop(consumer);
        end
    }

    async fn open(&self, live: &Live) -> Result<Channel, Trouble> {
        let channel = live.connection.channel().await?;
        within(STEP, channel.basic_qos(self.prefetch, BasicQosOptions::default())).await?;
        Ok(channel)
    }

    async fn receive(
        &mut self,
        live: &Live,
        channel: &Channel,
        hands: &Hands,
        mut lookout: Lookout,
        kept: &mut Option<Consumer>,
    ) -> End {
        let mut own = self.shelf.wish.subscribe();
        let mut standing = self.office.consume.standing();
        loop {
            match self.wish() {
                Wish::End => return End::Wished,
                Wish::Pause => {
                    self.shelf.tell(Subscribed::Paused);
                    tokio::select! {
                        _ = own.changed() => {}
                        _ = self.closing.changed() => {}
                        _ = standing.changed() => {}
                    }
                    if !live.connection.is_up() || !channel.status().connected() {
                        return End::Failed(Trouble::Away("the connection was lost".to_owned()));
                    }
                }
                Wish::Receive => {
                    let consumer = match self.consume(channel, &hands.queue).await {
                        Ok(consumer) => kept.insert(consumer),
                        Err(trouble) => return End::Failed(trouble),
                    };
                    self.shelf.tell(Subscribed::Confirmed);
                    if let Some(end) =
                        self.fill(live, channel, consumer, (hands, &mut lookout)).await
                    {
                        return end;
                    }
                }
            }
        }
    }

    async fn consume(&self, channel: &Channel, queue: &str) -> Result<Consumer, Trouble> {
        let options = BasicConsumeOptions::default();
        let name = format!("{}.{}", self.consumer, EPOCHS.fetch_add(1, Ordering::Relaxed));
        let (queue, name) = (short(queue)?, short(&name)?);
        within(CONSUME, channel.basic_consume(queue, name, options, FieldTable::default())).await
    }

    /// Fills the shelf; returns nothing once something else is wished for and the server hands out no more.
    async fn fill(
        &mut self,
        live: &Live,
        channel: &Channel,
        consumer: &mut Consumer,
        (hands, lookout): (&Hands, &mut Lookout),
    ) -> Option<End> {
        let mut own = self.shelf.wish.subscribe();
        loop {
            // Looked at before each wait: it may have changed while the server was asked.
            match self.wish() {
                Wish::Receive if *self.shelf.state.borrow() == Subscribed::Paused => {
                    self.shelf.tell(Subscribed::Confirmed);
                }
                Wish::Receive => {}
                // Its queue would go with its last consumer.
                Wish::Pause if self.source.is_broadcast() => self.shelf.tell(Subscribed::Paused),
                Wish::End => return Some(End::Wished),
                Wish::Pause => {
                    let cancel =
                        channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
                    if let Err(trouble) = within(STEP, cancel).await {
                        return Some(End::Failed(trouble));
                    }
                    while let Some(Ok(message)) = consumer.next().await {
                        hands.hand_out([message]);
                    }
                    self.shelf.clear();
                    return None;
                }
            }
            tokio::select! {
                message = consumer.next() => {
                    let (messages, after) = with_those_behind(message, consumer);
                    lookout.received();
                    hands.hand_out(messages);
                    match after {
                        After::Nothing => {}
                        After::Error(error) => return Some(End::Failed(error.into())),
                        After::End if channel.status().connected() && live.connection.is_up() => {
                            return Some(End::Cancelled);
                        }
                        After::End => {
                            return Some(End::Failed(Trouble::Away("the connection was lost".to_owned())));
                        }
                    }
                },
                _ = own.changed() => {}
                _ = self.closing.changed() => {}
                () = lookout.turn() => match lookout.look(&hands.acker) {
                    Sight::Fine => {}
                    Sight::Stale => return Some(End::Stale),
                    Sight::Remade => {
                        return Some(End::Failed(Trouble::Away("its queue was made again".to_owned())));
                    }
                }
            }
        }
    }
}

/// What comes behind messages.
enum After {
    /// Nothing yet.
    Nothing,
    /// The stream fails.
    Error(lapin::Error),
    /// The stream is over.
    End,
}

/// Takes what has come already together with the first: whoever waits for it is woken once for all.
fn with_those_behind(
    first: Option<lapin::Result<Message>>,
    consumer: &mut Consumer,
) -> (Vec<Message>, After) {
    let mut messages = Vec::new();
    let mut next = first;
    loop {
        match next {
            Some(Ok(message)) => messages.push(message),
            Some(Err(error)) => return (messages, After::Error(error)),
            None => return (messages, After::End),
        }
        if messages.len() >= TOGETHER {
            return (messages, After::Nothing);
        }
        match consumer.next().now_or_never() {
            Some(more) => next = more,
            None => return (messages, After::Nothing),
        }
    }
}

/// Makes deliveries of messages.
struct Hands {
    office: Arc<Office>,
    shelf: Arc<Shelf>,
    source: Source,
    acker: Arc<Acker>,
    queue: Arc<str>,
    epoch: u64,
}

impl Hands {
    fn hand_out(&self, messages: impl IntoIterator<Item = Message>) {
        let deliveries: Vec<_> =
            messages.into_iter().filter_map(|message| self.delivery(message)).collect();
        if !deliveries.is_empty() {
            self.shelf.put(deliveries);
        }
    }

    /// Makes the delivery; nothing if its pause is not over.
    fn delivery(&self, message: Message) -> Option<Delivery> {
        let Message { delivery_tag, exchange, routing_key, redelivered, properties, data, .. } =
            message;
        let dead = self.source.dead();
        let tag = Tag::new(delivery_tag, &self.acker, &self.office, &self.queue, dead);
        let received = Received::of(&properties, data);
        if let Some(left) = received.left {
            self.send_on(tag, received, Duration::from_millis(left));
            return None;
        }
        let first = received.envelope.headers.get(header::ORIGIN_TOPIC);
        let topic = first.and_then(|topic| TopicName::new(topic).ok()).or_else(|| {
            let otherwise = &self.office.keeper.exchange;
            Route::topic(exchange.as_str(), routing_key.as_str(), otherwise)
        });
        let origin = Origin {
            topic,
            group: self.source.group(),
            message_id: received.message_id,
            position: None,
        };
        let mut delivery = Delivery::new(received.envelope, origin, self.epoch, Box::new(tag));
        delivery.redelivered = redelivered;
        // A quorum queue says nothing at the first hand-out.
        let count = received.delivery_count.unwrap_or(0);
        delivery.hand_out = self.source.counts().then(|| count.saturating_add(1));
        Some(delivery)
    }

    /// Its pause is longer than the ladder, and not over.
    fn send_on(&self, tag: Tag, received: Received, left: Duration) {
        let (office, acker, queue) = (self.office.clone(), self.acker.clone(), self.queue.clone());
        tokio::spawn(async move {
            loop {
                match office.delay(received.envelope.clone(), &queue, left).await {
                    Ok(()) => return acker.settle(tag.tag),
                    Err(error) => {
                        tracing::warn!(%error, "a long pause could not go on; it is tried again")
                    }
                }
                // Kept meanwhile: given back, it would be here again at once, one hand-out older.
                tokio::time::sleep(AGAIN).await;
                if acker.is_gone() {
                    return;
                }
            }
        });
    }
}
