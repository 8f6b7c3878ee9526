//! A panic is a value.

use super::{Layer, Next};
use crate::handler::Call;
use crate::panic::message_of;
use futures_util::FutureExt;
use longshore_core::Outcome;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

/// Turns a panic of anything below it into [`Outcome::Panic`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Recovery;

impl Layer for Recovery {
    fn call(&self, call: Call, next: Next) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        // The call itself may panic too, before its first await.
        let caught = AssertUnwindSafe(async move { next.run(call).await }).catch_unwind();
        Box::pin(async move {
            caught.await.unwrap_or_else(|panic| {
                let message = message_of(&*panic).unwrap_or("the handler panicked");
                Outcome::Panic(message.to_owned())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::{BoxHandler, Handler};
    use crate::layers::Stack;
    use crate::layers::stack::tests::call;

    #[tokio::test]
    async fn a_panic_before_the_first_await_is_caught_too() {
        struct Early;
        impl Handler for Early {
            fn call(&self, _: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
                panic!("too early")
            }
        }
        let outcome =
            Stack::default().with(Recovery).wrap(BoxHandler::new(Early)).call(call()).await;
        assert_eq!(outcome, Outcome::Panic("too early".into()));
    }
}
