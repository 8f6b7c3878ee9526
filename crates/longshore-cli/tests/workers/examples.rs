//! The workers of `examples/workers`: each stands all that is required, in at most twenty lines.

use crate::check::{check, examples, folder, shown};
use crate::{PYTHON, needing};
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeSet;
use std::process::Command;

const LINES: usize = 20;

/// One of them.
struct Example {
    file: &'static str,
    /// Calls that succeed where its language is there.
    needs: &'static [&'static [&'static str]],
    /// What it is started with.
    starts: &'static [&'static str],
    /// What its page says that it does not do.
    advised: &'static [&'static str],
}

const EXAMPLES: [Example; 7] = [
    Example { file: "worker.py", needs: &[PYTHON], starts: &["python3"], advised: &[] },
    Example {
        file: "worker.mjs",
        needs: &[&["node", "--version"]],
        starts: &["node"],
        advised: &[],
    },
    Example { file: "worker.go", needs: &[&["go", "version"]], starts: &[], advised: &[] },
    Example {
        file: "Worker.java",
        needs: &[&["java", "--version"]],
        starts: &["java"],
        advised: &[],
    },
    Example {
        file: "worker.rb",
        needs: &[&["ruby", "--version"]],
        starts: &["ruby"],
        advised: &[],
    },
    Example {
        file: "worker.php",
        needs: &[&["php", "--version"]],
        starts: &["php"],
        advised: &["digits"],
    },
    Example {
        file: "worker.sh",
        needs: &[&["curl", "--version"], &["jq", "--version"]],
        starts: &["sh"],
        advised: &[],
    },
];

/// How fast a machine is depends on what else it does.
const DEPENDS: &str = "hundred";

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let stands = EXAMPLES.iter().map(|example| {
        let name = format!("examples::{}_stands_what_is_required", example.file);
        needing(&name, example.needs, || stands(example))
    });
    let texts = [
        Trial::test("examples::each_has_at_most_twenty_lines", short),
        Trial::test("examples::the_folder_has_these_and_its_page_names_them", named),
    ];
    stands.chain(texts)
}

fn stands(example: &Example) -> Result<(), Failed> {
    let file = shown(&examples().join(example.file));
    let folder = folder()?;
    let built = shown(&folder.path().join("worker"));
    if example.starts.is_empty() {
        // The compiler takes its time on a fresh machine; that is not the worker's.
        let built = Command::new("go").args(["build", "-o", &built, &file]).output()?;
        if !built.status.success() {
            return Err(String::from_utf8_lossy(&built.stderr).into_owned().into());
        }
    }
    let command = match example.starts {
        [] => vec!["--pull", &built],
        starts => [&["--pull"], starts, &[&file]].concat(),
    };
    let said = check(&command)?;
    said.failed(&[])?;
    let page = std::fs::read_to_string(examples().join("../../docs/howto-test-a-worker.md"))?;
    let mut tried = said.findings.iter().filter_map(|found| found["case"].as_str());
    if let Some(case) = tried.find(|case| !page.contains(&format!("`{case}`"))) {
        return Err(format!("the page about the check does not tell of {case}").into());
    }
    let advised = said.cases("advice");
    if advised.iter().all(|case| *case == DEPENDS || example.advised.contains(case)) {
        return Ok(());
    }
    Err(said.told("there should be no advice that its page does not give"))
}

fn short() -> Result<(), Failed> {
    for Example { file, .. } in &EXAMPLES {
        let lines = std::fs::read_to_string(examples().join(file))?.lines().count();
        if lines > LINES {
            return Err(format!("{file} has {lines} lines").into());
        }
    }
    Ok(())
}

fn named() -> Result<(), Failed> {
    let page = std::fs::read_to_string(examples().join("README.md"))?;
    let entries = std::fs::read_dir(examples())?.flatten();
    let there: BTreeSet<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect();
    let tried: BTreeSet<String> = EXAMPLES.iter().map(|it| it.file.to_owned()).collect();
    if there != tried {
        return Err(format!("there are {there:?}, and {tried:?} are tried").into());
    }
    match tried.iter().find(|name| !page.contains(&format!("]({name})"))) {
        Some(missing) => Err(format!("the page does not lead to {missing}").into()),
        None => Ok(()),
    }
}
