//! The stress test of a life: what passes it, and what it finds.

use super::*;

#[test]
fn a_task_survives_every_life() {
    stress::lifecycle(|| idle("idle"));
}

#[test]
fn a_component_with_a_loop_and_a_queue_survives_every_life() {
    struct Pump(Mutex<Option<tokio::sync::mpsc::Sender<u32>>>);
    #[async_trait::async_trait]
    impl Component for Pump {
        fn name(&self) -> &str {
            "pump"
        }
        async fn start(&self, life: Life) -> Result<(), ComponentError> {
            let (into, mut out) = tokio::sync::mpsc::channel(1);
            let stop = life.token();
            let feed = into.clone();
            life.spawn(async move {
                while stop.run_until_cancelled(feed.send(1)).await.is_some() {
                    tokio::task::yield_now().await;
                }
                Ok(())
            });
            life.spawn(async move {
                while out.recv().await.is_some() {}
                Ok(())
            });
            *self.0.lock().expect("not poisoned") = Some(into);
            Ok(())
        }
        async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
            drop(self.0.lock().expect("not poisoned").take());
            Ok(Stopped::default())
        }
    }
    stress::lifecycle(|| Pump(Mutex::new(None)));
}

#[test]
#[should_panic(expected = "leaky: 1 spawned tasks were left behind")]
fn the_stress_finds_what_is_left_behind() {
    struct Leaky;
    #[async_trait::async_trait]
    impl Component for Leaky {
        fn name(&self) -> &str {
            "leaky"
        }
        async fn start(&self, _: Life) -> Result<(), ComponentError> {
            Ok(())
        }
        async fn stop(&self, _: Deadline) -> Result<Stopped, ComponentError> {
            static ONCE: AtomicU32 = AtomicU32::new(0);
            if ONCE.fetch_add(1, Ordering::SeqCst) == 0 {
                tokio::spawn(pending::<()>());
            }
            Ok(Stopped::default())
        }
    }
    stress::lifecycle(|| Leaky);
}
