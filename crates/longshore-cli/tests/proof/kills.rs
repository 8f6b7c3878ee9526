//! kill -9 at any moment: nothing that was promised is lost, nothing is there twice.

use crate::accounts::settle;
use crate::ledger::{Effects, Ledger};
use crate::load::Load;
use crate::observe::tasks;
use crate::server::{Launch, data, folder};
use fastrand::Rng;
use libtest_mimic::Failed;
use std::time::Duration;

const KILLS: usize = 50;

pub(crate) fn fifty_random_kills_under_load() -> Result<(), Failed> {
    let folder = folder()?;
    let ledger = Ledger::new(None);
    let effects = Effects::collect(folder.path(), &ledger)?;
    let launch = Launch::new(data(&folder)).env("LONGSHORE_EFFECTS", &effects.socket);
    let mut rng = Rng::with_seed(50);
    for kill in 0..KILLS {
        if kill % 5 == 4 {
            launch.kill_while_starting(Duration::from_millis(rng.u64(0..60)))?;
            ledger.fault("kill -9 of a start");
            continue;
        }
        let server = launch.start()?;
        let seen = tasks(&mut server.client())?;
        ledger.look(ledger.now(), seen);
        let load = Load::start(server.addr, &ledger, 3, Duration::from_millis(8), kill as u64);
        std::thread::sleep(Duration::from_millis(rng.u64(5..350)));
        server.kill()?;
        ledger.fault("kill -9");
        load.stop();
    }
    let report = settle(&launch, &ledger, &effects)?;
    eprintln!("{KILLS} kills: {}", report.to_json());
    Ok(())
}
