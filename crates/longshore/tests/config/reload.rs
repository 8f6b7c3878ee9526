//! What is new after a reload, and noticing that one is due.

use crate::Place;
use longshore::config::{Config, Watch};
use std::os::unix::fs::symlink;
use std::time::Duration;

/// No event takes longer than this, unless it never comes.
const SOON: Duration = Duration::from_secs(20);

fn names<N: ToString>(names: &[N]) -> Vec<String> {
    names.iter().map(N::to_string).collect()
}

#[test]
fn what_can_be_applied_and_what_needs_a_restart_are_kept_apart() {
    let old = "server: { drain: 1s }\nqueues: { a: { slots: 1 }, b: {} }\nkinds: { k: { command: [wc] }, l: { command: [wc] } }\n";
    let new = "# a line more\nserver: { drain: 2s }\nqueues: { a: { slots: 2 }, c: {} }\nkinds: { k: { command: [wc], retry: { base: 2s } }, l: { command: [wc] }, m: { command: [wc] } }\n";
    let place = Place::with("longshore.yaml", old);
    let old = place.load().unwrap();
    place.write("longshore.yaml", new);
    let new = place.load().unwrap();

    let changes = Config::diff(&old, &new);

    assert_eq!(names(&changes.queues.added), ["c"]);
    assert_eq!(names(&changes.queues.changed), ["a"]);
    assert_eq!(names(&changes.queues.removed), ["b"]);
    assert_eq!(names(&changes.kinds.added), ["m"]);
    assert_eq!(names(&changes.kinds.changed), ["k"]);
    let restart: Vec<String> = names(&changes.restart);
    assert_eq!(restart.len(), 1);
    assert!(restart[0].starts_with("server.drain: 1s → 2s ("), "{restart:?}");
    let base = changes.applied.iter().find(|change| change.key == "kinds.k.retry.base").unwrap();
    assert_eq!(
        (base.from.as_ref().unwrap(), base.to.as_ref().unwrap()),
        (&"1s".into(), &"2s".into())
    );
}

#[test]
fn brokers_and_consumers_wait_for_a_restart_and_passwords_are_not_told() {
    let text = "brokers: { main: { url: \"amqp://me:first@h\" } }\nconsumers: { c: { topic: a, push: \"http://h/\" } }\n";
    let place = Place::with("longshore.yaml", text);
    let old = place.load().unwrap();
    place.write("longshore.yaml", &text.replace("first", "second").replace("topic: a", "topic: b"));

    let changes = Config::diff(&old, &place.load().unwrap());

    assert!(changes.applied.is_empty() && !changes.is_empty());
    let restart = names(&changes.restart);
    assert!(restart[0].starts_with("brokers.main.url: [\"amqp://me:***@h\"] → "), "{restart:?}");
    assert!(restart[1].starts_with("consumers.c.topic: [\"a\"] → [\"b\"]"), "{restart:?}");
    assert!(!format!("{restart:?}").contains("second"));
}

#[test]
fn what_schemas_and_secrets_say_counts_and_where_a_line_stands_does_not() {
    let text = "kinds: { k: { push: \"http://h/\", schema: schemas/invoice.json, secret: file:secret } }\n";
    let place = Place::with("longshore.yaml", text);
    let old = place.load().unwrap();
    place.write("longshore.yaml", &format!("\n\n{text}"));
    assert!(Config::diff(&old, &place.load().unwrap()).is_empty());

    place.write("schemas/invoice.json", "{\"type\": \"array\"}");
    let schema = Config::diff(&old, &place.load().unwrap());
    place.write("schemas/invoice.json", "{\"type\": \"object\"}");
    place.write("secret", "another");
    let secret = Config::diff(&old, &place.load().unwrap());

    assert_eq!(names(&schema.kinds.changed), ["k"]);
    assert_eq!(names(&secret.kinds.changed), ["k"]);
    let line = secret.applied[0].to_string();
    assert!(line.starts_with("kinds.k.secret: [\"***\"] → [\"***\"]"), "{line}");
}

async fn changed(watch: &mut Watch) {
    tokio::time::timeout(SOON, watch.changed()).await.expect("the change is noticed");
}

#[tokio::test]
async fn a_file_that_is_written_anew_is_noticed() {
    let place = Place::with("longshore.yaml", "");
    let mut watch = Watch::of(&place.load().unwrap()).unwrap();
    place.write("longshore.yaml", "queues: { mail: {} }");
    changed(&mut watch).await;
    assert!(place.load().unwrap().queues.contains_key("mail"));
    // As editors do it.
    place.write("longshore.yaml.new", "queues: { post: {} }");
    std::fs::rename(place.path("longshore.yaml.new"), place.path("longshore.yaml")).unwrap();
    changed(&mut watch).await;
    assert!(place.load().unwrap().queues.contains_key("post"));
}

#[tokio::test]
async fn the_first_file_of_a_folder_is_noticed() {
    let place = Place::new();
    let mut watch = Watch::of(&place.load().unwrap()).unwrap();
    place.write("longshore.yaml", "queues: { mail: {} }");
    changed(&mut watch).await;
    assert!(place.load().unwrap().queues.contains_key("mail"));
}

/// A ConfigMap: the file links into `..data`, which links to a folder, and only that link changes.
#[tokio::test]
async fn a_link_that_is_swapped_is_noticed() {
    let place = Place::new();
    place.write("..one/longshore.yaml", "");
    place.write("..two/longshore.yaml", "queues: { mail: {} }");
    symlink("..one", place.path("..data")).unwrap();
    symlink("..data/longshore.yaml", place.path("longshore.yaml")).unwrap();
    let mut watch = Watch::of(&place.load().unwrap()).unwrap();

    symlink("..two", place.path("..tmp")).unwrap();
    std::fs::rename(place.path("..tmp"), place.path("..data")).unwrap();

    changed(&mut watch).await;
    assert!(place.load().unwrap().queues.contains_key("mail"));
}

#[tokio::test]
async fn files_that_came_in_with_a_reload_are_watched_too() {
    let place = Place::with("longshore.yaml", "");
    let mut watch = Watch::of(&place.load().unwrap()).unwrap();
    place.write(
        "longshore.yaml",
        "kinds: { k: { push: \"http://h/\", schema: schemas/invoice.json } }",
    );
    changed(&mut watch).await;
    watch.follow(&place.load().unwrap()).unwrap();
    place.write("schemas/invoice.json", "{\"type\": \"array\"}");
    changed(&mut watch).await;
}

#[tokio::test]
async fn a_change_before_anybody_watched_is_noticed_too() {
    let place = Place::with("longshore.yaml", "");
    let config = place.load().unwrap();
    place.write("longshore.yaml", "queues: { mail: {} }");
    let mut watch = Watch::of(&config).unwrap();
    changed(&mut watch).await;
}

#[tokio::test]
async fn a_poke_reports_a_change_without_one() {
    let place = Place::with("longshore.yaml", "");
    let mut watch = Watch::of(&place.load().unwrap()).unwrap();
    watch.poke().poke();
    changed(&mut watch).await;
}
