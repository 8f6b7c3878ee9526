//! What the tests use beyond a Rust toolchain, and how it is installed where it is missing.
//!
//! A test whose need is not met says so itself (*ignored, needs X*); this table only knows how to
//! get X.

use crate::{Error, brokers::engine::ENGINES, schemathesis};
use std::process::{Command, Stdio};

/// A program that some test calls.
pub(crate) struct Need {
    /// What it is, as the ignored tests name it.
    pub(crate) what: &'static str,
    /// How it is seen that it is there.
    probe: Probe,
    /// The Debian packages that bring it.
    pub(crate) packages: &'static [&'static str],
}

enum Probe {
    /// A call that succeeds.
    Call(&'static [&'static str]),
    /// A look of our own.
    Look(fn() -> bool),
}

/// Everything there is to install, beside the engines.
const NEEDS: &[Need] = &[
    Need::called("a C compiler", &["cc", "--version"], &["gcc", "libc6-dev"]),
    Need::called("mount", &["mount", "--version"], &["mount"]),
    Need::called("curl", &["curl", "--version"], &["curl"]),
    // A server is killed and frozen with all of its processes.
    Need::called("pkill", &["pkill", "--version"], &["procps"]),
    Need::called(
        "Python with venv (for schemathesis, and for workers in the documents)",
        &["python3", "-c", "import ensurepip, venv"],
        &["python3", "python3-venv"],
    ),
    // Languages of the workers in `examples/workers`.
    Need::called("node", &["node", "--version"], &["nodejs"]),
    Need::called("go", &["go", "version"], &["golang-go"]),
    Need::called("java", &["java", "--version"], &["default-jdk-headless"]),
    Need::called("ruby", &["ruby", "--version"], &["ruby"]),
    Need::called("php", &["php", "--version"], &["php-cli"]),
    Need::called("jq", &["jq", "--version"], &["jq"]),
];

impl Need {
    /// Something that is there if a call of it succeeds.
    const fn called(
        what: &'static str,
        call: &'static [&'static str],
        packages: &'static [&'static str],
    ) -> Self {
        Self { what, probe: Probe::Call(call), packages }
    }

    /// Something that is there if it is found.
    pub(crate) const fn found(
        what: &'static str,
        look: fn() -> bool,
        packages: &'static [&'static str],
    ) -> Self {
        Self { what, probe: Probe::Look(look), packages }
    }

    fn is_met(&self) -> bool {
        match self.probe {
            Probe::Call(call) => quiet(call).is_ok_and(|status| status),
            Probe::Look(look) => look(),
        }
    }
}

/// Installs what is missing, and says what could not be had.
pub(crate) fn install() -> Result<(), Error> {
    let engines = ENGINES.iter().map(|engine| &engine.need);
    install_packages(&NEEDS.iter().chain(engines).collect::<Vec<_>>())?;
    if let Err(error) = schemathesis::install() {
        eprintln!("xtask: {error}; the proof that needs schemathesis will say so");
    }
    Ok(())
}

/// Installs those of the needs that are not met, from Debian; says which could not be had.
pub(crate) fn install_packages(needs: &[&Need]) -> Result<(), Error> {
    let missing: Vec<&Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
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
        eprintln!("xtask: {} could not be had; what uses it will say so", need.what);
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
