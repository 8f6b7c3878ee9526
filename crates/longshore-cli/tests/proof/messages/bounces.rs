//! A broker that dies, or is stopped, twenty times.

use super::rig::{By, Rig};
use crate::server::eventually;
use libtest_mimic::{Completion, Failed};
use longshore_conformance::rabbitmq;
use std::time::{Duration, Instant};

/// Consuming goes on so soon after the broker is back.
const BACK: Duration = Duration::from_secs(10);
/// Before the next is published: behind one that was not stored, and behind one that is not handled yet.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn twenty_bounces_need_no_hand() -> Result<Completion, Failed> {
    if let Err(missing) = rabbitmq::startable() {
        return Ok(Completion::ignored_with(missing));
    }
    let mut rig = Rig::start(None)?;
    let longest = bounce(&mut rig, 20).map_err(|why| rig.with_state(&why))?;
    let (wrong, figures) = rig.account.judge(20);
    eprintln!("consuming again after {longest:.1?} at most; {figures}");
    if !wrong.is_empty() {
        return Err(format!("{figures}\n{wrong:?}").into());
    }
    Ok(Completion::Completed)
}

/// Ends the broker so often, killed and stopped in turn; returns how long it took at most until something was consumed.
fn bounce(rig: &mut Rig, times: u32) -> Result<Duration, Failed> {
    let mut longest = Duration::ZERO;
    for bounce in 0..times {
        if bounce % 2 == 0 {
            rig.broker.kill()
        } else {
            rig.broker.stop()?
        }
        rig.broker.restart()?;
        let back = Instant::now();
        let mut client = rig.client();
        loop {
            let published = rig.publish(&mut client, By::Topic);
            let is_seen = || published.is_some_and(|number| rig.account.was_seen(number));
            let until = Instant::now() + published.map_or(PAUSE, |_| PATIENCE);
            while !is_seen() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            if back.elapsed() > BACK {
                return Err(format!("bounce {bounce}: not consuming within {BACK:?}").into());
            }
            if is_seen() {
                break;
            }
        }
        longest = longest.max(back.elapsed());
    }
    eventually("all that is stored is handled", 3 * BACK, || {
        Ok((rig.account.missing() == 0).then_some(()))
    })?;
    Ok(longest)
}
