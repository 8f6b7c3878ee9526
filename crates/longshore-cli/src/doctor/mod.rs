//! `longshore doctor`: looks for what could keep the service from running well.
//!
//! Each check is a file and gives findings; one that fails comes with what to do.

mod clock;
mod configuration;
mod data;
mod disk;
mod finding;
mod keys;
mod limits;
mod lock;
mod port;
mod server;
mod tls;

use crate::config::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::remote::Remote;
use clap::Args;
use finding::{Finding, Verdict};
use longshore::config::Flags;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Looks for what could keep the service from running well
///
/// One line for each check: `ok`, `warn` or `fail`, what was found, and what to do.
/// Exit code 8 if a check fails. Nothing is changed; to time the disk, a small file
/// is written in the data folder and removed.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Doctor {
    /// Where the service is to listen, if not as configured
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The folder that keeps the tasks, if not as configured
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

impl Doctor {
    /// Looks.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { listen, data, place, output, remote } = self;
        let mut flags = Flags::default();
        if let Some(listen) = listen {
            flags = flags.listen(listen);
        }
        if let Some(data) = &data {
            flags = flags.data(data);
        }
        let loaded = place.load(flags);
        let mut findings = configuration::check(&loaded);
        let mut guards = Vec::new();
        if let Ok(config) = &loaded {
            guards.extend(config.auth.keys.iter().flat_map(|path| keys::check(path)));
            guards.extend(config.server.tls.iter().flat_map(tls::check));
        }
        let has_tls = loaded.as_ref().is_ok_and(|config| config.server.tls.is_some());
        let (configured, folder) = match &loaded {
            Ok(config) => (config.server.listen, configuration::folder(config)),
            // What the rest needs is told by the flags, or is the default.
            Err(_) => (SocketAddr::from(([127, 0, 0, 1], 8080)), None),
        };
        let (listen, folder) = (listen.unwrap_or(configured), data.or(folder));
        remote.run(async move |client| {
            let ours = port::is_ours(listen).await;
            let server = server::check(&client).await;
            let tls_ours = has_tls && asks(client.url(), listen);
            let up = ours || server.first().is_some_and(server::is_up);
            let ours = ours || (tls_ours && server.first().is_some_and(server::is_up));
            findings.push(port::check(listen, ours));
            if let Some(folder) = &folder {
                findings.extend(data::check(folder));
                findings.push(lock::check(folder, up));
                findings.extend(disk::check(folder));
            }
            findings.extend(guards);
            findings.push(clock::check());
            findings.extend(limits::check());
            findings.extend(server);
            let mut listing = output.list();
            findings.iter().try_for_each(|finding| listing.push(finding))?;
            listing.finish()?;
            let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
            Ok(if failed { Exit::Problems } else { Exit::Fine })
        })
    }
}

/// Whether the server that commands ask can be the one that listens there: its certificate is for a
/// name, so it is not asked by address.
fn asks(url: &str, listen: SocketAddr) -> bool {
    url.trim_end_matches('/').ends_with(&format!(":{}", listen.port()))
}
