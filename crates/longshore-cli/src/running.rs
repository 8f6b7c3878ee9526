//! What `dev` and `serve` share: where the configuration is from, and the life of the process.

use crate::failure::Failure;
use crate::threads;
use clap::Args;
use longshore::config::{Flags, LogFormat, Sources};
use longshore::supervisor::StopReport;
use longshore::{Builder, Ended, Service, Signals, Started};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the configuration is from, and what else a run is told.
#[derive(Debug, Args)]
pub(crate) struct Running {
    /// Where to listen; elsewhere than on loopback with keys and TLS only. Default: 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The keys that callers must show one of: see `longshore key`.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The certificate, in PEM form; the server speaks TLS then.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM form.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listens anywhere, without keys and TLS too: anybody who reaches the port can do everything.
    #[arg(long)]
    insecure_bind: bool,
    /// The folder that keeps the tasks; made if it is not there. Default: ./longshore-data.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration. Default: longshore.yaml, .yml or .toml in the working folder, if there is
    /// one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Writes down there, as JSON, what stopping did.
    #[arg(long, value_name = "FILE")]
    stop_report: Option<PathBuf>,
}

impl Running {
    fn sources(&self) -> Sources {
        let mut flags = Flags::default();
        if let Some(addr) = self.listen {
            flags = flags.listen(addr);
        }
        if let Some(folder) = &self.data {
            flags = flags.data(folder);
        }
        if let Some(file) = &self.keys {
            flags = flags.keys(file);
        }
        if let Some(file) = &self.tls_cert {
            flags = flags.tls_cert(file);
        }
        if let Some(file) = &self.tls_key {
            flags = flags.tls_key(file);
        }
        if self.insecure_bind {
            flags = flags.insecure_bind();
        }
        let sources = Sources::of_process().flags(flags);
        match &self.config {
            Some(file) => sources.file(file),
            None => sources,
        }
    }

    /// Runs until SIGINT or SIGTERM; `greet` is told once it is ready.
    pub(crate) fn run(self, builder: Builder, greet: impl FnOnce(&Service)) -> Result<(), Failure> {
        let threads = threads::of_the_door()?;
        let done = threads.block_on(self.serve(builder, greet));
        // A handler that never yields must not keep the process alive.
        threads.shutdown_background();
        done
    }

    async fn serve(self, builder: Builder, greet: impl FnOnce(&Service)) -> Result<(), Failure> {
        let signals = Signals::install()?;
        let builder = builder.config(self.sources()).data_export().on_config(|config| {
            crate::log::install(config.telemetry.log == LogFormat::Json);
        });
        let ended = match builder.start_unless(&signals).await? {
            Started::Stopped(report) => Ended::Asked(report),
            Started::Running(service) => {
                greet(&service);
                service.run(signals).await
            }
        };
        let (failed, report) = match ended {
            Ended::Asked(report) => (None, report),
            Ended::Failed(failed, report) => (Some(failed), report),
        };
        if let Some(file) = &self.stop_report {
            write(file, &report)?;
        }
        match failed {
            None => Ok(()),
            Some(failed) => Err(longshore::Error::from(failed).into()),
        }
    }
}

/// Says where it listens and where tasks are kept.
pub(crate) fn say_ready(service: &Service) {
    let version = env!("CARGO_PKG_VERSION");
    let (url, store) = (service.url(), service.store_url());
    let data = store.strip_prefix("embedded:").unwrap_or(store);
    anstream::eprintln!(
        "longshore {version} is ready: {url} (docs: /docs, API: /docs/api), tasks are kept in {data}"
    );
}

fn write(file: &Path, report: &StopReport) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    std::fs::write(file, text).map_err(Failure::system("cannot write the stop report"))
}
