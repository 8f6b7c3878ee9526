//! How does an upload become files in the background? `POST /pictures` keeps the bytes, a task makes
//! three thumbnails of them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Result as Answer};
use axum::{Router, extract::DefaultBodyLimit, routing::post};
use bytes::Bytes;
use image::{ImageReader, Limits};
use longshore::core::TaskId;
use longshore::handler::{Cx, HandlerError, Payload, State};
use longshore::http::Problem;
use longshore::{Builder, Engine, QueueSettings, Submission};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Longest edge of each thumbnail, in pixels.
const SIZES: [u32; 3] = [64, 128, 256];
/// Longest edge of a picture, in pixels.
const MAX_EDGE: u32 = 10_000;
/// Largest upload, in bytes.
const MAX_UPLOAD: usize = 10 << 20;

/// Where uploads and thumbnails are.
#[derive(Debug, Clone)]
struct Folder(PathBuf);

/// What the task is given: an id and not a path, so that nobody can name a file elsewhere.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Upload {
    id: TaskId,
}

/// Keeps the bytes, then asks for the task. If the process dies in between, a file is left over; the
/// other way round, a task would look for a file that was never written.
async fn upload(engine: Engine, folder: PathBuf, bytes: Bytes) -> Answer<impl IntoResponse> {
    let id = TaskId::fresh();
    keep(&folder.join(id.to_string()), &bytes)
        .await
        .map_err(|_| StatusCode::INSUFFICIENT_STORAGE)?;
    let wish = Submission::new("picture.shrink").payload(&Upload { id }).map_err(Problem::from)?;
    let task = engine.intake().submit(wish).await.map_err(Problem::from)?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, format!("/v1/tasks/{}", task.id))]))
}

async fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = tokio::fs::File::create_new(path).await?;
    file.write_all(bytes).await?;
    file.sync_all().await // the task will be on disk, so the picture must be too
}

/// Runs each task and returns the names of the files. It may run twice for one task, and then writes
/// the same files again.
async fn shrink(
    Payload(upload): Payload<Upload>,
    State(Folder(folder)): State<Folder>,
    cx: Cx,
) -> Result<Vec<String>, HandlerError> {
    let bytes = tokio::fs::read(folder.join(upload.id.to_string())).await?;
    // Off the threads that all handlers share: this one computes and does not wait.
    tokio::task::spawn_blocking(move || thumbnails(&bytes, &folder, upload.id, &cx)).await?
}

fn thumbnails(
    bytes: &[u8],
    folder: &Path,
    id: TaskId,
    cx: &Cx,
) -> Result<Vec<String>, HandlerError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_EDGE);
    limits.max_image_height = Some(MAX_EDGE);
    reader.limits(limits);
    // The same bytes will not decode next time either: no second attempt.
    let picture = reader.decode().map_err(|why| HandlerError::bad_data(why.to_string()))?;
    let mut made = Vec::new();
    for size in SIZES {
        if cx.is_stopped() {
            return Err(HandlerError::release());
        }
        let file = format!("{id}-{size}.png");
        picture.thumbnail(size, size).save(folder.join(&file))?;
        made.push(file);
        cx.progress(format!("{} of {}", made.len(), SIZES.len()))?;
    }
    Ok(made)
}

fn service(folder: PathBuf) -> Builder {
    let two_at_once = QueueSettings { slots: Some(2), ..QueueSettings::default() };
    longshore::builder()
        .store(format!("embedded:{}", folder.join("tasks").display()))
        .queue("default", two_at_once)
        .state(Folder(folder.clone()))
        .handler_with("picture.shrink", shrink, |kind| kind.timeout(Duration::from_secs(30)))
        .routes_with(|engine| {
            let take = post(move |bytes: Bytes| upload(engine, folder, bytes));
            Router::new().route("/pictures", take.layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        })
}

#[tokio::main]
async fn main() -> Result<(), longshore::Error> {
    let folder = PathBuf::from("./pictures");
    std::fs::create_dir_all(&folder)?;
    service(folder).run().await
}

#[cfg(test)]
mod tests;
