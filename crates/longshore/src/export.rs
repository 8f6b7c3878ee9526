//! The kind `data.export`: the history of tasks as a file.
//!
//! Payload: `{"format": "csv" | "json", "filter": {"status": …, "queue": …, "kind": …, "tag": …,
//! "error": …}}`, all optional; the format is CSV by default. Result: `{"file", "rows"}`; the name is
//! relative to the data folder. Payloads and results of tasks are left out. The file appears under
//! its name when it is complete, and is on disk then; a repeated attempt writes it anew.

use crate::Error;
use longshore_core::state::STATES;
use longshore_core::store::{Filter, Store, StoreError};
use longshore_core::{KindName, QueueName, State, Task, TenantName};
use longshore_runtime::Kind;
use longshore_runtime::handler::{Cx, HandlerError, Payload, States, boxed};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;

/// The name of the kind.
pub const KIND: &str = "data.export";

/// Tasks that are read at once.
const PAGE: usize = 1_000;
/// Pages that may wait to be written.
const AHEAD: usize = 4;

/// The store, once it is open.
pub(crate) type Opened = Arc<OnceLock<Arc<dyn Store>>>;

#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Csv,
    Json,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    format: Format,
    filter: Which,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Which {
    status: Option<String>,
    queue: Option<QueueName>,
    kind: Option<KindName>,
    tag: Option<String>,
    error: Option<String>,
}

/// What was written.
#[derive(Debug, serde::Serialize)]
struct Written {
    file: String,
    rows: u64,
}

/// Makes the kind; files go into `exports` under `folder`.
pub(crate) fn kind(name: KindName, folder: PathBuf, store: Opened) -> Result<Kind, Error> {
    let handler = move |Payload(wish): Payload<Option<Wish>>, cx: Cx| {
        export(wish.unwrap_or_default(), cx, folder.clone(), store.clone())
    };
    match boxed(handler, &States::default()) {
        Ok(handler) => Ok(Kind::new(name, handler)),
        Err(source) => Err(Error::Handler { kind: KIND.to_owned(), source }),
    }
}

/// Returns the kind's name.
pub(crate) fn name() -> Result<KindName, Error> {
    KindName::new(KIND).map_err(|why| Error::Name { name: KIND.to_owned(), why })
}

async fn export(
    wish: Wish,
    cx: Cx,
    folder: PathBuf,
    store: Opened,
) -> Result<Written, HandlerError> {
    let store = store.get().ok_or_else(|| HandlerError::dependency("the store is not open"))?;
    let mut filter = filter_of(wish.filter, cx.tenant().clone())?;
    let ending = match wish.format {
        Format::Csv => "csv",
        Format::Json => "json",
    };
    let name = format!("exports/{}.{ending}", cx.id());
    let path = folder.join(&name);
    let (pages, told) = mpsc::channel(AHEAD);
    let writing = tokio::task::spawn_blocking(move || write(&path, wish.format, told));
    let mut read = 0_u64;
    loop {
        let page = match store.page(filter.clone()).await {
            Ok(page) => page,
            Err(error @ StoreError::Deadline { .. }) => {
                tracing::debug!(%error, "a page of the export came too slowly");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        read += page.items.len() as u64;
        // If the writer is gone, it has the reason.
        if pages.send(page.items).await.is_err() || page.next.is_none() {
            break;
        }
        filter.before = page.next;
        let _ = cx.progress(serde_json::json!({ "rows": read }));
        if cx.is_stopped() {
            return Err(HandlerError::release());
        }
    }
    // Said last, so that a file is complete only if every page came.
    let _ = pages.send(Vec::new()).await;
    drop(pages);
    let rows = writing.await??;
    Ok(Written { file: name, rows })
}

fn filter_of(which: Which, tenant: TenantName) -> Result<Filter, HandlerError> {
    let states: Vec<State> = match &which.status {
        None => Vec::new(),
        Some(word) => match STATES.iter().find(|state| state.as_str() == word) {
            Some(state) => vec![*state],
            None => {
                let known = STATES.map(State::as_str).join(", ");
                let message = format!("filter.status: \"{word}\" is not one of {known}");
                return Err(HandlerError::bad_data(message));
            }
        },
    };
    Ok(Filter {
        tenant: Some(tenant),
        states,
        queue: which.queue,
        kind: which.kind,
        tag: which.tag,
        error: which.error,
        limit: PAGE,
        ..Filter::default()
    })
}

/// Writes the pages until an empty one says that it is over; returns the number of rows.
fn write(
    path: &Path,
    format: Format,
    mut pages: mpsc::Receiver<Vec<Task>>,
) -> std::io::Result<u64> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let partial = path.with_extension("partial");
    let mut file = BufWriter::new(File::create(&partial)?);
    let mut rows = 0_u64;
    let mut complete = false;
    match format {
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut file);
            csv.write_record(COLUMNS.map(|(name, _)| name)).map_err(std::io::Error::other)?;
            while let Some(page) = pages.blocking_recv() {
                complete = page.is_empty();
                for task in &page {
                    let cells = COLUMNS.map(|(_, cell)| cell(task).unwrap_or_default());
                    csv.write_record(cells).map_err(std::io::Error::other)?;
                    rows += 1;
                }
            }
            csv.flush()?;
        }
        Format::Json => {
            file.write_all(b"[")?;
            while let Some(page) = pages.blocking_recv() {
                complete = page.is_empty();
                for task in &page {
                    let cells = COLUMNS.map(|(name, cell)| (name.to_owned(), cell(task).into()));
                    let row: serde_json::Map<String, serde_json::Value> =
                        cells.into_iter().collect();
                    file.write_all(if rows == 0 { b"\n" } else { b",\n" })?;
                    serde_json::to_writer(&mut file, &row)?;
                    rows += 1;
                }
            }
            file.write_all(b"\n]\n")?;
        }
    }
    if !complete {
        std::fs::remove_file(&partial)?;
        return Err(std::io::Error::other("the export was given up"));
    }
    file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    std::fs::rename(&partial, path)?;
    File::open(folder)?.sync_all()?;
    Ok(rows)
}

type Column = (&'static str, fn(&Task) -> Option<String>);

/// The columns, named as the API names the fields.
const COLUMNS: [Column; 24] = [
    ("id", |task| Some(task.id.to_string())),
    ("kind", |task| Some(task.kind.to_string())),
    ("name", |task| task.name.clone()),
    ("queue", |task| Some(task.queue.to_string())),
    ("tenant", |task| Some(task.tenant.to_string())),
    ("status", |task| Some(task.state.as_str().to_owned())),
    ("reason", |task| task.reason.clone()),
    ("priority", |task| Some(task.priority.to_string())),
    ("run", |task| Some(task.run.to_string())),
    ("attempt", |task| Some(task.attempt.to_string())),
    ("max_attempts", |task| Some(task.max_attempts.to_string())),
    ("crashes", |task| Some(task.crashes.to_string())),
    ("created_at", |task| Some(task.created_at.to_string())),
    ("run_at", |task| Some(task.run_at.to_string())),
    ("started_at", |task| task.started_at.map(|at| at.to_string())),
    ("finished_at", |task| task.finished_at.map(|at| at.to_string())),
    ("error_class", |task| Some(task.error.as_ref()?.class.as_str().to_owned())),
    ("error_code", |task| task.error.as_ref()?.code.clone()),
    ("error_message", |task| Some(task.error.as_ref()?.message.clone())),
    ("order_key", |task| task.order_key.clone()),
    ("tags", |task| (!task.tags.is_empty()).then(|| task.tags.join(" "))),
    ("worker", |task| task.worker.as_deref().map(str::to_owned)),
    ("replay_of", |task| task.replay_of.map(|id| id.to_string())),
    ("schedule_id", |task| task.schedule_id.map(|id| id.to_string())),
];
