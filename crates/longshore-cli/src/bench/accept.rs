//! `longshore bench accept`: durable accepts over HTTP, held against the yardstick.

use super::apart::Apart;
use super::load::{self, Measured, Plan};
use super::report::Report;
use crate::child::{Server, usage};
use crate::failure::Failure;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How accepts are measured.
#[derive(Debug, Args)]
pub(crate) struct Accept {
    /// Connections, each one request after the other.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds that are counted, after one second of warm-up.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Requests a second on a fixed schedule, instead of as fast as answers come.
    #[arg(long)]
    rate: Option<f64>,
    /// Bytes of the payload.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Rounds; the medians are compared.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Runs the tasks too, instead of only taking them in.
    #[arg(long)]
    consume: bool,
    /// Keeps the data there, on the disk that is to be measured. Default: a temporary folder beside
    /// the working folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Measures a server that runs already, without the yardstick.
    #[arg(long, value_name = "ADDR")]
    target: Option<SocketAddr>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Accept {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let threads = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::system("cannot start threads"))?;
        if let Some(addr) = self.target {
            let (report, _) = self.report("accept", &threads, addr, None)?;
            report.print(self.json);
            return Ok(());
        }
        let mut yardstick = Vec::new();
        let mut durable = Vec::new();
        for _ in 0..self.rounds.max(1) {
            yardstick.push(self.round_of_yardstick(&threads)?);
            durable.push(self.round_of_accepts(&threads)?);
        }
        let (yardstick, durable) = (median(yardstick), median(durable));
        yardstick.print(self.json);
        durable.print(self.json);
        let ratio = durable.rate / yardstick.rate;
        if self.json {
            anstream::println!(
                "{}",
                serde_json::json!({ "what": "ratio", "accept_to_yardstick": ratio })
            );
        } else {
            anstream::println!("durable accepts reach {ratio:.2} of the yardstick");
        }
        Ok(())
    }

    fn round_of_yardstick(&self, threads: &tokio::runtime::Runtime) -> Result<Report, Failure> {
        let server = Server::start(&["bench", "http-baseline"])?;
        let (mut report, _) = self.report("yardstick", threads, server.addr, Some(&server))?;
        report.durability = "none";
        Ok(report)
    }

    fn round_of_accepts(&self, threads: &tokio::runtime::Runtime) -> Result<Report, Failure> {
        let parent = self.data.clone().unwrap_or_else(|| PathBuf::from("."));
        let data = tempfile::Builder::new()
            .prefix("longshore-bench-")
            .tempdir_in(parent)
            .map_err(Failure::system("cannot make a folder for the data"))?;
        let data = data.path().display().to_string();
        let mut args = vec!["dev", "--data", &data];
        if !self.consume {
            args.push("--accept-only");
        }
        let server = Server::start(&args)?;
        let (mut report, all) = self.report("accept", threads, server.addr, Some(&server))?;
        // What was answered must be there, and no more.
        let kept = threads.block_on(accepted_by(server.addr))?;
        report.lost = all.saturating_sub(kept);
        report.duplicated = kept.saturating_sub(all);
        Ok(report)
    }

    fn report(
        &self,
        what: &str,
        threads: &tokio::runtime::Runtime,
        addr: SocketAddr,
        server: Option<&Server>,
    ) -> Result<(Report, u64), Failure> {
        let plan = Plan {
            connections: self.connections,
            seconds: self.seconds,
            rate: self.rate,
            size: self.size,
        };
        let before = (usage("self").0, server.map(Server::usage));
        let apart = self.rate.is_none().then(Apart::new);
        let Measured { times, took, all, errors } =
            threads.block_on(load::post(addr, "hello", plan))?;
        drop(apart); // a server that is started later has all cores
        let load = match self.rate {
            Some(rate) => format!("{rate}/s over {} connections", self.connections),
            None => format!("{} connections", self.connections),
        };
        let mut report = Report::new(what, load, &times, took);
        report.errors = errors;
        report.client_cpu_us = Some(report.per_item(usage("self").0.saturating_sub(before.0), all));
        if let (Some(server), Some((cpu, _))) = (server, before.1) {
            report.start_ms = Some(server.start.as_secs_f64() * 1e3);
            let (now, peak) = server.usage();
            report.server_cpu_us = Some(report.per_item(now.saturating_sub(cpu), all));
            report.peak_mib = peak as f64 / f64::from(1 << 20);
        }
        Ok((report, all - errors))
    }
}

/// Asks a server how many tasks it has accepted.
async fn accepted_by(addr: SocketAddr) -> Result<u64, Failure> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let failed = Failure::system("cannot read the server's metrics");
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(addr).await?;
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    };
    let text: String = ask.await.map_err(failed)?;
    let counted = text.lines().filter(|line| line.starts_with("longshore_tasks_accepted_total"));
    Ok(counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64)
}

fn median(mut reports: Vec<Report>) -> Report {
    reports.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    reports.swap_remove(reports.len() / 2)
}
