//! Texts that must not be seen, and how a file refers to them.

use std::fmt;
use std::sync::Arc;

/// A text that prints as `***`, in `Debug`, `Display` and JSON alike.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the text itself: for where it is used, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("***")
    }
}

/// An address that may hold secrets: it prints without them.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    shown: String,
}

impl Address {
    /// Takes the address itself and what of it may be seen.
    pub(super) fn new(text: impl Into<String>, shown: impl Into<String>) -> Self {
        Self { text: text.into(), shown: shown.into() }
    }

    /// Returns the address itself: for where it is used, never for a log.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, f)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Puts the values of variables in place of each `${NAME}`. `$${` stands for `${` itself.
pub(super) fn interpolate<'e>(
    text: &str,
    variable: impl Fn(&str) -> Option<&'e str>,
) -> Result<String, String> {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        if let Some(escaped) = before.strip_suffix('$') {
            done.push_str(escaped);
            done.push_str("${");
            rest = &after[2..];
            continue;
        }
        done.push_str(before);
        let (name, tail) = after[2..]
            .split_once('}')
            .ok_or("has a \"${\" without its \"}\"; write \"$${\" for the characters themselves")?;
        if !is_variable(name) {
            return Err(format!("\"${{{name}}}\" names no environment variable"));
        }
        done.push_str(variable(name).ok_or_else(|| {
            format!("the environment variable {name} is not set; set it before starting")
        })?);
        rest = tail;
    }
    done.push_str(rest);
    Ok(done)
}

/// Whether a variable of the environment may be called so.
pub(super) fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        interpolate(text, |name| (name == "WHO").then_some("me"))
    }

    #[test]
    fn variables_are_put_in_and_a_doubled_dollar_keeps_the_text() {
        assert_eq!(filled("a ${WHO} b ${WHO}").as_deref(), Ok("a me b me"));
        assert_eq!(filled("$${WHO} $5 {x}").as_deref(), Ok("${WHO} $5 {x}"));
    }

    #[test]
    fn a_variable_that_is_missing_is_named() {
        assert!(filled("${NOBODY}").unwrap_err().contains("NOBODY is not set"));
        assert!(filled("${WHO").unwrap_err().contains("without its"));
        assert!(filled("${a-b}").unwrap_err().contains("names no"));
    }

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2");
        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert_eq!(shown, "*** *** \"***\"");
    }
}
