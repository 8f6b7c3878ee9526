//! Where a subscription receives from: a group's queue, or one of its own.

use crate::connection::STEP;
use crate::desk::{Desk, short};
use crate::error::{Trouble, within};
use crate::live::Live;
use crate::names::{DIRECT, Route};
use crate::shape::Entry;
use crate::topology::Keeper;
use lapin::Channel;
use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use longshore_core::broker::{BrokerError, GroupName};
use std::sync::Arc;

/// Where a subscription receives from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A share of a group's queue.
    Group(Arc<Entry>),
    /// Everything that goes these ways while it lasts.
    All(Vec<Route>),
}

impl Source {
    /// Returns the group.
    pub(crate) fn group(&self) -> Option<GroupName> {
        match self {
            Self::Group(entry) => Some(entry.group.name.clone()),
            Self::All(_) => None,
        }
    }

    /// Returns the group that gets the dead letters.
    pub(crate) fn dead(&self) -> Option<GroupName> {
        match self {
            Self::Group(entry) => entry.group.dead.clone(),
            Self::All(_) => None,
        }
    }

    /// Returns whether its queue counts hand-outs.
    pub(crate) fn counts(&self) -> bool {
        matches!(self, Self::Group(entry) if !entry.options.is_classic)
    }

    /// Returns whether its queue is its own.
    pub(crate) fn is_broadcast(&self) -> bool {
        matches!(self, Self::All(_))
    }

    /// Returns the name of its queue, which is there from now on if it is its own.
    pub(crate) async fn queue(
        &self,
        live: &Live,
        channel: &Channel,
        keeper: &Keeper,
    ) -> Result<String, Trouble> {
        let routes = match self {
            Self::Group(entry) => return Ok(entry.queue.clone()),
            Self::All(routes) => routes,
        };
        let name = format!("ls.all.{}", uuid::Uuid::now_v7());
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let queue = short(&name)?;
        let none = FieldTable::default;
        within(STEP, channel.queue_declare(queue.clone(), options, none())).await?;
        for Route { exchange, key } in routes {
            let (exchange, key) = (short(exchange)?, short(key)?);
            let bound = QueueBindOptions::default();
            within(STEP, channel.queue_bind(queue.clone(), exchange, key, bound, none())).await?;
        }
        // Its retries come back this way; who may not declare what is ours can receive all the same.
        if keeper.make_way_back(live).await.is_ok() {
            let _ = Desk::new(live).bind(&name, DIRECT, &name, none()).await;
        }
        Ok(name)
    }

    /// Makes a queue again that was deleted.
    pub(crate) async fn remake(&self, keeper: &Keeper, live: &Live) -> Result<(), BrokerError> {
        match self {
            Self::Group(entry) => {
                let mut groups = vec![entry.group.name.clone()];
                groups.extend(entry.group.dead.clone());
                keeper.apply(live, &groups).await.map(|_| ())
            }
            Self::All(_) => Ok(()),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Group(entry) => write!(f, "{}", entry.group.name),
            Self::All(_) => f.write_str("a broadcast"),
        }
    }
}
