//! Connections: pools for work and for reading, and single ones of the store's own.
//!
//! A connection whose transaction was not ended is thrown away, never given back: so a future that
//! is dropped half-way undoes what it began.

use crate::error::{Trouble, told};
use crate::options::Address;
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Connection, Row, Socket, Statement};

/// How long a caller waits for a free connection.
const WAIT: Duration = Duration::from_secs(30);
/// Connections for reading.
const READERS: usize = 4;
/// Pauses between attempts to reach a database that is away: the first one, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// What every session is told first. Plans do not depend on statistics: a queue is empty when it is
/// analysed, and full a second later.
fn setup(schema: &str) -> String {
    format!(
        "SET search_path = \"{schema}\"; SET statement_timeout = '25s'; SET lock_timeout = '10s';
         SET idle_in_transaction_session_timeout = '2s'; SET jit = off; SET client_min_messages = warning;
         SET default_transaction_isolation = 'read committed'; SET plan_cache_mode = force_generic_plan;
         SET max_parallel_workers_per_gather = 0; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'"
    )
}

/// All ways to the database.
#[derive(Debug)]
pub(crate) struct Links {
    address: Address,
    work: Pool,
    read: Pool,
    gate: Mutex<Gate>,
}

/// Keeps everybody from knocking at once where nobody answered a moment ago.
#[derive(Debug, Default)]
struct Gate {
    shut_until: Option<Instant>,
    pause: Duration,
    why: String,
}

impl Links {
    pub(crate) fn new(address: Address, connections: usize) -> Self {
        let pool = |size: usize| {
            let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let (config, tls) = (address.config.clone(), address.tls.clone());
            let setup = setup(&address.schema);
            Pool::builder(Manager::from_config(config, tls, recycling))
                .max_size(size.max(2))
                .runtime(Runtime::Tokio1)
                .wait_timeout(Some(WAIT))
                .create_timeout(Some(WAIT))
                .post_create(Hook::async_fn(move |client, _| {
                    let setup = setup.clone();
                    Box::pin(async move {
                        client.batch_execute(&setup).await.map_err(HookError::Backend)
                    })
                }))
                .build()
                .expect("a pool with a runtime")
        };
        let (work, read) = (pool(connections), pool(READERS));
        Self { address, work, read, gate: Mutex::default() }
    }

    /// Takes a connection for work.
    pub(crate) async fn work(&self) -> Result<Link, Trouble> {
        self.take(&self.work).await
    }

    /// Takes a connection for reading.
    pub(crate) async fn read(&self) -> Result<Link, Trouble> {
        self.take(&self.read).await
    }

    async fn take(&self, pool: &Pool) -> Result<Link, Trouble> {
        self.pass()?;
        match pool.get().await {
            Ok(object) => {
                self.gate.lock().unwrap_or_else(PoisonError::into_inner).pause = Duration::ZERO;
                Ok(Link { object: Some(object), clean: true })
            }
            Err(PoolError::Timeout(_)) => {
                Err(Trouble::Late("all connections to the database are in use".to_owned()))
            }
            Err(
                PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)),
            ) => Err(self.shut(told(&error))),
            Err(error) => Err(Trouble::Away(error.to_string())),
        }
    }

    fn pass(&self) -> Result<(), Trouble> {
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        match gate.shut_until {
            Some(until) if Instant::now() < until => Err(Trouble::Away(gate.why.clone())),
            _ => Ok(()),
        }
    }

    fn shut(&self, why: String) -> Trouble {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if gate.shut_until.is_none_or(|until| until <= now) {
            gate.pause = (gate.pause.mul_f64(1.5)).clamp(PAUSES.0, PAUSES.1);
            gate.shut_until = Some(now + gate.pause.mul_f64(0.5 + fastrand::f64() / 2.0));
            tracing::warn!(place = %self.address.shown, why, "the database cannot be reached");
        }
        gate.why.clone_from(&why);
        Trouble::Away(why)
    }

    /// Makes a connection outside of the pools. Its second half has to be driven.
    pub(crate) async fn own(
        &self,
    ) -> Result<(Client, Connection<Socket, crate::tls::Stream<Socket>>), tokio_postgres::Error>
    {
        self.address.config.connect(self.address.tls.clone()).await
    }

    /// What a connection outside of the pools is told first.
    pub(crate) fn setup(&self) -> String {
        setup(&self.address.schema)
    }

    /// Closes all that is not in use; what is in use is closed when it is given back.
    pub(crate) fn close(&self) {
        self.work.close();
        self.read.close();
    }
}

/// A connection in use.
pub(crate) struct Link {
    object: Option<Object>,
    clean: bool,
}

impl Link {
    fn object(&self) -> &Object {
        self.object.as_ref().expect("held until it is dropped")
    }

    /// Returns the client.
    pub(crate) fn client(&self) -> &Client {
        self.object()
    }

    /// Prepares a statement, once for each connection.
    pub(crate) async fn prepared(&self, sql: &str) -> Result<Statement, Trouble> {
        Ok(self.object().prepare_cached(sql).await?)
    }

    /// Asks one question, outside of a transaction.
    pub(crate) async fn query(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Trouble> {
        let statement = self.prepared(sql).await?;
        Ok(self.client().query(&statement, values).await?)
    }

    /// From here on the connection is in a state that nobody else must see.
    pub(crate) fn soil(&mut self) {
        self.clean = false;
    }

    /// It may be given back again.
    pub(crate) fn cleanse(&mut self) {
        self.clean = true;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(object) = self.object.take()
            && (!self.clean || object.is_closed())
        {
            drop(Object::take(object));
        }
    }
}
