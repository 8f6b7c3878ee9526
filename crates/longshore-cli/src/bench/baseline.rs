//! `longshore bench http-baseline`: the yardstick of the accept rate.

use crate::failure::Failure;
use crate::threads;
use clap::Args;
use longshore::core::KindName;
use longshore::handler::nothing;
use longshore::http::{BindError, Door, DoorOptions, baseline};
use longshore::{Error, Kind, Registry};
use std::net::SocketAddr;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Where the yardstick listens.
#[derive(Debug, Args)]
pub(crate) struct Baseline {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

impl Baseline {
    /// Serves until SIGINT or SIGTERM.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let threads = threads::of_the_door()?;
        threads.block_on(async {
            let mut registry = Registry::default();
            for name in ["hello", "demo.work"] {
                if let Ok(name) = KindName::new(name) {
                    registry.add(Kind::new(name, nothing()));
                }
            }
            let router =
                baseline::router(registry).map_err(BindError::from).map_err(Error::from)?;
            let options = DoorOptions { listen: self.listen, ..DoorOptions::default() };
            let closing = CancellationToken::new();
            let door = Door::bind_router(router, options).await.map_err(Error::from)?;
            anstream::eprintln!("the yardstick is ready: http://{}", door.local_addr());
            let stop = closing.clone();
            tokio::spawn(async move {
                let terminate = async {
                    match signal(SignalKind::terminate()) {
                        Ok(mut signal) => drop(signal.recv().await),
                        Err(_) => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    () = terminate => {}
                }
                stop.cancel();
            });
            door.serve(closing).await;
            Ok(())
        })
    }
}
