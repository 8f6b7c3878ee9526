//! From async functions to handlers.

use super::extract::{FromCall, MissingState, States};
use super::{Call, IntoOutcome};
use longshore_core::Outcome;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

/// Runs the tasks of a kind.
pub trait Handler: Send + Sync {
    /// Runs one attempt. Panics are caught by the caller.
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

    /// Returns whether the work is done outside of this process, which it therefore cannot kill.
    fn runs_outside(&self) -> bool {
        false
    }
}

/// A handler of any sort.
#[derive(Clone)]
pub struct BoxHandler(Arc<dyn Handler>);

impl BoxHandler {
    /// Wraps a handler.
    pub fn new(handler: impl Handler + 'static) -> Self {
        Self(Arc::new(handler))
    }

    /// Runs one attempt.
    pub fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        self.0.call(call)
    }

    /// Returns whether the work is done outside of this process.
    pub fn runs_outside(&self) -> bool {
        self.0.runs_outside()
    }
}

impl fmt::Debug for BoxHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handler")
    }
}

/// An async function whose arguments can be made out of a call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    note = "a handler is an async fn whose arguments implement `FromCall` (such as `Payload<T>`, `State<T>`, `Cx`; at most six) and whose answer implements `IntoOutcome` (such as `Result<T, E>`)"
)]
pub trait HandlerFn<Args>: Clone + Send + Sync + 'static {
    /// Checks at start-up that all arguments can be made.
    fn check(states: &States) -> Result<(), MissingState>;

    /// Calls it.
    fn invoke(&self, call: Call, states: &States) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;
}

macro_rules! handler_fn {
    ($($arg:ident),*) => {
        impl<F, Fut, Out, $($arg),*> HandlerFn<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Out> + Send + 'static,
            Out: IntoOutcome,
            $($arg: FromCall,)*
        {
            fn check(states: &States) -> Result<(), MissingState> {
                $($arg::check(states)?;)*
                Ok(())
            }

            #[expect(non_snake_case, reason = "arguments are named after their types")]
            fn invoke(&self, call: Call, states: &States) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
                $(
                    let $arg = match $arg::from_call(&call, states) {
                        Ok(arg) => arg,
                        Err(fault) => return Box::pin(std::future::ready(Outcome::Fault(fault))),
                    };
                )*
                let answer = self($($arg),*);
                Box::pin(async move { answer.await.into_outcome() })
            }
        }
    };
}

handler_fn!(A);
handler_fn!(A, B);
handler_fn!(A, B, C);
handler_fn!(A, B, C, D);
handler_fn!(A, B, C, D, E);
handler_fn!(A, B, C, D, E, G);

impl<F, Fut, Out> HandlerFn<()> for F
where
    F: Fn() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Out> + Send + 'static,
    Out: IntoOutcome,
{
    fn check(_: &States) -> Result<(), MissingState> {
        Ok(())
    }

    fn invoke(&self, _: Call, _: &States) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let answer = self();
        Box::pin(async move { answer.await.into_outcome() })
    }
}

struct Function<F, Args> {
    function: F,
    states: States,
    args: PhantomData<fn(Args)>,
}

impl<F: HandlerFn<Args>, Args> Handler for Function<F, Args> {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        self.function.invoke(call, &self.states)
    }
}

/// Makes a handler of an async function, unless one of its states is missing.
pub fn boxed<F: HandlerFn<Args>, Args: 'static>(
    function: F,
    states: &States,
) -> Result<BoxHandler, MissingState> {
    F::check(states)?;
    Ok(BoxHandler::new(Function { function, states: states.clone(), args: PhantomData }))
}

struct Nothing;

impl Handler for Nothing {
    fn call(&self, _: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        Box::pin(std::future::ready(Outcome::Success(None)))
    }
}

/// Returns a handler that succeeds at once: for measuring everything else.
pub fn nothing() -> BoxHandler {
    BoxHandler::new(Nothing)
}
