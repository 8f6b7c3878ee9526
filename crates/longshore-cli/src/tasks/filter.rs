//! Which tasks: filters, and how many of them.

use super::ls::Extent;
use crate::failure::Failure;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use longshore::Client;
use longshore::client::{ListFilter, Page, Task};
use longshore::core::state::STATES;
use longshore::core::{Clock, Span, State, SystemClock, Timestamp};
use std::str::FromStr;

/// Most tasks of one request.
const PAGE: usize = 1_000;

/// Which tasks; all that is given must hold.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filter {
    /// Of this status; several with commas
    #[arg(
        long,
        value_name = "STATUS",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(STATES.map(State::as_str)).map(state)
    )]
    status: Vec<State>,
    /// Of this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// With this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Accepted in the last `1h`, or `gt:TIME`, `gte:`, `lt:`, `lte:` with an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    created: Vec<Created>,
    /// Failed for good with an error of this class or code, such as `timeout`
    #[arg(long, value_name = "ERROR")]
    error: Option<String>,
}

fn state(word: String) -> State {
    // The parser before it lets only these through.
    word.parse().unwrap_or(State::Failed)
}

/// One end of when tasks were accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Created {
    After(Timestamp),
    Before(Timestamp),
}

impl FromStr for Created {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(Span(span)) = text.parse() {
            let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            return Ok(Self::After(Timestamp(SystemClock.now().0.saturating_sub(millis))));
        }
        let wrong = || {
            "must be how long ago at most, such as 1h, or gt:, gte:, lt: or lte: and a time, such \
             as gt:2026-11-20T09:00:00Z"
                .to_owned()
        };
        let (word, time) = text.split_once(':').ok_or_else(wrong)?;
        let Timestamp(at) = Timestamp::parse(time).ok_or_else(wrong)?;
        match word {
            "gt" => Ok(Self::After(Timestamp(at))),
            "gte" => Ok(Self::After(Timestamp(at.saturating_sub(1)))),
            "lt" => Ok(Self::Before(Timestamp(at))),
            "lte" => Ok(Self::Before(Timestamp(at.saturating_add(1)))),
            _ => Err(wrong()),
        }
    }
}

impl Filter {
    /// Returns whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { status, queue, kind, tag, created, error } = self;
        status.is_empty()
            && queue.is_none()
            && kind.is_none()
            && tag.is_none()
            && created.is_empty()
            && error.is_none()
    }

    /// Asks for these states, unless others were asked for.
    pub(crate) fn or_states(mut self, states: &[State]) -> Self {
        if self.status.is_empty() {
            self.status = states.to_vec();
        }
        self
    }

    /// Returns where it is answered: errors are only looked for among dead letters.
    pub(crate) fn of(&self, of: Of) -> Of {
        if self.error.is_some() { Of::DeadLetters } else { of }
    }

    /// Returns it as the client takes it.
    pub(crate) fn list(&self) -> ListFilter {
        let mut list = ListFilter::new();
        for state in &self.status {
            list = list.status(*state);
        }
        if let Some(queue) = &self.queue {
            list = list.queue(queue);
        }
        if let Some(kind) = &self.kind {
            list = list.kind(kind);
        }
        if let Some(tag) = &self.tag {
            list = list.tag(tag);
        }
        if let Some(error) = &self.error {
            list = list.error(error);
        }
        for created in &self.created {
            list = match created {
                Created::After(at) => list.created_after(*at),
                Created::Before(at) => list.created_before(*at),
            };
        }
        list
    }
}

/// What is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    /// Tasks.
    Tasks,
    /// Dead letters.
    DeadLetters,
}

impl Of {
    async fn page(self, client: &Client, filter: &ListFilter) -> Result<Page<Task>, Failure> {
        Ok(match self {
            Self::Tasks => client.tasks().list(filter).await?,
            Self::DeadLetters => client.dead_letters().list(filter).await?,
        })
    }
}

/// Walks over the tasks that a filter finds, page by page, newest first; returns whether there are
/// more than were wanted.
pub(crate) async fn list(
    client: &Client,
    of: Of,
    filter: &ListFilter,
    extent: Extent,
    mut take: impl FnMut(Vec<Task>) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let mut left = extent.most();
    let mut cursor: Option<String> = None;
    loop {
        let mut page = filter.clone().limit(left.clamp(1, PAGE));
        if let Some(cursor) = cursor {
            page = page.after(cursor);
        }
        let Page { items, next_cursor } = of.page(client, &page).await?;
        left = left.saturating_sub(items.len());
        take(items)?;
        match next_cursor {
            None => return Ok(false),
            Some(_) if left == 0 => return Ok(true),
            next => cursor = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_two_ends_and_may_be_an_age() {
        let at = Timestamp::parse("2026-11-20T09:00:00Z").unwrap();
        assert_eq!("gt:2026-11-20T09:00:00Z".parse(), Ok(Created::After(at)));
        assert_eq!(
            "gte:2026-11-20T10:00:00+01:00".parse(),
            Ok(Created::After(Timestamp(at.0 - 1)))
        );
        assert_eq!("lte:2026-11-20T09:00:00Z".parse(), Ok(Created::Before(Timestamp(at.0 + 1))));
        assert!(matches!("1h30m".parse(), Ok(Created::After(_))));
        for bad in ["", "yesterday", "after:2026-11-20T09:00:00Z", "gt:2026-11-20"] {
            assert!(bad.parse::<Created>().is_err(), "{bad}");
        }
    }
}
