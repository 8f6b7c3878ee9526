//! `longshore bench pull`: workers that lease over HTTP, a batch at a time, and end each task.

use super::report::{Report, histogram};
use super::scratch::Place;
use crate::child::{Server, usage};
use crate::failure::Failure;
use clap::Args;
use longshore::Client;
use longshore::client::{ClientError, Submit};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The kind that the workers run.
const KIND: &str = "bench.pull";
/// Workers that are given nothing for so long have lost something.
const PATIENCE: Duration = Duration::from_secs(30);

/// How pull workers are measured.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// How many tasks; they lie there when it begins.
    #[arg(long, default_value_t = 100_000)]
    number: u64,
    /// Tasks in each lease.
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// Workers, each with a connection of its own.
    #[arg(long, default_value_t = 16)]
    workers: usize,
    /// Bytes of the payload.
    #[arg(long, default_value_t = 256)]
    size: usize,
    #[command(flatten)]
    place: Place,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Pull {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.place.serve("", async |server: &Server| {
            self.measure(server).await?.print(self.json);
            Ok(())
        })
    }

    async fn measure(&self, server: &Server) -> Result<Report, Failure> {
        // A kind is known once somebody has asked for it.
        let mut first = Worker::connect(server.addr, "bench-0").await?;
        first.lease(self.batch).await?;
        let client = Client::connect(&format!("http://{}", server.addr)).map_err(failed)?;
        self.submit(&client).await?;
        let before = (usage("self").0, server.usage().0);
        let (began, done) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let mut workers = tokio::task::JoinSet::new();
        for number in 0..self.workers {
            let worker = Worker::connect(server.addr, &format!("bench-{number}")).await?;
            workers.spawn(worker.run(self.batch, self.number, done.clone()));
        }
        let mut times = histogram();
        while let Some(worker) = workers.join_next().await {
            let seen = worker.map_err(|error| Failure::Bench(error.to_string()))??;
            seen.into_iter().for_each(|micros| times.saturating_record(micros));
        }
        let took = began.elapsed();
        let load = format!("{} workers, {} in a lease", self.workers, self.batch);
        let mut report = Report::new("pulled tasks", load, &times, took);
        let (cpu, peak) = server.usage();
        report.client_cpu_us =
            Some(report.per_item(usage("self").0.saturating_sub(before.0), report.n));
        report.server_cpu_us = Some(report.per_item(cpu.saturating_sub(before.1), report.n));
        report.peak_mib = peak as f64 / f64::from(1 << 20);
        report.start_ms = Some(server.start.as_secs_f64() * 1e3);
        let queue = client.queues().get("default").await.map_err(failed)?;
        let succeeded = queue.tasks.get("success").copied().unwrap_or(0);
        report.lost = self.number.saturating_sub(succeeded);
        report.duplicated = report.n.saturating_sub(self.number);
        Ok(report)
    }

    async fn submit(&self, client: &Client) -> Result<(), Failure> {
        let payload = json!("x".repeat(self.size.saturating_sub(2)));
        let mut left = self.number;
        while left > 0 {
            let batch = left.min(5_000);
            let tasks: Result<Vec<_>, _> =
                (0..batch).map(|_| Submit::new(KIND).payload(&payload)).collect();
            let answers = client.submit_all(tasks.map_err(failed)?).await.map_err(failed)?;
            if let Some(Err(rejected)) = answers.into_iter().find(Result::is_err) {
                return Err(Failure::Bench(format!("a task was refused: {rejected:?}")));
            }
            left -= batch;
        }
        Ok(())
    }
}

/// A worker, on its connection.
#[derive(Debug)]
struct Worker {
    stream: TcpStream,
    name: String,
    addr: SocketAddr,
    buffer: Vec<u8>,
}

impl Worker {
    async fn connect(addr: SocketAddr, name: &str) -> Result<Self, Failure> {
        let connect = async {
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect.await.map_err(Failure::system("cannot reach the server"))?;
        Ok(Self { stream, name: name.to_owned(), addr, buffer: Vec::new() })
    }

    /// Works until so many are done by all workers; returns how long each end took, in microseconds.
    async fn run(
        mut self,
        batch: usize,
        all: u64,
        done: Arc<AtomicU64>,
    ) -> Result<Vec<u64>, Failure> {
        let mut times = Vec::new();
        let mut last = Instant::now();
        while done.load(Ordering::Relaxed) < all {
            let leases = self.lease(batch).await?;
            if leases.is_empty() && last.elapsed() > PATIENCE {
                let done = done.load(Ordering::Relaxed);
                return Err(Failure::Bench(format!(
                    "{done} of {all} tasks were done, then nothing"
                )));
            }
            for lease in leases {
                let asked = Instant::now();
                self.post(&format!("/v1/leases/{lease}/complete"), "{}").await?;
                times.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX).max(1));
                done.fetch_add(1, Ordering::Relaxed);
                last = Instant::now();
            }
        }
        Ok(times)
    }

    /// Leases at most so many; waits for none.
    async fn lease(&mut self, most: usize) -> Result<Vec<String>, Failure> {
        let wish = json!({ "kinds": [KIND], "max": most, "wait": "0s", "worker": self.name });
        let answer = self.post("/v1/leases", &wish.to_string()).await?;
        let tasks = answer["data"]["tasks"].as_array().cloned().unwrap_or_default();
        let lease = |task: &Value| task["lease"].as_str().map(str::to_owned);
        tasks
            .iter()
            .map(|task| lease(task).ok_or_else(|| Failure::Bench("a task without a lease".into())))
            .collect()
    }

    async fn post(&mut self, path: &str, body: &str) -> Result<Value, Failure> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.addr,
            body.len()
        );
        let (status, body) = self
            .exchange(request.as_bytes())
            .await
            .map_err(Failure::system("the server is gone"))?;
        if !(200..300).contains(&status) {
            let text = String::from_utf8_lossy(&body).into_owned();
            return Err(Failure::Bench(format!("{path} was answered with {status}: {text}")));
        }
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn exchange(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        let bad =
            |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(bad("the server closed the connection"));
            }
            let ends = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = ends else { continue };
            let head = std::str::from_utf8(&self.buffer[..end])
                .map_err(|_| bad("a head that is no text"))?;
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            let status = head.get(9..12).and_then(|status| status.parse().ok());
            let (length, status): (usize, u16) =
                (length.unwrap_or(0), status.ok_or_else(|| bad("an answer without a status"))?);
            if self.buffer.len() >= end + 4 + length {
                return Ok((status, self.buffer[end + 4..end + 4 + length].to_vec()));
            }
        }
    }
}

fn failed(error: ClientError) -> Failure {
    Failure::Bench(error.to_string())
}
