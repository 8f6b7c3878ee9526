//! Sentences of the documents that can be compared with the code.

use crate::root;
use libtest_mimic::{Failed, Trial};
use longshore::core::broker::{Broker, Envelope, TopicName};
use longshore::messages::{Consumer, publish::publish};
use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::sync::Arc;
use std::time::Duration;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("texts::links_between_documents_lead_somewhere", links),
        Trial::test("texts::the_table_of_metrics_is_what_a_server_shows", metrics),
        Trial::test("texts::the_readme_shows_the_example_as_it_is", example),
    ]
}

/// Every document of the project.
fn documents() -> Result<Vec<String>, Failed> {
    let mut names = vec![];
    for folder in ["", "docs", "docs/errors"] {
        for entry in std::fs::read_dir(root().join(folder))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") {
                names.push(format!("{folder}/{name}").trim_start_matches('/').to_owned());
            }
        }
    }
    Ok(names)
}

fn links() -> Result<(), Failed> {
    let mut dead = Vec::new();
    for name in documents()? {
        let text = read_to_string(root().join(&name))?;
        let folder = root().join(&name);
        let folder = folder.parent().ok_or("no folder")?;
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            if link.contains("://") || link.starts_with('/') {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(&name) } else { folder.join(file) };
            let there = target.exists()
                && (anchor.is_empty() || anchors(&read_to_string(&target)?).contains(anchor));
            if !there {
                dead.push(format!("{name}: {link}"));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
    Ok(())
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The Rust of the README is an example, which is built and run.
fn example() -> Result<(), Failed> {
    let readme = read_to_string(root().join("README.md"))?;
    let example = read_to_string(root().join("examples/beside-axum/src/main.rs"))?;
    let shown: Vec<_> =
        crate::blocks::read(&readme).into_iter().filter(|block| block.language == "rust").collect();
    assert_eq!(shown.len(), 1, "one service is shown");
    let code = example.split("#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<_> = code.lines().filter(|line| !line.starts_with("//!")).collect();
    let code = code.join("\n");
    assert_eq!(shown[0].text.trim(), code.trim(), "README.md shows examples/beside-axum");
    Ok(())
}

/// Every metric that a server shows is in the table, and every one of the table is shown: name, type
/// and labels.
fn metrics() -> Result<(), Failed> {
    let page = read_to_string(root().join("docs/metrics.md"))?;
    let rows = page.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let bare = |cell: &str| cell.replace('`', "");
        format!("{} {} {}", bare(cells[1]), cells[2], bare(cells[3]))
    });
    let told: BTreeSet<String> = rows.collect();
    assert_eq!(told, shown()?, "told by docs/metrics.md, and shown by a server");
    Ok(())
}

/// The metrics of a server that has run a task and answered a request.
fn shown() -> Result<BTreeSet<String>, Failed> {
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let broker: Arc<dyn Broker> = Arc::new(longshore_conformance::ModelBroker::default());
    let mail = longshore::core::QueueName::new("mail")?;
    let text = threads.block_on(async {
        let service = longshore::builder()
            .store(format!("embedded:{}", folder.path().display()))
            .listen(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))
            .boxed_handler("hello", longshore::handler::nothing())
            .open_broker("main", broker.clone())
            .carrier("mail", "main")
            .handler_with("carried", || async {}, |kind| kind.queue(mail))
            .consumer("shipping", Consumer::topic("orders.*"), || async {})
            .start()
            .await?;
        let client = longshore::Client::connect(&format!("http://{}", service.addr()))?;
        for kind in ["hello", "carried"] {
            let task = client.submit(&longshore::client::Submit::new(kind)).await?;
            client.tasks().wait(task.id, PATIENCE).await?;
        }
        let (topic, envelope) = (TopicName::new("orders.created")?, Envelope::new("{}"));
        let telemetry = service.engine().telemetry();
        publish(("main", &*broker), &topic, vec![envelope], telemetry).await;
        // The tasks there are, are counted once a second.
        let telemetry = service.engine().telemetry().clone();
        let until = std::time::Instant::now() + PATIENCE;
        let mut text = telemetry.encode();
        let last = ["longshore_tasks{", "longshore_carriage_relayed_total{"];
        let is_whole = |text: &str| last.iter().all(|begin| text.contains(begin));
        while !is_whole(&text) && std::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
            text = telemetry.encode();
        }
        service.stop(PATIENCE).await;
        Ok::<_, Failed>(text)
    })?;
    let mut shown = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (family, kind) = line.split_once(' ').ok_or("a type without a name")?;
        let name = if kind == "counter" { format!("{family}_total") } else { family.to_owned() };
        let sample = if kind == "histogram" { format!("{name}_count") } else { name.clone() };
        let labels = text.lines().find_map(|line| {
            Some(line.strip_prefix(&sample)?.strip_prefix('{')?.split_once("\"}")?.0)
        });
        let labels =
            labels.unwrap_or_default().split("\",").filter_map(|label| label.split_once('='));
        let labels: Vec<_> = labels.map(|(label, _)| label).collect();
        shown.insert(format!("{name} {kind} {}", labels.join(", ")));
    }
    Ok(shown)
}
