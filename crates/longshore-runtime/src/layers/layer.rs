//! The trait, and layers made of functions.

use super::Next;
use crate::handler::Call;
use longshore_core::Outcome;
use std::pin::Pin;

/// Something around handlers. It has the shape of a handler, and besides is given what comes next.
pub trait Layer: Send + Sync {
    /// Runs one attempt: usually calls [`Next::run`] and looks at the outcome. The future may be
    /// dropped at any await, when the attempt is given up.
    fn call(&self, call: Call, next: Next) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;
}

struct Function<F>(F);

impl<F, Fut> Layer for Function<F>
where
    F: Fn(Call, Next) -> Fut + Send + Sync,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    fn call(&self, call: Call, next: Next) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        Box::pin((self.0)(call, next))
    }
}

/// Makes a layer of an async function.
pub fn from_fn<F, Fut>(function: F) -> impl Layer + 'static
where
    F: Fn(Call, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    Function(function)
}
