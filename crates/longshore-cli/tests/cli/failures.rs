use crate::rig::{NOBODY, Rig};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_server_that_is_not_there_is_named() {
    let rig = Rig::alone();
    for args in [
        &["tasks", "ls"] as &[&str],
        &["tasks", "wait", NOBODY],
        &["tasks", "retry", NOBODY],
        &["queues", "ls"],
        &["enqueue", "hello"],
    ] {
        let said = rig.run(args);
        assert_eq!((said.code, said.out.as_str()), (6, ""), "{args:?}: {said:?}");
        assert!(said.err.contains("http://127.0.0.1:9"), "{args:?}: {}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{args:?}: {}", said.err);
    }
}

#[test]
fn the_flag_goes_before_the_variable() {
    let rig = Rig::start();
    assert_eq!(rig.run(&["tasks", "ls", "--server", "http://127.0.0.1:9"]).code, 6);
    assert_eq!(rig.run(&["tasks", "ls", "--server", "ftp://x"]).code, 2);
}

#[test]
fn a_slip_is_told_with_the_nearest_name() {
    let rig = Rig::alone();
    for (args, near) in [
        (&["taks"] as &[&str], "'tasks'"),
        (&["tasks", "ls", "--statu", "failed"], "'--status'"),
        (&["tasks", "ls", "--status", "faild"], "'failed'"),
        (&["tasks", "ls", "-o", "jsn"], "'json'"),
    ] {
        let said = rig.run(args);
        assert_eq!(said.code, 2, "{args:?}");
        assert!(said.err.contains(near), "{args:?}: {}", said.err);
    }
}

#[test]
fn what_is_no_id_is_told_with_its_place() {
    let rig = Rig::alone();
    let said = rig.feed(&["tasks", "show", "-"], &format!("{NOBODY}\nnot-one\n"));
    assert_eq!(said.code, 2);
    assert!(said.err.contains("standard input, line 2: \"not-one\""), "{}", said.err);
}

#[test]
fn an_interrupted_wait_ends_with_130() {
    let rig = Rig::start();
    let id = rig.waiting();
    let mut command = rig.command(&["tasks", "wait", &id, "--timeout", "60s"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until_it_catches(Signal::INT, child.id());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
}

/// Waits until a process has a handler for this signal.
fn until_it_catches(signal: Signal, process: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        if caught & (1 << (signal.as_raw() - 1)) != 0 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("it never waits for {signal:?}");
}

#[test]
fn codes_are_explained_from_the_binary() {
    let rig = Rig::alone();
    assert!(rig.fine(&["explain", "LS-40001"]).starts_with("# LS-40001: "));
    assert_eq!(rig.fine(&["explain", "40001"]), rig.fine(&["explain", "ls-40001"]));
    assert!(rig.fine(&["explain", "-o", "name"]).lines().any(|line| line == "LS-50701"));
    assert_eq!(rig.run(&["explain", "LS-99999"]).code, 3);
}

#[test]
fn a_key_is_never_shown() {
    let rig = Rig::start();
    let mut command = rig.command(&["tasks", "ls", "--help"]);
    let output = command.env("LONGSHORE_KEY", "ls_secret").output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("ls_secret"));
}
