//! Help, reference and manual as committed texts. `UPDATE=1 cargo test -p longshore-cli --test cli`
//! writes them anew.

use crate::rig::{Rig, here};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The help of every command, by its name in full.
fn helps() -> BTreeMap<String, String> {
    fn walk(rig: &Rig, path: &[&str], into: &mut BTreeMap<String, String>) {
        let help = rig.fine(&[path, &["--help"]].concat());
        let below: Vec<String> = help
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .filter(|name| name != "help")
            .collect();
        into.insert([&["longshore"], path].concat().join(" "), help);
        for name in below {
            walk(rig, &[path, &[name.as_str()]].concat(), into);
        }
    }
    let mut into = BTreeMap::new();
    walk(&Rig::alone(), &[], &mut into);
    into
}

/// Compares a text with the committed one, or writes it.
fn agree(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is out of date: UPDATE=1 writes it anew\n{text}",
        path.display()
    );
}

#[test]
fn every_help_is_as_committed() {
    let helps = helps();
    let folder = here().join("tests/help");
    for (name, help) in &helps {
        agree(&folder.join(format!("{}.txt", name.replace(' ', "-"))), help);
    }
    let committed = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(committed, helps.len(), "a help of a command that is gone lies in {folder:?}");
}

#[test]
fn every_help_fits_a_page() {
    for (name, help) in helps() {
        // The measuring tool and the services say more.
        if [" bench", " dev", " serve"].iter().any(|other| name.contains(other)) {
            continue;
        }
        let long = help.lines().find(|line| line.chars().count() > 120);
        assert_eq!(long, None, "{name}");
    }
}

#[test]
fn the_reference_is_made_of_the_help() {
    let mut page = String::from(
        "# Command line\n\n\
         <!-- Made of the help texts: UPDATE=1 cargo test -p longshore-cli --test cli texts -->\n\n\
         Data goes to standard output, everything else to standard error. The server that is asked \
         is `--server URL`,\n`LONGSHORE_SERVER`, or `http://127.0.0.1:8080`; its key is \
         `LONGSHORE_KEY`.\n\n\
         On a terminal a table fits its width and tells times as people do; `NO_COLOR` takes its \
         colours away. In a pipe the\nsame table has a tab between its cells, and exact times. \
         `-o json`, `jsonl` and `yaml` print what the server sent;\nnumbers keep every digit. \
         `-o name` prints ids or names alone, and commands take several ids, or `-` for the lines\n\
         of standard input:\n\n\
         ```sh\nlongshore tasks ls -o name --status failed | xargs longshore tasks retry\n```\n\n\
         What a filter finds, and what is purged or discarded, is shown first (how many, and a \
         sample). On a terminal somebody is\nasked; elsewhere it takes `--yes`. `--dry-run` shows it \
         and changes nothing.\n",
    );
    for (name, help) in helps() {
        let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end());
    }
    agree(&here().join("../../docs/cli.md"), &page);
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let rig = Rig::alone();
    rig.fine(&["man", "--dir", "man1"]);
    for name in helps().keys() {
        let file = rig.path("man1").join(format!("{}.1", name.replace(' ', "-")));
        let page = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("no {file:?}"));
        assert!(page.contains(".TH"), "{name}");
    }
    let main = rig.fine(&["man"]);
    assert!(main.contains("Exit codes:") && main.contains("130"), "{main}");
}

#[test]
fn completions_know_the_commands() {
    let rig = Rig::alone();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(rig.fine(&["completions", shell]).contains("dead-letters"), "{shell}");
    }
}
