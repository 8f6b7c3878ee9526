//! What a contributor runs: `cargo xtask test`, `brokers`, `floors`, `shim`.
//!
//! Nothing here is shipped. Each command is one file or folder; all of them work from any folder of the
//! project, on a machine with a Rust toolchain and a C compiler.

mod brokers;
mod cargo;
mod floors;
mod needs;
mod schemathesis;
mod shim;
mod test;

use std::process::ExitCode;

/// Why a command failed: one message for a person.
type Error = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--install] [FILTER]  builds what the tests need and runs all of them, or those whose
                             name contains FILTER; with --install it first installs what is
                             missing on this machine (Debian packages, as root,
                             and schemathesis from PyPI)
  brokers up [--install] [ENGINE ...]
                             starts servers of our own (postgres), unless they run, and prints
                             their addresses: from what is installed (with --install from
                             Debian's packages, as root), else by docker compose. Their data are
                             in target/brokers, or where LONGSHORE_BROKERS_DIR says
  brokers down [--purge] [ENGINE ...]
                             stops them, and nothing else; with --purge removes their data
  brokers status [ENGINE ...]
                             shows their state, address and version
  floors                     checks that crates depend only downwards, and who may name what
  shim                       compiles the library that the power-cut proofs preload, prints its path

With CI set in the environment a test that was ignored is a failure, unless its name is in
xtask/ignored.txt.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; `false` means that it ran and found something wrong.
fn run(args: &[String]) -> Result<bool, Error> {
    let (command, rest) = args.split_first().ok_or(USAGE)?;
    match command.as_str() {
        "test" => test::run(&test::Options::parse(rest)?),
        "brokers" => brokers::run(&brokers::Action::parse(rest)?),
        "floors" => {
            no_more(command, rest)?;
            let found = floors::check(&cargo::metadata()?)?;
            for breach in &found {
                eprintln!("floors: {breach}");
            }
            if found.is_empty() {
                println!("floors: every crate depends only on what lies below it");
            }
            Ok(found.is_empty())
        }
        "shim" => {
            no_more(command, rest)?;
            println!("{}", shim::build()?.display());
            Ok(true)
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(true)
        }
        other => Err(format!("no command {other:?}\n\n{USAGE}").into()),
    }
}

fn no_more(command: &str, rest: &[String]) -> Result<(), Error> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => Err(format!("{command} takes no argument {extra:?}\n\n{USAGE}").into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_wrong_command_is_answered_with_the_usage() {
        for wrong in [&["tset"][..], &[], &["floors", "now"], &["test", "--instal"], &["brokers"]] {
            let args: Vec<String> = wrong.iter().map(|arg| (*arg).to_owned()).collect();
            let error = super::run(&args).unwrap_err().to_string();
            assert!(error.contains("usage: cargo xtask"), "{wrong:?}: {error}");
        }
    }
}
