//! What has to be there: topics, groups, and what they match.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Longest name in bytes, the shortest of all brokers'.
const MAX: usize = 249;

/// A name that no broker takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 249 printable ASCII characters, and no space, * or #")]
pub struct BadName;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes 1 to 249 printable ASCII characters without space, `*` and `#`.
            pub fn new(name: &str) -> Result<Self, BadName> {
                let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'*' && byte != b'#';
                let is_name = (1..=MAX).contains(&name.len()) && name.bytes().all(fits);
                if is_name { Ok(Self(name.into())) } else { Err(BadName) }
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(name: &str) -> Result<Self, BadName> {
                Self::new(name)
            }
        }
    };
}

name! {
    /// Where messages are published: words with dots between them, as `orders.created.eu`.
    TopicName
}
name! {
    /// Who shares what is received.
    GroupName
}

/// A pattern that matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be words with dots between them; * stands for one word, # for any number; 1 to 249 characters"
)]
pub struct BadPattern;

/// Topics: `*` stands for one word, `#` for any number of words, none included.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// Takes a topic's name in which whole words may be `*` or `#`.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        let is_word = |word: &str| matches!(word, "*" | "#") || !word.contains(['*', '#']);
        let fits = (1..=MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && text.split('.').all(is_word);
        if fits { Ok(Self(text.into())) } else { Err(BadPattern) }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is the name of one topic.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '#'])
    }

    /// Returns whether a topic matches.
    ///
    /// ```
    /// use longshore_core::broker::{Pattern, TopicName};
    ///
    /// let topic = TopicName::new("orders.created.eu").unwrap();
    /// let matches = |pattern: &str| Pattern::new(pattern).unwrap().matches(&topic);
    /// assert!(matches("orders.*.eu") && matches("orders.#") && matches("#.eu"));
    /// assert!(!matches("orders.*") && !matches("orders"));
    /// ```
    pub fn matches(&self, topic: &TopicName) -> bool {
        let pattern: Vec<&str> = self.0.split('.').collect();
        let words: Vec<&str> = topic.as_str().split('.').collect();
        // Which beginnings of the pattern match the words so far.
        let mut open = vec![false; pattern.len() + 1];
        open[0] = true;
        let skip = |open: &mut [bool]| {
            for at in 0..pattern.len() {
                open[at + 1] |= open[at] && pattern[at] == "#";
            }
        };
        skip(&mut open);
        for word in words {
            let mut next = vec![false; open.len()];
            for at in 0..pattern.len() {
                if open[at] && (pattern[at] == "*" || pattern[at] == word) {
                    next[at + 1] = true;
                }
                next[at] |= open[at] && pattern[at] == "#";
            }
            skip(&mut next);
            open = next;
        }
        open[pattern.len()]
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&TopicName> for Pattern {
    fn from(topic: &TopicName) -> Self {
        Self(topic.0.clone())
    }
}

/// What only one sort of broker knows, as it is written in the configuration: the driver reads and checks it.
pub type Options = BTreeMap<String, String>;

/// A topic that has properties of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// For the driver.
    pub options: Options,
}

/// Who shares what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// What it gets. With none, only what is published to the group itself.
    pub patterns: Vec<Pattern>,
    /// One subscription at a time.
    pub single_active: bool,
    /// The group that gets its dead letters; nothing: there can be none.
    pub dead: Option<GroupName>,
    /// How often a message may be handed out before the broker itself puts it aside, where it can: a breaker far above
    /// what any policy of retries needs.
    pub breaker: u32,
    /// For the driver.
    pub options: Options,
}

impl Group {
    /// A group without patterns, whose dead letters go to `NAME.dead`.
    pub fn new(name: GroupName) -> Self {
        let dead = GroupName::new(&format!("{name}.dead")).ok();
        let (patterns, options) = (Vec::new(), Options::new());
        Self { name, patterns, single_active: false, dead, breaker: 100, options }
    }

    /// Adds a pattern.
    #[must_use]
    pub fn matching(mut self, pattern: Pattern) -> Self {
        self.patterns.push(pattern);
        self
    }
}

/// All that has to be there. Groups for dead letters come by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// Topics with properties of their own.
    pub topics: Vec<Topic>,
    /// Groups.
    pub groups: Vec<Group>,
}

impl Topology {
    /// One group.
    pub fn of(group: Group) -> Self {
        Self { topics: Vec::new(), groups: vec![group] }
    }
}

/// What is done about what is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeclareMode {
    /// It is created.
    #[default]
    Declare,
    /// It is told, and nothing is created.
    Verify,
    /// Nobody looks.
    Off,
}

/// Something that is not as it was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is, in the broker's words: `queue shipping`.
    pub object: String,
    /// What differs: `x-queue-type`.
    pub property: String,
    /// As declared.
    pub wanted: String,
    /// As it is there, if the broker tells.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, property, wanted, found } = self;
        let found = found.as_deref().unwrap_or("something else");
        write!(f, "{object}: {property} is {found}, and should be {wanted}")
    }
}

/// What was declared and was not there, and what is there and differs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopologyDiff {
    /// In the broker's words. Created, or with `Verify` only missing.
    pub missing: Vec<String>,
    /// Left as it is.
    pub different: Vec<Difference>,
}

impl TopologyDiff {
    /// Returns whether everything is as declared.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty()
    }
}

impl fmt::Display for TopologyDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.missing.iter().map(|object| format!("{object} is missing"));
        let different = self.different.iter().map(Difference::to_string);
        f.write_str(&missing.chain(different).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, topic: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(&TopicName::new(topic).unwrap())
    }

    #[test]
    fn patterns_match_word_by_word() {
        for (pattern, topic, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("*", "a", true),
            ("*", "a.b", false),
            ("#", "a.b.c", true),
            ("a.#", "a", true),
            ("#.c", "c", true),
            ("#.b.#", "a.b.c", true),
            ("#.b.#", "a.c", false),
            ("*.#.*", "a.b", true),
            ("*.#.*", "a", false),
            ("a.*.c", "a.b.c", true),
            ("#.#", "a", true),
        ] {
            assert_eq!(matches(pattern, topic), expected, "{pattern} {topic}");
        }
    }

    #[test]
    fn names_and_patterns_are_checked() {
        for bad in ["", "a b", "a\n", "ä", "a*", "a.#", &"x".repeat(250)] {
            assert_eq!(TopicName::new(bad), Err(BadName), "{bad:?}");
        }
        for bad in ["", "a*", "a.b#", "a b", "**"] {
            assert_eq!(Pattern::new(bad), Err(BadPattern), "{bad:?}");
        }
        assert!(Pattern::new("orders/created.*").is_ok());
    }

    /// The rule itself, word by word.
    fn plain(pattern: &[&str], words: &[&str]) -> bool {
        match (pattern, words) {
            ([], []) => true,
            (["#", rest @ ..], words) => {
                (0..=words.len()).any(|taken| plain(rest, &words[taken..]))
            }
            (["*", rest @ ..], [_, more @ ..]) => plain(rest, more),
            ([word, rest @ ..], [first, more @ ..]) => word == first && plain(rest, more),
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn every_pattern_matches_by_the_rule(
            pattern in "([ab*#]\\.){0,4}[ab*#]",
            topic in "([ab]\\.){0,4}[ab]",
        ) {
            let words = |text: &'static str| text.split('.').collect::<Vec<_>>();
            let (leaked, topics) = (pattern.clone().leak(), topic.clone().leak());
            let expected = plain(&words(leaked), &words(topics));
            proptest::prop_assert_eq!(matches(&pattern, &topic), expected);
        }
    }
}
