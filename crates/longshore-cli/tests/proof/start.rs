//! The first minute, and who may own the data.

use crate::server::{Launch, data, folder};
use libtest_mimic::{Completion, Failed};
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};

/// The bar for a release build is 300 ms; this one is not optimised and shares the machine.
const FIRST_TASK: Duration = Duration::from_secs(5);

pub(crate) fn from_start_to_the_first_task() -> Result<(), Failed> {
    let folder = folder()?;
    let began = Instant::now();
    let server = Launch::plain(data(&folder)).start()?;
    let ready = began.elapsed();
    let hello = json!({"kind": "hello", "payload": {"name": "you"}});
    let answer = server.client().post("/v1/tasks?wait=10s", &hello)?;
    let done = began.elapsed();
    eprintln!("ready after {ready:?}, first task done after {done:?} (unoptimised build)");
    let task = answer.data();
    if answer.status != 200 || task["result"] != json!({"hello": "you"}) {
        return Err(format!("answered {}", answer.text()).into());
    }
    if done > FIRST_TASK {
        return Err(format!("the first task was done after {done:?}").into());
    }
    server.stop()?;
    Ok(())
}

pub(crate) fn the_printed_curl_line_works() -> Result<Completion, Failed> {
    if Command::new("curl").arg("--version").output().is_err() {
        return Ok(Completion::ignored_with("needs curl"));
    }
    let folder = folder()?;
    let server = Launch::plain(data(&folder)).start()?;
    let printed = crate::server::eventually("a curl line", Duration::from_secs(5), || {
        let stderr = server.stderr();
        let line = stderr.lines().find(|line| line.contains("curl "));
        Ok(line.map(str::to_owned))
    })?;
    let line = &printed[printed.find("curl ").unwrap_or(0)..];
    if !line.contains(&server.addr.to_string()) {
        return Err(format!("the line does not name {}: {line}", server.addr).into());
    }
    let output = Command::new("sh").args(["-c", line]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || !text.contains("\"data\"") || text.contains("problem") {
        return Err(format!("{line}\nanswered {text}").into());
    }
    let tasks = server.client().get("/v1/tasks")?.data();
    if tasks["items"].as_array().is_none_or(Vec::is_empty) {
        return Err(format!("{line}\nmade no task: {tasks}").into());
    }
    server.stop()?;
    Ok(Completion::Completed)
}

pub(crate) fn a_second_process_on_the_same_data_is_refused() -> Result<(), Failed> {
    let folder = folder()?;
    let launch = Launch::new(data(&folder));
    let first = launch.start()?;
    let began = Instant::now();
    let Err(second) = launch.try_start()? else {
        return Err("a second process serves the same data".into());
    };
    let said = second.stderr.to_lowercase();
    let clear = ["in use", "another", "already", "lock"].iter().any(|word| said.contains(word));
    if second.status.code().is_none_or(|code| code == 0) || !clear {
        return Err(format!("refused with {}: {}", second.status, second.stderr).into());
    }
    if began.elapsed() > Duration::from_secs(10) {
        return Err(format!("refused after {:?}", began.elapsed()).into());
    }
    let hello = json!({"kind": "hello", "payload": null});
    let answer = first.client().post("/v1/tasks?wait=10s", &hello)?;
    if answer.status != 200 {
        return Err(format!("the first one then answered {}", answer.text()).into());
    }
    first.stop()?;
    launch.start()?.stop()?;
    Ok(())
}
