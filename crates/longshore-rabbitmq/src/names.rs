//! Names in RabbitMQ: exchanges and routing keys of topics, and what is ours in every virtual host.

use longshore_core::broker::TopicName;

/// Routes what comes back from the ladder to the queue that its routing key names.
pub(crate) const DIRECT: &str = "ls.direct";
/// Takes what comes back to a queue that is not there any more: it is parked, and blocks nobody.
pub(crate) const LOST: &str = "ls.lost";
/// RabbitMQ's own exchange, by which every queue is reached under its name.
pub(crate) const DEFAULT: &str = "";

/// An exchange and a routing key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    pub(crate) exchange: String,
    pub(crate) key: String,
}

impl Route {
    /// To a queue.
    pub(crate) fn to_queue(queue: &str) -> Self {
        Self { exchange: DEFAULT.to_owned(), key: queue.to_owned() }
    }

    /// Reads a topic or a pattern: `exchange/routing.key`, or a routing key of the exchange that is meant otherwise.
    pub(crate) fn read(text: &str, otherwise: &str) -> Self {
        let (exchange, key) = match text.split_once('/') {
            Some((exchange, key)) if !exchange.is_empty() => (exchange, key),
            _ => (otherwise, text),
        };
        Self { exchange: exchange.to_owned(), key: key.to_owned() }
    }

    /// Returns the topic of what came this way: none if it was sent to the queue itself, or came back from the ladder.
    pub(crate) fn topic(exchange: &str, key: &str, otherwise: &str) -> Option<TopicName> {
        match exchange {
            DEFAULT | DIRECT | LOST => None,
            exchange if exchange == otherwise => TopicName::new(key).ok(),
            exchange => TopicName::new(&format!("{exchange}/{key}")).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_may_name_its_exchange() {
        let route = |text| {
            let Route { exchange, key } = Route::read(text, "amq.topic");
            (exchange, key)
        };
        assert_eq!(route("orders.created"), ("amq.topic".to_owned(), "orders.created".to_owned()));
        assert_eq!(route("shop/orders.#"), ("shop".to_owned(), "orders.#".to_owned()));
        assert_eq!(route("logs/"), ("logs".to_owned(), String::new()));
        assert_eq!(route("/orders"), ("amq.topic".to_owned(), "/orders".to_owned()));
    }

    #[test]
    fn what_came_by_an_exchange_can_be_published_there_again() {
        let topic = |exchange, key| {
            Route::topic(exchange, key, "amq.topic").map(|topic| topic.as_str().to_owned())
        };
        assert_eq!(topic("amq.topic", "orders.created").as_deref(), Some("orders.created"));
        assert_eq!(topic("logs", "").as_deref(), Some("logs/"));
        assert_eq!(topic("", "shipping"), None);
        assert_eq!(topic("ls.direct", "shipping"), None);
        assert_eq!(topic("amq.topic", "no topic"), None);
    }
}
