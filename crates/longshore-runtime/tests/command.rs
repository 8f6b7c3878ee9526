//! Commands over the engine and the model store. This program is its own watcher, so it has a
//! `main` of its own.

use libtest_mimic::{Arguments, Failed, Trial};
use longshore_conformance::{ManualClock, ModelStore};
use longshore_core::attempt::AttemptOutcome;
use longshore_core::{FaultClass, KindName, Payload, Span, State, Task, TaskId, TenantName};
use longshore_runtime::handler::remote::command::{CommandSpec, command};
use longshore_runtime::{Engine, Kind, Options, Registry, Submission, exec};
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    if let Some(code) = exec::run_if_asked() {
        return code;
    }
    let trials = vec![
        Trial::test("its_stdout_is_the_result", || on_threads(its_stdout_is_the_result())),
        Trial::test("without_a_watcher_it_is_not_run", || {
            on_threads(without_a_watcher_it_is_not_run())
        }),
        Trial::test("a_drain_stops_it_and_gives_it_back_uncharged", || {
            on_threads(a_drain_stops_it_and_gives_it_back_uncharged())
        }),
        Trial::test("out_of_time_it_is_told_to_stop", || {
            on_threads(out_of_time_it_is_told_to_stop())
        }),
        Trial::test("many_at_once_are_all_reaped", || on_threads(many_at_once_are_all_reaped())),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn on_threads(test: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(test)
}

async fn its_stdout_is_the_result() -> Result<(), Failed> {
    let house = House::of(CommandSpec::new(["wc", "-w"]));
    let id = house.submit("\"four words are here\"").await;
    let task = house.ended(id).await;
    assert_eq!((task.state, task.result), (State::Success, Some(Payload::from_json("4"))));
    Ok(())
}

async fn without_a_watcher_it_is_not_run() -> Result<(), Failed> {
    let spec = CommandSpec { exec: "/no/such/watcher".into(), ..CommandSpec::new(["true"]) };
    let house = House::of(spec);
    let id = house.submit("null").await;
    let error = house.ended(id).await.error.ok_or("no error")?;
    assert_eq!((error.class, error.code.as_deref()), (FaultClass::Dependency, Some("exec.failed")));
    assert!(error.message.contains("/no/such/watcher"), "{}", error.message);
    Ok(())
}

async fn a_drain_stops_it_and_gives_it_back_uncharged() -> Result<(), Failed> {
    let folder = Folder::new("drained");
    let script = "trap 'echo told > told; exit 1' TERM; echo > begun; yes >&2 & wait";
    let spec =
        CommandSpec { cwd: Some(folder.0.clone()), ..CommandSpec::new(["sh", "-c", script]) };
    let house = House::of(spec);
    let id = house.submit("null").await;
    folder.has("begun").await;
    // Everything but the store, which is looked at afterwards.
    house.engine.begin_drain();
    let supervisor = house.engine.supervisor();
    supervisor.remove("fetch", Duration::from_secs(5)).await?;
    let drained = supervisor.remove("handlers", Duration::from_millis(10)).await?;
    assert_eq!(drained.map(|stop| stop.given_back), Some(1));
    folder.has("told").await;
    let store = house.engine.store();
    let attempts = store.attempts(TenantName::default(), id).await?.ok_or("no attempts")?;
    assert_eq!(attempts[0].outcome, Some(AttemptOutcome::Released));
    Ok(())
}

async fn out_of_time_it_is_told_to_stop() -> Result<(), Failed> {
    let folder = Folder::new("late");
    let script = "trap 'echo told > told; exit 1' TERM; sleep 300 & wait";
    let spec =
        CommandSpec { cwd: Some(folder.0.clone()), ..CommandSpec::new(["sh", "-c", script]) };
    let house = House::of(spec);
    // Enough for it to be started, and to set its trap, beside all the others.
    let wish = Submission { timeout: Some(Span(Duration::from_secs(5))), ..work("null") };
    let id = house.engine.intake().submit(wish).await?.id;
    let task = house.ended(id).await;
    assert_eq!(task.error.ok_or("no error")?.class, FaultClass::Timeout);
    folder.has("told").await;
    Ok(())
}

async fn many_at_once_are_all_reaped() -> Result<(), Failed> {
    // Found among the children of this process by its name.
    let folder = Folder::new("reaped");
    let own_name = folder.0.join("watcher-of-many");
    std::os::unix::fs::symlink(std::env::current_exe()?, &own_name)?;
    let spec = CommandSpec { exec: own_name, ..CommandSpec::new(["sleep", "0.2"]) };
    let house = House::of(spec);
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(house.submit("null").await);
    }
    let left = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let names = processes.filter_map(|entry| std::fs::read(entry.path().join("comm")).ok());
        names.filter(|name| name == b"watcher-of-many\n").count()
    };
    until("some run", || left() > 0).await;
    for id in ids {
        assert_eq!(house.ended(id).await.state, State::Success);
    }
    until("all are reaped", || left() == 0).await;
    Ok(())
}

/// An engine with one kind, `work`, tried once.
struct House {
    engine: Engine,
}

impl House {
    fn of(spec: CommandSpec) -> Self {
        let clock = Arc::new(ManualClock::default());
        let mut registry = Registry::default();
        registry.add(Kind::new(KindName::new("work").expect("a name"), command(spec)));
        let store = Arc::new(ModelStore::new(clock.clone()));
        let options = Options { clock, ..Options::new(store, registry) };
        Self { engine: Engine::start(options).expect("it starts") }
    }

    async fn submit(&self, payload: &str) -> TaskId {
        self.engine.intake().submit(work(payload)).await.expect("accepted").id
    }

    async fn ended(&self, id: TaskId) -> Task {
        let store = self.engine.store();
        let task = self.engine.hub().wait(&**store, TenantName::default(), id, PATIENCE).await;
        let task = task.expect("it serves").expect("it is there");
        assert!(task.state.is_end(), "still {}", task.state);
        task
    }
}

fn work(payload: &str) -> Submission {
    Submission {
        payload: Some(Payload::from_json(payload)),
        max_attempts: Some(1),
        ..Submission::new("work")
    }
}

/// A folder for one test, gone with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("longshore-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    async fn has(&self, file: &str) {
        until(file, || self.0.join(file).exists()).await;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn until(what: &str, seen: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !seen() {
        assert!(tokio::time::Instant::now() < deadline, "not seen: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
