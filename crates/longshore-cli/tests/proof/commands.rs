//! Tasks that commands run: what they are given, how they are judged, and that nothing of them is
//! left, whoever dies.
//!
//! A command and all that it starts are found by the task's id in their environment.

use crate::client::{Answer, Client};
use crate::processes::{family, gone_by_id, grown, no_zombies};
use crate::server::{Launch, Server, data, eventually, folder};
use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(15);
/// After the death of the server everything is gone within this, which is less than any grace.
const GONE: Duration = Duration::from_secs(5);

/// Leaves processes in its group, in another session, and orphaned in another session.
const FAMILY: &str =
    "sleep 301 & setsid sleep 302 & (setsid sh -c 'sleep 303 & sleep 304 & wait' &); wait";
/// The shell, its three sleeps and the orphaned shell with one more, and the watcher.
const FAMILY_SIZE: usize = 7;

pub(crate) fn every_way_to_end_is_judged() -> Result<(), Failed> {
    let script = "read n; echo first >&2; echo \"asked for $n\" >&2; \
                  [ $n -lt 256 ] && exit $n; kill -$((n - 256)) $$";
    let rig = Rig::with(|launch| launch.kind("end", &sh(script)))?;
    let mut client = rig.server.client();
    let success = ended(&mut client, "end", &json!(0))?;
    expect(&success, "/status", &json!("success"))?;
    let cases = [
        (1, "transient", "exit.1", "exhausted"),
        (64, "bad_data", "exit.64", "bad_data"),
        (65, "bad_data", "exit.65", "bad_data"),
        (75, "transient", "exit.75", "exhausted"),
        (126, "transient", "exit.126", "exhausted"),
        (127, "transient", "exit.127", "exhausted"),
        (255, "transient", "exit.255", "exhausted"),
        (256 + 9, "transient", "signal.KILL", "exhausted"),
        (256 + 11, "transient", "signal.SEGV", "exhausted"),
    ];
    for (asked, class, code, reason) in cases {
        let task = ended(&mut client, "end", &json!(asked))?;
        expect(&task, "/status", &json!("failed"))?;
        expect(&task, "/reason", &json!(reason))?;
        expect(&task, "/error/class", &json!(class))?;
        expect(&task, "/error/code", &json!(code))?;
        expect(&task, "/error/message", &json!(format!("asked for {asked}")))?;
        expect(&task, "/error/trace", &json!(format!("first\nasked for {asked}")))?;
    }
    rig.stop()
}

pub(crate) fn what_cannot_be_run_is_told() -> Result<(), Failed> {
    let folder = folder()?;
    let file = |name: &str, text: &str, mode| -> Result<Value, Failed> {
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        Ok(json!({"command": [path]}))
    };
    let plain = file("plain", "hello", 0o644)?;
    let orphan = file("orphan", "#!/no/such/interpreter\n", 0o755)?;
    let rig = Rig::with(|launch| {
        launch
            .kind("missing", &json!({"command": ["no-such-program"]}))
            .kind("plain", &plain)
            .kind("orphan", &orphan)
            .kind("nowhere", &json!({"command": ["true"], "cwd": "/no/such/folder"}))
    })?;
    let mut client = rig.server.client();
    for (kind, code, part) in [
        ("missing", "exec.not_found", "cannot run \"no-such-program\": No such file"),
        ("plain", "exec.not_executable", "Permission denied"),
        ("orphan", "exec.not_found", "its first line"),
        ("nowhere", "exec.failed", "no folder /no/such/folder"),
    ] {
        let task = ended(&mut client, kind, &json!(null))?;
        expect(&task, "/error/class", &json!("dependency"))?;
        expect(&task, "/error/code", &json!(code))?;
        let message = task["error"]["message"].as_str().unwrap_or_default();
        if !message.contains(part) {
            return Err(format!("{part:?} is not in {message:?}").into());
        }
    }
    rig.stop()
}

pub(crate) fn stdout_is_the_result() -> Result<(), Failed> {
    let rig = Rig::with(|launch| {
        launch
            .kind("cat", &json!({"command": ["cat"]}))
            .kind("words", &json!({"command": ["printf", "two words\\n"]}))
            .kind("bytes", &json!({"command": ["printf", "\\377"]}))
            .kind("size", &json!({"command": ["wc", "-c"]}))
            .kind("deaf", &json!({"command": ["true"]}))
            .kind("here", &json!({"command": ["pwd"], "cwd": "/"}))
    })?;
    let mut client = rig.server.client();
    // More than a pipe holds.
    let large = json!("x".repeat(200 * 1024));
    let cases = [
        ("cat", &json!({"a": [1, "b"]}), json!({"a": [1, "b"]})),
        ("cat", &large, large.clone()),
        ("words", &json!(null), json!("two words")),
        ("size", &large, json!(large.to_string().len())),
        ("deaf", &large, json!(null)),
        ("here", &json!(null), json!("/")),
    ];
    for (kind, payload, result) in cases {
        let task = ended(&mut client, kind, payload)?;
        expect(&task, "/status", &json!("success"))?;
        expect(&task, "/result", &result)?;
    }
    let task = ended(&mut client, "bytes", &json!(null))?;
    expect(&task, "/error/class", &json!("bad_data"))?;
    expect(&task, "/error/code", &json!("output.not_utf8"))?;
    rig.stop()
}

pub(crate) fn endless_output_is_cut_short() -> Result<(), Failed> {
    // More than a pipe holds on stderr, so that both have to be read at once.
    let script = "head -c 100000 /dev/zero | tr '\\0' e >&2; yes & yes >&2 & yes";
    let rig = Rig::with(|launch| launch.kind("endless", &sh(script)))?;
    let began = Instant::now();
    let task = ended(&mut rig.server.client(), "endless", &json!(null))?;
    expect(&task, "/error/class", &json!("bad_data"))?;
    expect(&task, "/error/code", &json!("output.too_large"))?;
    let trace = task["error"]["trace"].as_str().map_or(0, str::len);
    if !(8_190..=8_192).contains(&trace) {
        return Err(format!("{trace} bytes of trace").into());
    }
    eprintln!("cut short after {:?}", began.elapsed());
    gone(&task, GONE)?;
    rig.stop()
}

pub(crate) fn the_environment_is_empty_but_for_the_list() -> Result<(), Failed> {
    let kind = json!({"command": ["env"], "env": ["LISTED", "NOT_THERE"]});
    let rig = Rig::with(|launch| {
        launch.env("LISTED", "yes").env("UNLISTED", "secret").kind("env", &kind)
    })?;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = json!({"kind": "env", "timeout": "60s"}).to_string();
    let headers = [("content-type", "application/json"), ("traceparent", parent)];
    let mut client = rig.server.client();
    let answer = client.send("POST", "/v1/tasks?wait=15s", &headers, body.as_bytes())?;
    let task = answer.data();
    let lines = task["result"].as_str().ok_or_else(|| answer.text())?;
    let seen: BTreeMap<&str, &str> =
        lines.lines().filter_map(|line| line.split_once('=')).collect();
    let names: Vec<&str> = seen.keys().copied().collect();
    let expected = [
        "LISTED",
        "LONGSHORE_ATTEMPT",
        "LONGSHORE_DEADLINE",
        "LONGSHORE_TASK_ID",
        "LONGSHORE_TOKEN",
        "PATH",
        "TRACEPARENT",
    ];
    let trace = seen.get("TRACEPARENT").is_some_and(|is| is[3..35] == parent[3..35]);
    let id = seen.get("LONGSHORE_TASK_ID").copied() == task["id"].as_str();
    let token = seen.get("LONGSHORE_TOKEN").is_some_and(|is| is.parse::<u64>().is_ok());
    let deadline = seen.get("LONGSHORE_DEADLINE").copied().unwrap_or_default();
    // RFC 3339 in UTC sorts as text; a minute was given.
    let later = Some(deadline) > task["started_at"].as_str() && deadline.ends_with('Z');
    let attempt = seen.get("LONGSHORE_ATTEMPT") == Some(&"1");
    let rest = seen.get("LISTED") == Some(&"yes") && attempt;
    if names != expected || !(trace && id && token && later && rest) {
        return Err(format!("it was given {seen:?}").into());
    }
    rig.stop()
}

pub(crate) fn limits_hold() -> Result<(), Failed> {
    let eats = "head -c 400000000 /dev/zero | tail -n 1 > /dev/null";
    let limited = |script: &str| json!({"command": ["sh", "-c", script], "memory": 128 << 20, "processes": 50});
    let rig = Rig::with(|launch| {
        launch
            .kind("eats", &limited(eats))
            .kind("free", &sh(eats))
            .kind("limits", &limited("exec cat /proc/self/limits"))
    })?;
    let mut client = rig.server.client();
    expect(&ended(&mut client, "free", &json!(null))?, "/status", &json!("success"))?;
    let task = ended(&mut client, "eats", &json!(null))?;
    expect(&task, "/status", &json!("failed"))?;
    expect(&task, "/error/class", &json!("transient"))?;
    let task = ended(&mut client, "limits", &json!(null))?;
    let text = task["result"].as_str().unwrap_or_default();
    let soft = |name: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line[name.len()..].split_whitespace().next()?.parse().ok()
    };
    let memory = soft("Max address space") == Some(128 << 20);
    let counted = fs::read_dir("/proc")?.count() as u64 + 10_000;
    let processes = soft("Max processes").is_some_and(|most| (50..counted).contains(&most));
    if soft("Max core file size") != Some(0) || !memory || !processes {
        return Err(text.into());
    }
    rig.stop()
}

pub(crate) fn a_timeout_ends_the_whole_family() -> Result<(), Failed> {
    let stubborn = format!("trap '' TERM; {FAMILY}; while :; do sleep 1; done");
    let kind = json!({"command": ["sh", "-c", stubborn], "grace": "500ms"});
    let rig = Rig::with(|launch| launch.kind("stubborn", &kind))?;
    let mut client = rig.server.client();
    let id = submit(&mut client, "stubborn", "5s")?;
    grown(&id, FAMILY_SIZE)?;
    let task = wait_for(&mut client, &id)?;
    expect(&task, "/error/class", &json!("timeout"))?;
    gone(&task, PATIENCE)?;
    no_zombies(&rig.server)?;
    rig.stop()
}

pub(crate) fn what_it_left_behind_is_ended_with_it() -> Result<(), Failed> {
    let script =
        "sleep 301 & setsid sleep 302 & (setsid sh -c 'sleep 303 & sleep 304 & wait' &); echo 1";
    let rig = Rig::with(|launch| launch.kind("leaves", &sh(script)))?;
    let began = Instant::now();
    let task = ended(&mut rig.server.client(), "leaves", &json!(null))?;
    expect(&task, "/result", &json!(1))?;
    let left = family(task["id"].as_str().unwrap_or_default());
    if !left.is_empty() {
        return Err(format!("still there: {left:?}").into());
    }
    eprintln!("ended after {:?}", began.elapsed());
    rig.stop()
}

pub(crate) fn nothing_outlives_a_killed_server() -> Result<(), Failed> {
    let stubborn = format!("trap '' TERM; {FAMILY}");
    let rig = Rig::with(|launch| launch.kind("family", &sh(&stubborn)))?;
    let id = submit(&mut rig.server.client(), "family", "60s")?;
    grown(&id, FAMILY_SIZE)?;
    rig.server.signal(Signal::KILL)?;
    let killed = Instant::now();
    gone_by_id(&id, GONE)?;
    eprintln!("all gone {:?} after the server", killed.elapsed());
    Ok(())
}

pub(crate) fn nothing_outlives_a_server_killed_in_the_grace() -> Result<(), Failed> {
    let stubborn = format!("trap '' TERM; {FAMILY}; while :; do sleep 1; done");
    let kind = json!({"command": ["sh", "-c", stubborn], "grace": "60s"});
    let rig = Rig::with(|launch| launch.kind("stubborn", &kind))?;
    let mut client = rig.server.client();
    let id = submit(&mut client, "stubborn", "5s")?;
    grown(&id, FAMILY_SIZE)?;
    let task = wait_for(&mut client, &id)?;
    expect(&task, "/error/class", &json!("timeout"))?;
    if family(&id).is_empty() {
        return Err("it obeyed, so this proves nothing".into());
    }
    rig.server.signal(Signal::KILL)?;
    gone_by_id(&id, GONE)
}

pub(crate) fn a_killed_watcher_takes_the_command_along() -> Result<(), Failed> {
    let script = "trap '' TERM; sleep 301 & sleep 302 & wait";
    let rig = Rig::with(|launch| launch.kind("watched", &sh(script)))?;
    let mut client = rig.server.client();
    let id = submit(&mut client, "watched", "60s")?;
    grown(&id, 4)?;
    let watchers = family(&id).into_iter().filter(|(_, line)| line.contains("__exec watch"));
    let [(watcher, _)] = watchers.collect::<Vec<_>>()[..] else {
        return Err(format!("not one watcher: {:?}", family(&id)).into());
    };
    kill_process(Pid::from_raw(watcher).ok_or("no process")?, Signal::KILL)?;
    gone_by_id(&id, GONE)?;
    let task = wait_for(&mut client, &id)?;
    expect(&task, "/error/class", &json!("transient"))?;
    expect(&task, "/error/code", &json!("exec.lost"))?;
    no_zombies(&rig.server)?;
    rig.stop()
}

pub(crate) fn a_watcher_killed_with_its_server_takes_the_command_along() -> Result<(), Failed> {
    let rig = Rig::with(|launch| launch.kind("alone", &json!({"command": ["sleep", "301"]})))?;
    let id = submit(&mut rig.server.client(), "alone", "60s")?;
    grown(&id, 2)?;
    let watcher = family(&id).into_iter().find(|(_, line)| line.contains("__exec watch"));
    let (watcher, _) = watcher.ok_or("no watcher")?;
    let watcher = Pid::from_raw(watcher).ok_or("no process")?;
    // Stopped, it cannot see the server's death; then it is killed without having acted.
    kill_process(watcher, Signal::STOP)?;
    rig.server.signal(Signal::KILL)?;
    kill_process(watcher, Signal::KILL)?;
    gone_by_id(&id, GONE)
}

pub(crate) fn told_to_stop_it_may_tidy_up() -> Result<(), Failed> {
    // It has a quarter of a second, in which a busy machine may stand still.
    for _ in 0..3 {
        if tidied_up()? {
            return Ok(());
        }
    }
    Err("three times it was not told, or had no time to tidy up".into())
}

/// Stops a server twice while a command runs; returns whether that wrote down what it was told.
fn tidied_up() -> Result<bool, Failed> {
    let folder = folder()?;
    let note = folder.path().join("told");
    let script = format!("trap 'echo told > {}; exit 1' TERM; sleep 301 & wait", note.display());
    let rig = Rig::with(|launch| launch.kind("tidy", &sh(&script)))?;
    let mut server = rig.server;
    let id = submit(&mut server.client(), "tidy", "60s")?;
    grown(&id, 3)?;
    server.signal(Signal::TERM)?;
    eventually("no longer ready", PATIENCE, || {
        let ready = server.client().get("/readyz").is_ok_and(|answer| answer.status == 200);
        Ok((!ready).then_some(()))
    })?;
    if note.exists() {
        return Err("it was not left in peace while the server drained".into());
    }
    server.signal(Signal::TERM)?;
    let status = server.wait(PATIENCE)?;
    gone_by_id(&id, GONE)?;
    if !status.success() {
        return Err(format!("{status}\n{}", server.stderr()).into());
    }
    Ok(note.exists())
}

pub(crate) fn three_hundred_leave_no_zombie() -> Result<(), Failed> {
    const COUNT: usize = 300;
    let rig = Rig::with(|launch| launch.kind("true", &json!({"command": ["true"]})))?;
    let mut client = rig.server.client();
    let began = Instant::now();
    for _ in 0..COUNT {
        submit(&mut client, "true", "60s")?;
    }
    let tasks = crate::observe::quiet(&mut client, Duration::from_secs(60))?;
    let took = began.elapsed();
    eprintln!("{COUNT} commands in {took:?} (unoptimised build)");
    let succeeded = tasks.values().filter(|task| task["status"] == "success").count();
    if succeeded != COUNT {
        return Err(format!("{succeeded} of {COUNT} succeeded").into());
    }
    no_zombies(&rig.server)?;
    rig.stop()
}

/// A server with kinds that commands run, and its folder.
struct Rig {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn with(kinds: impl FnOnce(Launch) -> Launch) -> Result<Self, Failed> {
        let folder = folder()?;
        let server = kinds(Launch::new(data(&folder))).start()?;
        Ok(Self { server, _folder: folder })
    }

    fn stop(self) -> Result<(), Failed> {
        self.server.stop().map(drop)
    }
}

fn sh(script: &str) -> Value {
    json!({"command": ["sh", "-c", script]})
}

fn read(answer: &Answer) -> Result<Value, Failed> {
    match answer.status {
        200..=299 => Ok(answer.data()),
        _ => Err(answer.text().into()),
    }
}

/// Submits a task that is tried once, and returns its id.
fn submit(client: &mut Client, kind: &str, timeout: &str) -> Result<String, Failed> {
    let task = json!({"kind": kind, "max_attempts": 1, "timeout": timeout});
    let task = read(&client.post("/v1/tasks", &task)?)?;
    Ok(task["id"].as_str().ok_or("no id")?.to_owned())
}

/// Submits a task that is tried once, and returns it when it has ended.
fn ended(client: &mut Client, kind: &str, payload: &Value) -> Result<Value, Failed> {
    let task = json!({"kind": kind, "payload": payload, "max_attempts": 1, "timeout": "60s"});
    let task = read(&client.post("/v1/tasks", &task)?)?;
    wait_for(client, task["id"].as_str().ok_or("no id")?)
}

fn wait_for(client: &mut Client, id: &str) -> Result<Value, Failed> {
    let task = read(&client.get(&format!("/v1/tasks/{id}?wait=15s"))?)?;
    if crate::observe::has_ended(&task) { Ok(task) } else { Err(format!("no end: {task}").into()) }
}

fn expect(task: &Value, at: &str, expected: &Value) -> Result<(), Failed> {
    let found = task.pointer(at).unwrap_or(&Value::Null);
    if found == expected {
        return Ok(());
    }
    let error = &task["error"];
    Err(format!("{at} is {found:.100}, expected {expected:.100}; error: {error:.500}").into())
}

fn gone(task: &Value, within: Duration) -> Result<(), Failed> {
    gone_by_id(task["id"].as_str().ok_or("no id")?, within)
}
