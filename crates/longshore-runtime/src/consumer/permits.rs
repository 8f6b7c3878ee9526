//! A number of permits that may change while they are in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many permits. What is too much after a change is withdrawn as it comes back.
#[derive(Debug, Clone)]
pub(super) struct Permits {
    free: Arc<Semaphore>,
    size: Arc<Mutex<Size>>,
}

#[derive(Debug)]
struct Size {
    wanted: usize,
    /// How many are still to be withdrawn.
    surplus: usize,
}

/// A permit that is taken; free again when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    size: Arc<Mutex<Size>>,
}

fn locked(size: &Mutex<Size>) -> MutexGuard<'_, Size> {
    size.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut size = locked(&self.size);
        if size.surplus > 0 {
            size.surplus -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        let size = Size { wanted: count, surplus: 0 };
        Self { free: Arc::new(Semaphore::new(count)), size: Arc::new(Mutex::new(size)) }
    }

    /// Changes their number.
    pub(super) fn resize(&self, count: usize) {
        let mut size = locked(&self.size);
        if count > size.wanted {
            let more = count - size.wanted;
            let kept = more.min(size.surplus);
            size.surplus -= kept;
            self.free.add_permits(more - kept);
        } else {
            let less = size.wanted - count;
            size.surplus += less - self.free.forget_permits(less);
        }
        size.wanted = count;
    }

    /// Returns how many there are to be.
    pub(super) fn wanted(&self) -> usize {
        locked(&self.size).wanted
    }

    /// Waits for one.
    pub(super) async fn one(&self) -> Option<Permit> {
        // Never closed.
        self.free.clone().acquire_owned().await.ok().map(|permit| self.permit(permit))
    }

    /// Takes one if it is free.
    pub(super) fn one_now(&self) -> Option<Permit> {
        self.free.clone().try_acquire_owned().ok().map(|permit| self.permit(permit))
    }

    /// Takes as many as are free, at most `most`.
    pub(super) fn some_now(&self, most: usize) -> Vec<Permit> {
        let count = self.free.available_permits().min(most);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let mut taken = Vec::new();
        if let Ok(mut permits) = self.free.clone().try_acquire_many_owned(count) {
            while let Some(permit) = permits.split(1) {
                taken.push(self.permit(permit));
            }
        }
        taken
    }

    fn permit(&self, permit: OwnedSemaphorePermit) -> Permit {
        Permit { permit: Some(permit), size: self.size.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_are_withdrawn_as_they_come_back() {
        let permits = Permits::new(4);
        let mut taken = permits.some_now(10);
        assert_eq!(taken.len(), 4);
        permits.resize(2);
        taken.truncate(2); // two come back and are withdrawn
        assert!(permits.one_now().is_none());
        drop(taken);
        assert_eq!(permits.some_now(10).len(), 2);
    }

    #[test]
    fn more_are_there_at_once_and_cancel_a_withdrawal() {
        let permits = Permits::new(2);
        let taken = permits.some_now(2);
        permits.resize(1);
        permits.resize(3);
        assert_eq!(permits.some_now(10).len(), 1);
        drop(taken);
        assert_eq!(permits.some_now(10).len(), 3);
    }
}
