//! The OpenAPI document against a server: schemathesis makes requests of all sorts out of it, and
//! looks at the answers.

use crate::server::{Launch, data, folder};
use libtest_mimic::{Completion, Failed};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may look for something, in seconds.
const SECONDS: &str = "90";
/// It must have ended then.
const PATIENCE: Duration = Duration::from_secs(240);
/// The same requests each time, as far as the machine is as fast. By one worker: of two threads one sometimes finds
/// what the other generates inconsistent, and then the tool itself fails.
const SEED: &str = "7";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

pub(crate) fn the_server_does_what_its_document_says() -> Result<Completion, Failed> {
    let Some(program) = std::env::var_os("LONGSHORE_SCHEMATHESIS") else {
        return Ok(Completion::ignored_with("needs schemathesis: cargo xtask test --install"));
    };
    let folder = folder()?;
    let mut server = Launch::plain(data(&folder)).start()?;
    let said = folder.path().join("said");
    let mut run = Command::new(program)
        .arg("run")
        .arg(format!("http://{}/openapi.json", server.addr))
        .args(["--checks", CHECKS, "--max-time", SECONDS, "--seed", SEED, "--workers", "1"])
        // A `?wait` of a minute is documented, and waits for one.
        .args(["--continue-on-failure", "--no-shrink", "--request-timeout", "70"])
        .args(["--warnings", "off"])
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&said)?)
        .stderr(Stdio::inherit())
        .spawn()?;
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = run.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            run.kill()?;
            run.wait()?;
            return Err(format!("schemathesis still ran after {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let said = std::fs::read_to_string(&said)?;
    if server.has_ended()? {
        return Err(format!("the server ended\n{}", server.stderr()).into());
    }
    let stderr = server.stop()?;
    if !status.success() {
        return Err(format!("schemathesis: {status}\n{said}").into());
    }
    if stderr.contains("panicked") {
        return Err(format!("something panicked\n{stderr}").into());
    }
    let told = said.lines().map(str::trim).filter(|line| {
        line.starts_with("Operations:")
            || line.contains("generated")
            || line.starts_with("Scenarios:")
    });
    eprintln!("schemathesis: {}", told.collect::<Vec<_>>().join("; "));
    Ok(Completion::Completed)
}
