//! Who answers: what a server says of itself in its first frame, which the client does not pass on.

use lapin::types::parsing::parse_field_table;
use lapin::types::{AMQPValue, FieldTable};

/// A server, by its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Server {
    /// `RabbitMQ`.
    pub(crate) product: String,
    /// `3.10.8`.
    pub(crate) version: String,
}

impl Server {
    /// Returns whether it is at least this version; one that says nothing is not.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.split('.').map_while(|number| number.parse().ok());
        let found: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        found >= (major, minor)
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.product.as_str(), self.version.as_str()) {
            ("", _) => f.write_str("RabbitMQ"),
            (product, version) => write!(f, "{product} {version}"),
        }
    }
}

/// A frame's kind, channel and length, then the method's class and number, and the protocol's version.
const BEFORE_PROPERTIES: usize = 13;
/// No greeting is longer.
const MOST: usize = 16 * 1024;

/// Reads along until the server has said who it is.
#[derive(Debug, Default)]
pub(crate) struct Greeting(Vec<u8>);

impl Greeting {
    /// Takes what was read; answers once the greeting is complete, or is none.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Option<Server> {
        let room = MOST - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let is_full = self.0.len() == MOST;
        let properties = self.0.get(BEFORE_PROPERTIES..)?;
        match parse_field_table(properties) {
            Ok((_, properties)) => Some(server(&properties)),
            Err(lapin_error) if lapin_error.is_incomplete() && !is_full => None,
            Err(_) => Some(Server::default()),
        }
    }
}

fn server(properties: &FieldTable) -> Server {
    let text = |name: &str| match properties.inner().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        _ => String::new(),
    };
    Server { product: text("product"), version: text("version") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `connection.start` of a server that says who it is.
    fn frame() -> Vec<u8> {
        let mut table = Vec::new();
        for (name, value) in [("product", "RabbitMQ"), ("version", "3.10.8")] {
            table.push(name.len() as u8);
            table.extend(name.as_bytes());
            table.push(b'S');
            table.extend((value.len() as u32).to_be_bytes());
            table.extend(value.as_bytes());
        }
        let mut frame = vec![1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 10, 0, 9];
        frame.extend((table.len() as u32).to_be_bytes());
        frame.extend(table);
        frame
    }

    #[test]
    fn a_greeting_in_pieces_is_read() {
        let mut greeting = Greeting::default();
        let frame = frame();
        let (head, tail) = frame.split_at(30);
        assert_eq!(greeting.read(head), None);
        let server = greeting.read(tail).unwrap();
        assert_eq!(server.to_string(), "RabbitMQ 3.10.8");
        assert!(server.is_at_least(3, 10) && !server.is_at_least(4, 3));
    }

    #[test]
    fn something_else_that_answers_is_nobody() {
        let mut greeting = Greeting::default();
        let server = greeting.read(&[b'x'; MOST + 1]).unwrap();
        assert_eq!(server, Server::default());
        assert!(!server.is_at_least(3, 0));
    }
}
