//! Tasks and their attempts as they are printed.

use crate::output::{Cell, Column, Record, Tone, column, wide};
use longshore::client::{Attempt, Submitted, Task};
use longshore::core::attempt::{AttemptOutcome, TaskError};
use longshore::core::{State, Timestamp};
use serde_json::value::RawValue;

impl Record for Task {
    const COLUMNS: &'static [Column] = &[
        column("ID"),
        column("KIND"),
        column("STATUS"),
        column("QUEUE"),
        column("TRY"),
        column("CREATED"),
        wide("RUN AT"),
        wide("STARTED"),
        wide("TOOK"),
        wide("RUN"),
        wide("PRIORITY"),
        wide("NAME"),
        wide("TAGS"),
        column("NOTE"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.name()),
            Cell::text(self.kind.clone()),
            Cell::state(self.status),
            Cell::text(self.queue.clone()),
            Cell::Text(format!("{}/{}", self.attempt, self.max_attempts)),
            Cell::Time(self.created_at),
            Cell::Time(self.run_at),
            Cell::time(self.started_at),
            took(self.started_at, self.finished_at),
            Cell::number(self.run),
            Cell::number(self.priority),
            Cell::text(self.name.clone()),
            Cell::text(self.tags.join(",")),
            Cell::text(note(self)),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}={value}"));
        let headers = headers.collect::<Vec<_>>().join(", ");
        let parents = self.parents.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let trace = self.error.as_ref().and_then(|error| error.trace.clone());
        let lines = [
            ("id", Cell::Text(self.id.to_string())),
            ("kind", Cell::text(self.kind.clone())),
            ("name", Cell::text(self.name.clone())),
            ("status", Cell::state(self.status)),
            ("blocked by", Cell::text(self.blocked_by.clone())),
            ("reason", Cell::text(self.reason.clone())),
            ("queue", Cell::text(self.queue.clone())),
            ("priority", Cell::number(self.priority)),
            ("run", Cell::number(self.run)),
            ("attempt", Cell::Text(format!("{} of {}", self.attempt, self.max_attempts))),
            ("crashes", Cell::maybe(Some(self.crashes).filter(|count| *count > 0))),
            ("created", Cell::Time(self.created_at)),
            ("run at", Cell::Time(self.run_at)),
            ("started", Cell::time(self.started_at)),
            ("finished", Cell::time(self.finished_at)),
            ("took", took(self.started_at, self.finished_at)),
            ("timeout", Cell::Span(self.timeout.0)),
            ("order key", Cell::text(self.order_key.clone())),
            ("tags", Cell::text(self.tags.join(", "))),
            ("headers", Cell::text(headers)),
            ("tenant", Cell::text(self.tenant.clone())),
            ("worker", Cell::text(self.worker.clone())),
            ("schedule", Cell::text(self.schedule_id.clone())),
            ("replay of", Cell::text(self.replay_of.map(|id| id.to_string()))),
            ("parents", Cell::text(parents)),
            ("group", Cell::text(self.group.clone())),
            ("trace id", Cell::text(self.trace_id.clone())),
            ("durability", Cell::text(self.durability.as_str().to_owned())),
            ("progress", json(self.progress.as_deref())),
            ("payload", json(self.payload.as_deref())),
            ("result", json(self.result.as_deref())),
            ("error", self.error.as_ref().map_or(Cell::Empty, failed)),
            ("error at", Cell::time(self.error.as_ref().map(|error| error.at))),
            ("trace", trace.map_or(Cell::Empty, Cell::Block)),
        ];
        lines.into_iter().filter(|(_, cell)| *cell != Cell::Empty).collect()
    }
}

/// Why it stands where it stands, where the status does not say it all.
fn note(task: &Task) -> Option<String> {
    let error = || {
        let error = task.error.as_ref().filter(|_| task.status != State::Success)?;
        Some(format!("{}: {}", error.class.as_str(), error.message))
    };
    let blocked = || task.blocked_by.as_ref().map(|by| format!("waits for its {by}"));
    let reason = || task.reason.clone().filter(|reason| !reason.is_empty());
    match (reason(), error()) {
        // The reason may be the error's class.
        (Some(reason), Some(error)) if !error.starts_with(&reason) => {
            Some(format!("{reason}; {error}"))
        }
        (Some(_), Some(error)) => Some(error),
        (reason, error) => reason.or(error).or_else(blocked),
    }
}

/// What went wrong the last time: class, code and sentence.
fn failed(error: &TaskError) -> Cell {
    let code = error.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
    Cell::Toned(format!("{}{code}: {}", error.class.as_str(), error.message), Tone::Bad)
}

fn took(from: Option<Timestamp>, until: Option<Timestamp>) -> Cell {
    match (from, until) {
        (Some(from), Some(until)) => Cell::Span(until.since(from)),
        _ => Cell::Empty,
    }
}

fn json(raw: Option<&RawValue>) -> Cell {
    raw.map_or(Cell::Empty, |raw| Cell::Block(raw.get().to_owned()))
}

impl Record for Attempt {
    const COLUMNS: &'static [Column] = &[
        column("RUN"),
        column("ATTEMPT"),
        column("OUTCOME"),
        column("STARTED"),
        column("TOOK"),
        wide("NEXT AT"),
        wide("TOKEN"),
        column("WORKER"),
        column("ERROR"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let error = self.error.as_ref();
        vec![
            Cell::number(self.run),
            Cell::number(self.attempt),
            self.outcome.map_or(Cell::Toned("running".into(), Tone::Busy), |outcome| {
                Cell::Toned(outcome.as_str().to_owned(), tone(outcome))
            }),
            Cell::Time(self.started_at),
            took(Some(self.started_at), self.ended_at),
            Cell::time(self.next_at),
            Cell::text(self.token.clone()),
            Cell::text(self.worker.clone()),
            Cell::text(error.map(|error| format!("{}: {}", error.class.as_str(), error.message))),
        ]
    }

    fn name(&self) -> String {
        self.token.clone()
    }
}

fn tone(outcome: AttemptOutcome) -> Tone {
    match outcome {
        AttemptOutcome::Success => Tone::Good,
        AttemptOutcome::Failed | AttemptOutcome::Crashed => Tone::Bad,
        AttemptOutcome::Retry | AttemptOutcome::Lost => Tone::Careful,
        _ => Tone::Faint,
    }
}

impl Record for Submitted {
    const COLUMNS: &'static [Column] =
        &[column("ID"), column("KIND"), column("STATUS"), column("QUEUE"), column("RUN AT")];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.id.to_string()),
            Cell::text(self.kind.clone()),
            Cell::state(self.status),
            Cell::text(self.queue.clone()),
            Cell::Time(self.run_at),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}

/// Shows a task in one line, for a sample.
pub(crate) fn line(task: &Task) -> String {
    let Task { id, kind, status, queue, .. } = task;
    let note = note(task).map(|note| format!("  {note}")).unwrap_or_default();
    let line = format!("{id}  {kind}  {}  {queue}{note}", status.as_str());
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect()
}
