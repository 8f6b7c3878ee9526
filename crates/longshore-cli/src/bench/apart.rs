//! A core for the load generator.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this thread to the last core that it may use, until dropped. Otherwise the system moves it to the core of
/// whoever answered it last, where the two take turns while another core is idle; how often depends on
/// who else runs, so that two servers are not measured alike.
#[derive(Debug)]
pub(super) struct Apart(Option<CpuSet>);

impl Apart {
    /// Does nothing if there is no core to choose, or the system does not allow it.
    pub(super) fn new() -> Self {
        let Ok(before) = sched_getaffinity(None) else { return Self(None) };
        let last = (0..CpuSet::MAX_CPU).rfind(|core| before.is_set(*core));
        let mut only = CpuSet::new();
        last.into_iter().for_each(|core| only.set(core));
        let kept = before.count() > 1 && sched_setaffinity(None, &only).is_ok();
        Self(kept.then_some(before))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = sched_setaffinity(None, before); // what was allowed before still is
        }
    }
}
