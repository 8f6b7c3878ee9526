//! The log: to stderr, warnings and above; `LONGSHORE_LOG=debug` shows more.

use std::io::IsTerminal;
use std::sync::Once;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

static INSTALLED: Once = Once::new();

/// Begins to log, as text or as one JSON object a line. Only the first call counts.
pub(crate) fn install(json: bool) {
    INSTALLED.call_once(|| {
        let filter = EnvFilter::builder()
            .with_env_var("LONGSHORE_LOG")
            .with_default_directive(LevelFilter::WARN.into())
            .from_env_lossy()
            // Clients of brokers log what they return, too: it is told once, by us.
            .add_directive("lapin=off".parse().unwrap_or(LevelFilter::WARN.into()));
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(colours)
            .with_writer(std::io::stderr);
        if json {
            log.json().init();
        } else {
            log.init();
        }
    });
}
