//! How do a handler and an axum route live in one service? The route submits; the handler runs.

use axum::{Json, Router, routing::post};
use longshore::handler::{Cx, HandlerError, Payload};
use longshore::{Builder, Engine, Submission, http::Problem};

#[derive(serde::Deserialize, serde::Serialize)]
struct Mail {
    to: String,
}

async fn send(Payload(mail): Payload<Mail>, cx: Cx) -> Result<String, HandlerError> {
    if !mail.to.contains('@') {
        return Err(HandlerError::bad_data("no address")); // straight to the dead letters
    }
    Ok(format!("sent to {} at attempt {}", mail.to, cx.attempt()))
}

async fn sign_up(engine: Engine, Json(mail): Json<Mail>) -> Result<String, Problem> {
    let task = engine.intake().submit(Submission::new("email.send").payload(&mail)?).await?;
    Ok(format!("/v1/tasks/{}", task.id)) // it is on disk
}

fn service() -> Builder {
    let routes = |engine| Router::new().route("/sign-up", post(move |mail| sign_up(engine, mail)));
    longshore::builder().store("embedded:./data").handler("email.send", send).routes_with(routes)
}

#[tokio::main]
async fn main() -> Result<(), longshore::Error> {
    service().run().await // until SIGINT or SIGTERM, then it drains
}

#[cfg(test)]
mod tests;
