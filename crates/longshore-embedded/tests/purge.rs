//! A long purge lets others be served, and touches nothing that comes in meanwhile.

use longshore_core::store::{Act, ActKind, BATCH, Intake, Lifecycle, TaskQuery};
use longshore_core::{KindName, NewTask, QueueName, State, TenantName, Valid};
use longshore_embedded::{EmbeddedStore, Options};
use std::sync::atomic::{AtomicBool, Ordering};

const BATCHES: usize = 24;
/// How often somebody is served meanwhile at least; of a busy machine's threads one may be late.
const SERVED: usize = 3;

fn task() -> Valid<NewTask> {
    Valid::vouch(NewTask::new(KindName::new("job").expect("a name")))
}

#[tokio::test]
async fn others_are_served_between_the_batches_of_a_purge() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options { reserve: 1 << 20, ..Options::new(dir.path()) };
    let store = EmbeddedStore::open(&options).expect("it opens");
    let count = BATCHES * BATCH;
    store.accept((0..count).map(|_| task()).collect()).await.expect("accept answers");
    let over = AtomicBool::new(false);
    let purge = async {
        let (by, tenant) = ("olga".to_owned(), TenantName::default());
        let act = Act { by, tenant, what: ActKind::Purge(QueueName::default()) };
        let purged = store.act(vec![act]).await.expect("act answers").remove(0);
        over.store(true, Ordering::Relaxed);
        purged.expect("purged").count
    };
    let others = async {
        let mut accepted = Vec::new();
        while !over.load(Ordering::Relaxed) {
            store.condition().await.expect("it serves"); // behind the batch that is at work
            let answer = store.accept(vec![task()]).await.expect("accept answers").remove(0);
            accepted.push(answer.expect("accepted").id);
        }
        accepted
    };
    let (purged, accepted) = tokio::join!(purge, others);
    // The first may have come in before the first batch.
    assert!(purged as usize - count <= 1, "{purged}");
    assert!(accepted.len() >= SERVED, "served {} times", accepted.len());
    for id in &accepted[1..] {
        let task = store.get(TenantName::default(), *id).await.expect("get answers");
        assert_eq!(task.map(|task| task.state), Some(State::Pending));
    }
}
