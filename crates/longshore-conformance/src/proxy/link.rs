//! One connection: what passes, which way, and how it ends.

use super::fault::{Fault, Orders, Way};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

/// What one connection hears of the orders.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) number: u64,
    pub(super) orders: watch::Receiver<Orders>,
}

/// The proxy is gone, or it has ended this connection.
struct Over;

impl Heard {
    fn fault(&mut self) -> Fault {
        self.orders.borrow_and_update().of(self.number)
    }

    /// Returns once the fault is another one.
    async fn changed(&mut self, from: Fault) -> Result<(), Over> {
        while self.fault() == from {
            self.orders.changed().await.map_err(|_| Over)?;
        }
        Ok(())
    }

    /// Returns once what is on its way may arrive.
    async fn open(&mut self, way: Way) -> Result<Fault, Over> {
        loop {
            let fault = self.fault();
            if !fault.swallows(way) {
                return Ok(fault);
            }
            self.changed(fault).await?;
        }
    }

    /// Returns once what is on its way passes: never on a connection that is to end instead.
    async fn passes(&mut self, way: Way) -> Result<Fault, Over> {
        loop {
            let fault = self.open(way).await?;
            if !fault.ends() {
                return Ok(fault);
            }
            self.changed(fault).await?;
        }
    }

    /// Returns once the target may be reached, and with what fault; nothing if the proxy is gone.
    pub(super) async fn reached(&mut self) -> Option<Fault> {
        self.open(Way::There).await.ok()
    }

    /// Returns the fault that ends the connection.
    async fn end(&mut self) -> Fault {
        loop {
            let fault = self.fault();
            if fault.ends() || self.changed(fault).await.is_err() {
                return fault;
            }
        }
    }
}

/// Forwards until both sides have closed, one is gone, or a fault ends it.
pub(super) async fn run(mut client: TcpStream, mut target: TcpStream, mut heard: Heard) {
    let fault = {
        let (from_client, to_client) = client.split();
        let (from_target, to_target) = target.split();
        let there = forward(from_client, to_target, Way::There, heard.clone());
        let back = forward(from_target, to_client, Way::Back, heard.clone());
        tokio::select! {
            fault = heard.end() => fault,
            _ = async { tokio::try_join!(there, back) } => Fault::Cut,
        }
    };
    close(client, fault);
    close(target, fault);
}

/// Closes a connection as the fault has it.
pub(super) fn close(stream: TcpStream, fault: Fault) {
    if fault == Fault::Reset {
        // Without it the reset is a close, which is a fault too.
        let _ = stream.set_zero_linger();
    }
    drop(stream);
}

impl From<Over> for io::Error {
    fn from(_: Over) -> Self {
        io::ErrorKind::ConnectionAborted.into()
    }
}

async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    way: Way,
    mut heard: Heard,
) -> io::Result<()> {
    let mut buffer = vec![0; Fault::None.piece()];
    let mut passed = 0;
    let mut before = Fault::None;
    loop {
        let fault = heard.passes(way).await?;
        if fault != before {
            (before, passed) = (fault, 0);
        }
        // What was told before the bytes came holds for them.
        let read = tokio::select! {
            biased;
            changed = heard.changed(fault) => {
                changed?;
                continue;
            }
            read = from.read(&mut buffer[..fault.piece()]) => read?,
        };
        // A close does not get through a black hole either.
        heard.passes(way).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let pause = fault.pause(read);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let mut piece = &buffer[..read];
        if let (Fault::Truncate(after), Way::Back) = (fault, way) {
            piece = &piece[..read.min(after - passed)];
            passed += piece.len();
            to.write_all(piece).await?;
            if passed == after {
                return Err(Over.into());
            }
            continue;
        }
        to.write_all(piece).await?;
    }
}
