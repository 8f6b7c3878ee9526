//! A broker that dies, or is stopped, twenty times.

use super::rig::Rig;
use crate::server::eventually;
use libtest_mimic::{Completion, Failed};
use longshore_conformance::rabbitmq;
use std::time::{Duration, Instant};

const TIMES: u32 = 20;
/// Consuming goes on so soon after the broker is back.
const BACK: Duration = Duration::from_secs(10);
/// Between two messages, until one is handled.
const PAUSE: Duration = Duration::from_millis(250);

pub(crate) fn twenty_bounces_need_no_hand() -> Result<Completion, Failed> {
    if let Err(missing) = rabbitmq::startable() {
        return Ok(Completion::ignored_with(missing));
    }
    let mut rig = Rig::start(None)?;
    let longest = bounce(&mut rig).map_err(|why| rig.with_state(&why))?;
    rig.enough()?;
    let rest = eventually("all that is stored is handled", 3 * BACK, || {
        Ok((rig.account.missing() == 0).then_some(()))
    });
    let (wrong, figures) = rig.account.judge(20);
    eprintln!("consuming again after {longest:.1?} at most; {figures}");
    if !wrong.is_empty() || rest.is_err() {
        let rest = rest.err().and_then(|late| late.message().map(str::to_owned));
        return Err(rig.with_state(&format!("{figures}\n{wrong:?} {rest:?}").into()));
    }
    Ok(Completion::Completed)
}

/// Ends the broker, killed and stopped in turn; returns how long it took at most until something new was stored and consumed.
fn bounce(rig: &mut Rig) -> Result<Duration, Failed> {
    let mut longest = Duration::ZERO;
    for bounce in 0..TIMES {
        if bounce % 2 == 0 {
            rig.broker.kill()
        } else {
            rig.broker.stop()?
        }
        rig.broker.restart()?;
        let back = Instant::now();
        let (first, mut published) = (rig.publish(), Instant::now());
        while !rig.account.was_handled_since(first) {
            let elapsed = back.elapsed();
            if elapsed > BACK {
                let (_, figures) = rig.account.judge(1);
                return Err(format!("bounce {bounce}: nothing after {elapsed:?}; {figures}").into());
            }
            // One may wait long for its confirm where the next does not.
            if published.elapsed() > PAUSE {
                (_, published) = (rig.publish(), Instant::now());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        longest = longest.max(back.elapsed());
    }
    Ok(longest)
}
