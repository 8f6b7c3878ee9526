//! What the suite needs to have of a broker.

use async_trait::async_trait;
use longshore_core::broker::{Broker, Envelope, GroupName, TopicName};
use std::sync::Arc;
use std::time::Duration;

/// A broker on a bench.
#[async_trait]
pub trait BrokerRig: Send + Sync {
    /// Connects, as a process of its own would; returns once it is up.
    async fn connect(&self) -> Arc<dyn Broker>;

    /// Lets time pass, by whatever clock the broker goes.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Returns how long something may take that the broker does by itself.
    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }

    /// Lets the server die and come back on the same data, or the process that holds it; returns a new connection.
    /// Nothing if what it keeps does not outlive it.
    async fn reboot(&self) -> Option<Arc<dyn Broker>> {
        None
    }

    /// Returns who breaks this broker's server, if somebody can: it is this rig's alone then.
    fn faults(&self) -> Option<&dyn Faults> {
        None
    }
}

/// What is done to a server, and to the links that lead to it. Blocks until it is done.
pub trait Faults: Send + Sync {
    /// Asks the server to stop.
    fn stop(&self);

    /// Kills it as a power cut would.
    fn kill(&self);

    /// Starts it again.
    fn start(&self);

    /// Stops it where it is, or lets it go on.
    fn freeze(&self, frozen: bool);

    /// Closes all links that there are.
    fn cut(&self);

    /// Lets nothing through any more on the links that there are, and tells nobody; new ones work.
    fn mute(&self);

    /// Lets answers no longer through, or does again.
    fn lose_answers(&self, lost: bool);

    /// Lets the broker take nothing in, or again.
    fn block(&self, blocked: bool);

    /// Takes away from the user what he may do, or gives it back; links that there are are closed.
    fn revoke(&self, revoked: bool);

    /// Deletes a group behind everybody's back.
    fn delete(&self, group: &GroupName);

    /// Throws away what waits in a group.
    fn purge(&self, group: &GroupName);

    /// Publishes as somebody else's program would: without any of our headers, but those given.
    fn publish(&self, topic: &TopicName, envelope: &Envelope);
}
