//! A broker that dies twenty times.

use super::rig::{By, Rig};
use libtest_mimic::{Completion, Failed};
use longshore_conformance::rabbitmq;
use std::time::{Duration, Instant};

/// Consuming goes on so soon after the broker is back.
const BACK: Duration = Duration::from_secs(10);

pub(crate) fn twenty_bounces_need_no_hand() -> Result<Completion, Failed> {
    if let Err(missing) = rabbitmq::startable() {
        return Ok(Completion::ignored_with(missing));
    }
    let mut rig = Rig::start(None)?;
    let mut longest = Duration::ZERO;
    for bounce in 0..20 {
        rig.broker.kill();
        rig.broker.restart()?;
        let back = Instant::now();
        let mut client = rig.client();
        let one = loop {
            match rig.publish(&mut client, By::Topic) {
                Some(number) if rig.account.was_seen(number) => break number,
                Some(number) => {
                    let until = Instant::now() + Duration::from_secs(3);
                    while !rig.account.was_seen(number) && Instant::now() < until {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    if rig.account.was_seen(number) {
                        break number;
                    }
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
            if back.elapsed() > 3 * BACK {
                return Err(format!("bounce {bounce}: nothing was consumed any more").into());
            }
        };
        longest = longest.max(back.elapsed());
        if back.elapsed() > BACK {
            return Err(format!("bounce {bounce}: {one} took {:?}", back.elapsed()).into());
        }
    }
    let (wrong, figures) = rig.account.judge(20);
    eprintln!("consuming again after {longest:.1?} at most; {figures}");
    let lost: Vec<_> = wrong.iter().filter(|what| !what.ends_with("is lost")).collect();
    if !lost.is_empty() || !rig.account.missing().is_empty() {
        return Err(format!("{figures}\n{wrong:?}").into());
    }
    Ok(Completion::Completed)
}
