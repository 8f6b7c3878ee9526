//! What a refused declaration says: RabbitMQ tells in a sentence what differs.

use longshore_core::broker::Difference;

/// Reads `inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type 'longstr'
/// but current is none`, or takes the whole sentence.
pub(crate) fn difference(object: &str, text: &str) -> Difference {
    let property = after(text, "inequivalent arg '").and_then(|rest| rest.split('\'').next());
    let (wanted, found) = match text.split_once("received ").map(|(_, rest)| rest) {
        Some(rest) => match rest.split_once(" but current is ") {
            Some((wanted, found)) => (value(wanted), Some(value(found))),
            None => (value(rest), None),
        },
        None => (text.to_owned(), None),
    };
    Difference {
        object: object.to_owned(),
        property: property.unwrap_or("properties").to_owned(),
        wanted,
        found,
    }
}

fn after<'t>(text: &'t str, words: &str) -> Option<&'t str> {
    text.split_once(words).map(|(_, rest)| rest)
}

/// `the value 'quorum' of type 'longstr'` is `quorum`; `none` and `'fanout'` are what they say.
fn value(words: &str) -> String {
    let words = words.strip_prefix("the value ").unwrap_or(words);
    match words.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
        Some((value, _)) => value.to_owned(),
        None => words.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String, Option<String>) {
        let Difference { property, wanted, found, .. } = difference("queue q", text);
        (property, wanted, found)
    }

    #[test]
    fn sentences_of_the_server_become_differences() {
        for (text, property, wanted, found) in [
            (
                "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
                "x-queue-type",
                "quorum",
                Some("none"),
            ),
            (
                "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received none but current is the value '100' of type 'long'",
                "x-delivery-limit",
                "none",
                Some("100"),
            ),
            (
                "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
                "durable",
                "true",
                Some("false"),
            ),
            (
                "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'e' in vhost '/': received 'fanout' but current is 'topic'",
                "type",
                "fanout",
                Some("topic"),
            ),
        ] {
            let expected = (property.to_owned(), wanted.to_owned(), found.map(str::to_owned));
            assert_eq!(parts(text), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_as_it_is() {
        let text = "PRECONDITION_FAILED - something new";
        assert_eq!(parts(text), ("properties".to_owned(), text.to_owned(), None));
    }
}
