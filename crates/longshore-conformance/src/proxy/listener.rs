//! The port, its thread, and what it is told.

use super::fault::{Fault, Orders};
use super::link::{Heard, close, run};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A port that forwards to a target, and breaks links when it is told to. Its connections end with it.
///
/// ```
/// use longshore_conformance::proxy::{Fault, Proxy, Way};
/// # fn main() -> std::io::Result<()> {
/// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let proxy = Proxy::start(server.local_addr()?)?;
/// let client = std::net::TcpStream::connect(proxy.addr())?;
/// proxy.tell(Fault::BlackHole(Way::Both)); // nothing passes
/// proxy.tell(Fault::None); // and now it does
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    /// Nothing once it is to end.
    orders: Option<watch::Sender<Orders>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1, and forwards to `target`, which must be on this machine.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let target = Arc::new(Mutex::new(local(target)?));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let next = Arc::new(AtomicU64::new(0));
        let (orders, heard) = watch::channel(Orders::new(next.clone()));
        let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn({
            let target = target.clone();
            move || {
                // Dropping the runtime ends all connections.
                if let Err(error) = threads.block_on(listen(listener, &target, &next, heard)) {
                    eprintln!("the proxy at {addr} ended: {error}");
                }
            }
        })?;
        Ok(Self { addr, target, orders: Some(orders), thread: Some(thread) })
    }

    /// Returns where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Tells what is wrong with all connections from now on, with those that are there and with new ones.
    pub fn tell(&self, fault: Fault) {
        self.order(|orders| orders.for_all(fault));
    }

    /// Tells what is wrong with connections that come from now on; those that are there stay as they are.
    pub fn tell_new(&self, fault: Fault) {
        self.order(|orders| orders.for_new(fault));
    }

    /// Ends the connections that are there with that fault, [`Fault::Cut`] or [`Fault::Reset`]; new ones are well.
    pub fn end_all(&self, fault: Fault) {
        self.order(|orders| {
            orders.for_all(fault);
            orders.for_new(Fault::None);
        });
    }

    /// Forwards new connections to another target, which must be on this machine.
    pub fn lead_to(&self, target: SocketAddr) -> io::Result<()> {
        *locked(&self.target) = local(target)?;
        Ok(())
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        if let Some(orders) = &self.orders {
            orders.send_modify(change);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes connections in until the proxy is dropped.
async fn listen(
    listener: std::net::TcpListener,
    target: &Mutex<SocketAddr>,
    next: &AtomicU64,
    mut orders: watch::Receiver<Orders>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            changed = orders.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
        };
        let number = next.fetch_add(1, Ordering::SeqCst);
        let heard = Heard { number, orders: orders.clone() };
        tokio::spawn(connect(client, *locked(target), heard));
    }
}

async fn connect(client: TcpStream, target: SocketAddr, mut heard: Heard) {
    let Some(fault) = heard.reached().await else { return };
    if fault.ends() {
        return close(client, fault);
    }
    // A target that is not there closes its clients' connections.
    let Ok(server) = TcpStream::connect(target).await else { return };
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_ok() {
        run(client, server, heard).await;
    }
}

fn locked(target: &Mutex<SocketAddr>) -> MutexGuard<'_, SocketAddr> {
    target.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Faults stay on this machine.
fn local(target: SocketAddr) -> io::Result<SocketAddr> {
    if target.ip().is_loopback() {
        return Ok(target);
    }
    let why = format!("{target} is not on this machine");
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
