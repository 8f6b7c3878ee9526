//! The example as it stands, on the pictures beside it.

use crate::{MAX_UPLOAD, service};
use longshore::client::{ListFilter, Task};
use longshore::core::{FaultClass, State, TaskId};
use longshore::{Client, Service};
use std::net::SocketAddr;
use std::time::Duration;

const HARBOUR: &[u8] = include_bytes!("../pictures/harbour.png");
const DUSK: &[u8] = include_bytes!("../pictures/dusk.jpg");

async fn start(folder: &tempfile::TempDir) -> (Service, Client) {
    let service = service(folder.path().to_owned())
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .start()
        .await
        .expect("it starts");
    let client = Client::connect(&format!("http://{}", service.addr())).expect("an address");
    (service, client)
}

/// Uploads it; returns the status and where the task is.
async fn post(client: &Client, picture: &[u8]) -> (u16, Option<TaskId>) {
    let http = longshore::runtime::outgoing::builder().expect("TLS").build().expect("a client");
    let url = format!("{}pictures", client.url());
    let answer = http.post(url).body(picture.to_vec()).send().await.expect("an answer");
    let at = answer.headers().get("location").map(|at| at.to_str().expect("a path"));
    let id = at.map(|at| at.trim_start_matches("/v1/tasks/").parse().expect("an id"));
    (answer.status().as_u16(), id)
}

/// Uploads it, and returns what became of the task.
async fn shrunk(client: &Client, picture: &[u8]) -> Task {
    let (status, id) = post(client, picture).await;
    assert_eq!(status, 202);
    let (id, patience) = (id.expect("a task"), Duration::from_secs(30));
    client.tasks().wait(id, patience).await.expect("it is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_picture_gets_three_thumbnails_of_its_own_shape() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, client) = start(&folder).await;
    for (picture, expected) in [
        (HARBOUR, [(64, 43), (128, 85), (256, 171)]), // 480 x 320
        (DUSK, [(48, 64), (96, 128), (192, 256)]),    // 300 x 400
    ] {
        let task = shrunk(&client, picture).await;
        assert_eq!((task.status, task.attempt), (State::Success, 1), "{:?}", task.error);
        let result = task.result.expect("a result");
        let files: Vec<String> = serde_json::from_str(result.get()).expect("names");
        let sizes = files.iter().map(|file| image::image_dimensions(folder.path().join(file)));
        let sizes: Vec<_> = sizes.map(|size| size.expect("a picture")).collect();
        assert_eq!(sizes, expected);
    }
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_whole_picture_are_dead_letters_after_one_attempt() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, client) = start(&folder).await;
    let mut ids = Vec::new();
    for bytes in [&b"a letter, not a picture"[..], &HARBOUR[..HARBOUR.len() / 2], b""] {
        let task = shrunk(&client, bytes).await;
        let error = task.error.expect("an error");
        assert_eq!((task.status, task.attempt), (State::Failed, 1), "{error:?}");
        assert_eq!(error.class, FaultClass::BadData, "{error:?}");
        ids.insert(0, task.id);
    }
    let dead = client.dead_letters().list(&ListFilter::new()).await.expect("a list");
    assert_eq!(dead.items.iter().map(|task| task.id).collect::<Vec<_>>(), ids);
    service.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_too_large_makes_no_task() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, client) = start(&folder).await;
    assert_eq!(post(&client, &vec![0; MAX_UPLOAD + 1]).await, (413, None));
    let tasks = client.tasks().list(&ListFilter::new()).await.expect("a list");
    assert!(tasks.items.is_empty());
    service.stop(Duration::from_secs(5)).await;
}
