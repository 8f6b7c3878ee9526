//! A server of our own binary, started for a measurement or a check, and killed after it.

use crate::failure::Failure;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time between two looks at a server that stops.
const LOOK: Duration = Duration::from_millis(10);

/// A server that is measured, or that a worker is held against.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// From the start of the process to its first line.
    pub(crate) start: Duration,
}

impl Server {
    /// Starts this binary with `args` on a free port; returns once it says where it listens.
    pub(crate) fn start(args: &[&str]) -> Result<Self, Failure> {
        Self::begin(this_binary()?, SocketAddr::from(([127, 0, 0, 1], 0)), args)
    }

    /// Starts this binary with `args` there, untouched by the configuration in this process's
    /// environment; returns once it says where it listens.
    pub(crate) fn start_apart(listen: SocketAddr, args: &[&str]) -> Result<Self, Failure> {
        let mut command = this_binary()?;
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("LONGSHORE_")) {
            command.env_remove(name);
        }
        Self::begin(command, listen, args)
    }

    fn begin(mut command: Command, listen: SocketAddr, args: &[&str]) -> Result<Self, Failure> {
        let began = Instant::now();
        let mut child = command
            .args(args)
            .args(["--listen", &listen.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Failure::system("cannot start a server"))?;
        let mut said = String::new();
        let Some(stderr) = child.stderr.take() else {
            return Err(Failure::Bench("the server has no stderr".into()));
        };
        let mut lines = BufReader::new(stderr).lines();
        while let Some(Ok(line)) = lines.next() {
            let addr = line.split("http://").nth(1).and_then(|rest| rest.split([' ', '/']).next());
            if let Some(addr) = addr.and_then(|addr| addr.parse().ok()) {
                let start = began.elapsed();
                // Whatever it says later must not fill the pipe.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { child, addr, start });
            }
            said.push_str(&line);
            said.push('\n');
        }
        let _ = child.wait();
        Err(Failure::Bench(format!("the server did not start:\n{said}")))
    }

    /// Asks it to stop, and returns once it has.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        let cannot = || Failure::system("cannot stop the server");
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.map_or(Ok(()), |pid| kill_process(pid, Signal::TERM))
            .map_err(|error| cannot()(error.into()))?;
        while self.child.try_wait().map_err(cannot())?.is_none() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Returns CPU time used so far, and the largest memory so far in bytes.
    pub(crate) fn usage(&self) -> (Duration, u64) {
        usage(&self.child.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn this_binary() -> Result<Command, Failure> {
    std::env::current_exe().map(Command::new).map_err(Failure::system("cannot find this binary"))
}

/// Returns CPU time and peak memory of a process; of this one as `self`.
pub(crate) fn usage(process: &str) -> (Duration, u64) {
    let read =
        |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
    let stat = read("stat");
    // After the name, which may hold blanks: field 3 is the first, utime and stime are 14 and 15.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<u64> =
        after_name.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let ticks = fields.get(11).unwrap_or(&0) + fields.get(12).unwrap_or(&0);
    let cpu =
        Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
    (cpu, status_bytes(&read("status"), "VmHWM:"))
}

/// Returns the memory that this process has now, in bytes.
pub(crate) fn resident(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status_bytes(&status, "VmRSS:")
}

fn status_bytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        * 1_024
}
