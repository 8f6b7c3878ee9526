//! Sees to it that nothing waits behind a call that blocks its thread.

use super::line::{Line, MOMENT};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

/// A thread that looks at a [`Line`] as long as something waits there and somebody could be woken for it, and sleeps
/// otherwise. Cloning gives another handle.
#[derive(Clone)]
pub(super) struct Sentinel {
    watch: Arc<Watch>,
    thread: Thread,
}

#[derive(Default)]
struct Watch {
    is_on: AtomicBool,
    is_over: AtomicBool,
}

impl Sentinel {
    pub(super) fn start(line: Arc<Line>) -> std::io::Result<Self> {
        let watch = Arc::new(Watch::default());
        let thread = std::thread::Builder::new().name("handlers-watch".into()).spawn({
            let watch = watch.clone();
            move || watch.run(&line)
        })?;
        Ok(Self { watch, thread: thread.thread().clone() })
    }

    /// Looks from now on, as long as there is a reason to.
    pub(super) fn watch(&self) {
        if !self.watch.is_on.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }

    /// Ends the thread.
    pub(super) fn end(&self) {
        self.watch.is_over.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Watch {
    fn run(&self, line: &Line) {
        while !self.is_over.load(Ordering::Acquire) {
            // Off before it looks: what comes afterwards puts it on again.
            if !self.is_on.swap(false, Ordering::AcqRel) {
                std::thread::park();
                continue;
            }
            std::thread::sleep(MOMENT);
            if line.look() {
                self.is_on.store(true, Ordering::Release);
            }
        }
    }
}
