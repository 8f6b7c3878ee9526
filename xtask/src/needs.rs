//! What the tests use beyond a Rust toolchain, and how it is installed where it is missing.
//!
//! A test whose need is not met says so itself (*ignored, needs X*); this table only knows how to
//! get X.

use crate::{Error, schemathesis};
use std::process::{Command, Stdio};

/// A program that some test calls.
pub(crate) struct Need {
    /// What it is, as the ignored tests name it.
    pub(crate) what: &'static str,
    /// A call that succeeds where it is there.
    probe: &'static [&'static str],
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
}

/// Everything there is to install.
pub(crate) const NEEDS: &[Need] = &[
    Need { what: "a C compiler", probe: &["cc", "--version"], packages: &["gcc", "libc6-dev"] },
    Need { what: "mount", probe: &["mount", "--version"], packages: &["mount"] },
    Need { what: "curl", probe: &["curl", "--version"], packages: &["curl"] },
    Need {
        what: "PostgreSQL (the tests start servers of their own)",
        probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb || command -v initdb"],
        packages: &["postgresql"],
    },
    Need {
        what: "Python with venv (for schemathesis, and for workers in the documents)",
        probe: &["python3", "-c", "import ensurepip, venv"],
        packages: &["python3", "python3-venv"],
    },
    // Languages of the workers in `examples/workers`.
    Need { what: "node", probe: &["node", "--version"], packages: &["nodejs"] },
    Need { what: "go", probe: &["go", "version"], packages: &["golang-go"] },
    Need { what: "java", probe: &["java", "--version"], packages: &["default-jdk-headless"] },
    Need { what: "ruby", probe: &["ruby", "--version"], packages: &["ruby"] },
    Need { what: "php", probe: &["php", "--version"], packages: &["php-cli"] },
    Need { what: "jq", probe: &["jq", "--version"], packages: &["jq"] },
];

impl Need {
    fn is_met(&self) -> bool {
        quiet(self.probe).is_ok_and(|status| status)
    }
}

/// Installs what is missing, and says what could not be had.
pub(crate) fn install() -> Result<(), Error> {
    install_packages()?;
    if let Err(error) = schemathesis::install() {
        eprintln!("xtask: {error}; the proof that needs schemathesis will say so");
    }
    Ok(())
}

fn install_packages() -> Result<(), Error> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> =
        missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
    println!("xtask: installing {}", packages.join(" "));
    for call in [&["apt-get", "update", "-q"][..], &["apt-get", "install", "-q", "-y"]] {
        let packages = if call.contains(&"install") { &packages[..] } else { &[] };
        let status = Command::new(call[0])
            .args(&call[1..])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("xtask: {} did not work (it wants Debian, and root)", call.join(" "));
            break;
        }
    }
    for need in missing.iter().filter(|need| !need.is_met()) {
        eprintln!("xtask: {} could not be had; the tests that use it will say so", need.what);
    }
    Ok(())
}

fn quiet(call: &[&str]) -> std::io::Result<bool> {
    let status = Command::new(call[0])
        .args(&call[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.success())
}
