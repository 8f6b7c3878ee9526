//! The README, the tutorial and the how-tos, run as they are written.
//!
//! A page is read from top to bottom, in one fresh folder, with the binary under test as
//! `longshore` in `PATH`:
//!
//! | on the page | what is done |
//! |---|---|
//! | a `console` block | each line after `$ ` is run by `bash`; the lines up to the next one are what it prints |
//! | a `sh` block | each line is run, and must end with 0; what it prints is not compared |
//! | `<!-- file: NAME -->` before a block of any language | the block is written to that file. If a server runs, its reload is waited for |
//! | `longshore dev`, `longshore serve`, `python3 …` | goes on in a terminal of its own; a `longshore` before it is stopped by SIGTERM |
//! | `cargo run --release --` | the binary under test |
//! | `cargo build …`, `cargo install …` | nothing: it is built |
//! | a program of `python3` that names the number `9000` | is waited for until it listens there |
//! | `127.0.0.1:8080`, and the number `9000` | ports of this run, there and back |
//!
//! What is printed is compared without white space, so that long lines may be folded. `…` stands for
//! anything; ids, times, traces and names of workers are all alike. Other blocks are only shown.

mod blocks;
mod compare;
mod terminal;
mod texts;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use terminal::Terminal;

/// Pages that are run, beside every `docs/howto-*.md`.
const PAGES: [&str; 2] = ["README.md", "docs/tutorial.md"];
/// What the pages call, and how the tests name it when it is not there.
const NEEDS: [&str; 3] = ["bash", "curl", "python3"];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    libtest_mimic::run(&args, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let page = |name: String| {
        Trial::ignorable_test(format!("page::{name}"), move || run_page(&root().join(name)))
    };
    let mut trials: Vec<Trial> = pages().into_iter().map(page).collect();
    trials.extend(compare::trials());
    trials.extend(blocks::trials());
    trials.extend(texts::trials());
    trials
}

/// Names of all pages that are run, from the project's folder.
fn pages() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("docs")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let howtos = names.filter(|name| name.starts_with("howto-") && name.ends_with(".md"));
    let mut pages: Vec<String> = howtos.map(|name| format!("docs/{name}")).collect();
    pages.extend(PAGES.map(str::to_owned));
    pages.sort();
    pages
}

fn run_page(page: &Path) -> Result<Completion, Failed> {
    if let Some(missing) = NEEDS.iter().find(|need| !is_there(need)) {
        return Ok(Completion::ignored_with(format!("needs {missing}")));
    }
    let text = std::fs::read_to_string(page)?;
    let mut terminal = Terminal::new()?;
    for block in blocks::read(&text) {
        let at = format!("{}:{}", page.display(), block.line);
        terminal
            .do_block(&block)
            .map_err(|failed| format!("{at}: {}", failed.message().unwrap_or("it went wrong")))?;
    }
    terminal.leave()?;
    Ok(Completion::Completed)
}

fn is_there(program: &str) -> bool {
    let mut call = Command::new(program);
    call.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    call.status().is_ok_and(|status| status.success())
}

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
