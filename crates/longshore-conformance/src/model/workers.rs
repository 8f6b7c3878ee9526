//! Workers and the kinds that they run.

use super::store::ModelStore;
use async_trait::async_trait;
use longshore_core::Timestamp;
use longshore_core::store::{KIND_KEPT, KnownKind, Result, SeenWorker, Told, Worker, Workers};
use std::time::Duration;

#[async_trait]
impl Workers for ModelStore {
    async fn announce(
        &self,
        worker: Worker,
        kinds: Vec<KnownKind>,
        lasts: Duration,
    ) -> Result<Told> {
        let (now, monotonic) = (self.clock().now(), self.clock().monotonic());
        let mut books = self.books()?;
        for kind in kinds {
            books.kinds.insert(kind.name.clone(), (kind, now));
        }
        Ok(books.workers.announce(worker, lasts, now, monotonic))
    }

    async fn leave(&self, id: &str) -> Result<()> {
        self.books()?.workers.leave(id);
        Ok(())
    }

    async fn drain(&self, id: &str) -> Result<bool> {
        Ok(self.books()?.workers.drain(id))
    }

    async fn workers(&self) -> Result<Vec<SeenWorker>> {
        let monotonic = self.clock().monotonic();
        Ok(self.books()?.workers.all(monotonic))
    }

    async fn known_kinds(&self) -> Result<Vec<KnownKind>> {
        let now = self.clock().now();
        let known = |(_, seen): &&(KnownKind, Timestamp)| now.since(*seen) <= KIND_KEPT;
        Ok(self.books()?.kinds.values().filter(known).map(|(kind, _)| kind.clone()).collect())
    }
}
