//! The stream under a connection: TCP or TLS, cut from outside when it has to be, and read along for the greeting.
//!
//! The client keeps a thread for each connection and waits there for the server's goodbye, also of one that is
//! frozen or gone; cutting the stream is what ends it.

use crate::greeting::{Greeting, Server};
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::task::AtomicWaker;
use futures_util::{AsyncRead, AsyncWrite, Stream as Ticks};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead as TokioRead, AsyncWrite as TokioWrite, ReadBuf};
use tokio::net::TcpStream;

/// What bytes go over.
pub(crate) trait Io: TokioRead + TokioWrite + Send + Unpin {}
impl<T: TokioRead + TokioWrite + Send + Unpin> Io for T {}

/// One stream.
pub(crate) struct Stream {
    io: Box<dyn Io>,
    handle: Handle,
    greeting: Option<Greeting>,
}

/// Cuts a stream, and tells who greeted there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    server: std::sync::OnceLock<Server>,
}

impl Handle {
    /// Ends the stream, whatever it waits for.
    pub(crate) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::SeqCst);
        self.0.reader.wake();
        self.0.writer.wake();
    }

    /// Returns who greeted.
    pub(crate) fn server(&self) -> Server {
        self.0.server.get().cloned().unwrap_or_default()
    }

    fn check(&self, waker: &AtomicWaker, cx: &Context<'_>) -> io::Result<()> {
        waker.register(cx.waker());
        if self.0.is_cut.load(Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "given up"));
        }
        Ok(())
    }
}

impl Stream {
    /// Makes a stream that the handle cuts.
    pub(crate) fn new(io: Box<dyn Io>, handle: Handle) -> Self {
        Self { io, handle, greeting: Some(Greeting::default()) }
    }

    fn read_along(&mut self, bytes: &[u8]) {
        let Some(greeting) = &mut self.greeting else { return };
        if let Some(server) = greeting.read(bytes) {
            let _ = self.handle.0.server.set(server);
            self.greeting = None;
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.handle.check(&self.handle.0.reader, cx)?;
        let mut buffer = ReadBuf::new(bytes);
        match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => {
                self.read_along(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.handle.check(&self.handle.0.writer, cx)?;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.handle.check(&self.handle.0.writer, cx)?;
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handle.check(&self.handle.0.writer, cx)?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handle.check(&self.handle.0.writer, cx)?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What the client runs on.
pub(crate) type ClientRuntime = Runtime<RuntimeParts<Tokio, Sockets>>;

/// Returns the runtime of whoever calls, with sockets of ours.
pub(crate) fn runtime() -> ClientRuntime {
    let tokio = Tokio::current();
    Runtime::new(RuntimeParts::new(tokio.clone(), Sockets(tokio)))
}

/// Tokio's reactor with streams of ours.
#[derive(Debug, Clone)]
pub(crate) struct Sockets(Tokio);

impl Reactor for Sockets {
    type TcpStream = Stream;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// Is not used by the client.
    fn register<H: Read + Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Stream, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.0.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Ticks<Item = Instant> + Send + 'static {
        self.0.interval(time)
    }

    #[expect(clippy::manual_async_fn, reason = "the future must not borrow the reactor")]
    fn tcp_connect_addr(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = io::Result<Stream>> + Send + 'static {
        async move {
            let socket = TcpStream::connect(addr).await?;
            Ok(Stream::new(Box::new(socket), Handle::default()))
        }
    }
}
