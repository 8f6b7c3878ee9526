//! Query parameters: known ones are read, others are refused, never ignored.

use super::value::Wrong;
use crate::problem::{NOT_AVAILABLE, Problem};
use longshore_core::Span;
use longshore_runtime::FieldError;
use longshore_runtime::nearest::nearest;
use std::time::Duration;

/// Longest `wait`.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);

/// The parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    faults: Vec<FieldError>,
}

impl Query {
    /// Reads the query string. `known` may be given; `later` are documented but not built yet.
    pub(crate) fn read(raw: Option<&str>, known: &[&str], later: &[&str]) -> Result<Self, Problem> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
        let mut query = Self { pairs, faults: Vec::new() };
        let mut missing = false;
        for (name, _) in &query.pairs {
            if later.contains(&name.as_str()) {
                missing = true;
                query.faults.push(FieldError::new(name, NOT_AVAILABLE));
            } else if !known.contains(&name.as_str()) {
                let near = nearest(name, known.iter().chain(later).copied());
                query.faults.push(FieldError::new(name, unknown("parameter", &near)));
            }
        }
        if missing {
            return Err(Problem::not_available(query.faults));
        }
        Ok(query)
    }

    /// Refuses every parameter of a request that knows none.
    pub(crate) fn none(raw: Option<&str>) -> Result<(), Problem> {
        Self::read(raw, &[], &[])?.finish()
    }

    /// Reads a parameter that may be given once; an empty one counts as not given.
    pub(crate) fn one<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let mut values =
            self.pairs.iter().filter(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v);
        let value = values.next()?;
        let fault = if values.next().is_some() {
            "may be given once".into()
        } else {
            match read(value) {
                Ok(read) => return Some(read),
                Err(wrong) => wrong,
            }
        };
        self.faults.push(FieldError::new(name, fault));
        None
    }

    /// Reads a parameter that may be repeated, or hold several values between commas.
    pub(crate) fn many<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&str) -> Result<T, Wrong>,
    ) -> Vec<T> {
        let given = self.pairs.iter().filter(|(n, _)| n == name);
        let words = given.flat_map(|(_, value)| value.split(',')).map(str::trim);
        let mut found = Vec::new();
        for word in words.filter(|word| !word.is_empty()) {
            match read(word) {
                Ok(value) => found.push(value),
                Err(wrong) => self.faults.push(FieldError::new(name, wrong)),
            }
        }
        found
    }

    /// Returns whether a parameter is there, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(n, _)| n == name)
    }

    /// Reads `wait`: how long to wait for the end of a task.
    pub(crate) fn wait(&mut self) -> Option<Duration> {
        if self.has("wait") && self.pairs.iter().all(|(n, v)| n != "wait" || v.is_empty()) {
            self.faults.push(FieldError::new("wait", longshore_core::span::BadSpan.to_string()));
        }
        self.one("wait", |value| {
            let seconds = value.parse().ok().and_then(|number| Span::from_seconds(number).ok());
            let Some(Span(wait)) = seconds.or_else(|| value.parse().ok()) else {
                return Err(longshore_core::span::BadSpan.to_string());
            };
            if wait > MAX_WAIT { Err("must be at most 60s".into()) } else { Ok(wait) }
        })
    }

    /// Ends the reading: an error if anything was wrong.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::fields(self.faults)) }
    }
}

/// Says that a name is unknown, and which ones are near it.
pub(crate) fn unknown(what: &str, near: &[&str]) -> String {
    match near {
        [] => format!("is not a known {what}"),
        near => format!("is not a known {what}; did you mean {}?", near.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(raw: &str) -> Result<Option<Duration>, u32> {
        let number = |problem: Problem| problem.code().number;
        let mut query = Query::read(Some(raw), &["wait"], &["q"]).map_err(number)?;
        let wait = query.wait();
        query.finish().map_err(number)?;
        Ok(wait)
    }

    #[test]
    fn a_wait_is_a_duration_of_at_most_a_minute() {
        assert_eq!(wait("wait=10s"), Ok(Some(Duration::from_secs(10))));
        assert_eq!(wait("wait=60"), Ok(Some(MAX_WAIT)));
        assert_eq!(wait(""), Ok(None));
        for bad in ["wait=61s", "wait=soon", "wait=1s&wait=2s", "wait", "wait=", "wait=-1"] {
            assert_eq!(wait(bad), Err(40001), "{bad}");
        }
    }

    #[test]
    fn unknown_parameters_are_named_with_their_neighbour() {
        let query = Query::read(Some("wiat=1s"), &["wait"], &[]).unwrap();
        let body = query.finish().unwrap_err().body("", "");
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("wiat") && body.contains("did you mean wait?"), "{body}");
        assert_eq!(wait("q=payload.a:1"), Err(40010));
    }

    #[test]
    fn values_are_repeated_or_listed() {
        let mut query = Query::read(Some("s=a,b&s=c&s="), &["s"], &[]).unwrap();
        assert_eq!(query.many("s", |word| Ok(word.to_owned())), ["a", "b", "c"]);
        assert!(query.finish().is_ok());
    }
}
