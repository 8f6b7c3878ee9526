//! What is fed.

use std::fmt;

/// Something that parses.
pub trait Target {
    /// Names it, and the folder of its corpus.
    fn name(&self) -> &'static str;

    /// Words that its inputs are made of.
    fn words(&self) -> &'static [&'static str];

    /// Feeds one input; an error says which promise was broken.
    fn feed(&mut self, input: &[u8]) -> Result<Came, String>;
}

/// What came of an input: a sign such as `201` or `400 40001`. Inputs that lead to a sign which was
/// not seen before are worth keeping.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Came {
    /// Whether it was accepted.
    pub accepted: bool,
    /// Where it led.
    pub sign: String,
}

impl Came {
    /// It was accepted.
    pub fn accepted(sign: impl fmt::Display) -> Self {
        Self { accepted: true, sign: sign.to_string() }
    }

    /// It was refused, as it should be.
    pub fn refused(sign: impl fmt::Display) -> Self {
        Self { accepted: false, sign: sign.to_string() }
    }
}
