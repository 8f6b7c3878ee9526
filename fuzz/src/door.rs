//! The whole surface over the model store, without a socket.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use longshore_conformance::ModelStore;
use longshore_core::{KindName, SystemClock};
use longshore_runtime::handler::nothing;
use longshore_runtime::schema::Schema;
use longshore_runtime::{Engine, Kind, Options, Registry};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// Tasks that one engine takes in; then comes a fresh one, for the model keeps everything.
const FRESH_AFTER: usize = 300;

/// A door that takes tasks in and runs none.
pub(crate) struct Door {
    runtime: Runtime,
    engine: Engine,
    accepted: usize,
}

/// What a request was answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("{} with a body that is not JSON: {error}", self.status))
    }

    /// The status, and of a problem the code and the names of the fields.
    pub(crate) fn sign(&self) -> Result<String, String> {
        if self.status.is_success() {
            return Ok(self.status.as_u16().to_string());
        }
        let body = self.json()?;
        let (code, errors) = (&body["code"], &body["errors"]);
        if !code.to_string().starts_with(self.status.as_str()) {
            return Err(format!("{} with {body}", self.status));
        }
        let fields = errors.as_array().into_iter().flatten().take(2);
        let fields: Vec<String> = fields.map(|error| error["message"].to_string()).collect();
        Ok(format!("{code} {}", fields.concat().chars().take(60).collect::<String>()))
    }
}

fn engine() -> Result<Engine, String> {
    let mut registry = Registry::default();
    for name in ["hello", "demo.work", "strict"] {
        let name = KindName::new(name).map_err(|error| error.to_string())?;
        let mut kind = Kind::new(name.clone(), nothing());
        if name.as_str() == "strict" {
            let schema = r#"{"type":"object","required":["to"],"properties":{"to":{"type":"string","pattern":"^[^@]+@[^@]+$"},"n":{"multipleOf":0.01}}}"#;
            kind.schema = Some(Schema::compile(schema).map_err(|error| error.to_string())?);
        }
        registry.add(kind);
    }
    let store = Arc::new(ModelStore::new(Arc::new(SystemClock)));
    let options = Options { consume: false, ..Options::new(store, registry) };
    Engine::start(options).map_err(|error| error.to_string())
}

impl Door {
    /// # Panics
    /// If the system gives no threads.
    pub(crate) fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let engine = engine().unwrap_or_else(|error| panic!("{error}"));
        Self { runtime: runtime.unwrap_or_else(|error| panic!("{error}")), engine, accepted: 0 }
    }

    /// Asks, and demands an answer below 500.
    pub(crate) fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let surface = longshore_http::router(&self.engine);
        self.runtime.block_on(async {
            let response = surface.oneshot(request).await.map_err(|never| never.to_string())?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            let answer = Answer { status: parts.status, body };
            if answer.status.is_server_error() {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                return Err(format!("answered {}: {text}", answer.status));
            }
            Ok(answer)
        })
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Answer, String> {
        let request = Request::get(path).header("host", "localhost").body(Full::default());
        self.ask(request.map_err(|error| error.to_string())?)
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Result<Answer, String> {
        let request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::from(body.to_vec()));
        self.ask(request.map_err(|error| error.to_string())?)
    }

    /// So many tasks were taken in.
    pub(crate) fn took(&mut self, tasks: usize) -> Result<(), String> {
        self.accepted += tasks;
        if self.accepted > FRESH_AFTER {
            let fresh = engine()?;
            let old = std::mem::replace(&mut self.engine, fresh);
            self.runtime.block_on(old.stop(Duration::ZERO));
            self.accepted = 0;
        }
        Ok(())
    }
}
