//! One connection: how it is made, asked for a sign of life, and ended.

use crate::error::{Trouble, within};
use crate::greeting::Server;
use crate::options::Address;
use crate::stream::{Handle, Io, Stream, runtime};
use lapin::options::BasicQosOptions;
use lapin::uri::{
    AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism,
};
use lapin::{AsyncTcpStream, Channel, ConnectionProperties};
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tracing::subscriber::NoSubscriber;

/// A connection that is not made by then is given up.
const CONNECT: Duration = Duration::from_secs(5);
/// For a step on a connection that works.
pub(crate) const STEP: Duration = Duration::from_secs(5);
/// Seconds between two signs of life.
const HEARTBEAT: u16 = 5;
/// For saying goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection to a server. Dropped, it ends at once.
#[derive(Debug)]
pub(crate) struct Connection {
    client: lapin::Connection,
    stream: Handle,
    /// Where it leads, for people.
    pub(crate) place: String,
}

impl Connection {
    /// Connects; `name` is what people see in the broker.
    pub(crate) async fn open(address: &Address, name: &str) -> Result<Self, Trouble> {
        let stream = Handle::default();
        // The client's thread waits for as long as the stream lives.
        let abandoned = Cut(stream.clone());
        let opening = lapin::Connection::connector(
            uri(address),
            runtime(),
            {
                let (address, stream) = (address.clone(), stream.clone());
                async move |_, _| {
                    keep_quiet();
                    let io = on_the_runtime(reach(address.clone())).await?;
                    Ok(AsyncTcpStream::Plain(Stream::new(io, stream.clone())))
                }
            },
            ConnectionProperties::default().with_connection_name(name.into()),
        );
        let client = within(CONNECT, opening).await?;
        std::mem::forget(abandoned);
        Ok(Self { client, stream, place: address.to_string() })
    }

    /// Returns who answers.
    pub(crate) fn server(&self) -> Server {
        self.stream.server()
    }

    /// Returns whether nothing has ended it yet.
    pub(crate) fn is_up(&self) -> bool {
        self.client.status().connected()
    }

    /// Returns what happens to it.
    pub(crate) fn events(&self) -> impl futures_util::Stream<Item = lapin::Event> + Send + 'static {
        self.client.events_listener()
    }

    /// Opens a channel.
    pub(crate) async fn channel(&self) -> Result<Channel, Trouble> {
        within(STEP, self.client.create_channel()).await
    }

    /// Returns whether somebody answers on this channel within so long.
    pub(crate) async fn ask(channel: &Channel, patience: Duration) -> Result<(), Trouble> {
        within(patience, channel.basic_qos(1, BasicQosOptions::default())).await
    }

    /// Says goodbye, if somebody listens, and ends it.
    pub(crate) async fn close(&self) {
        if self.is_up() {
            let _ = within(GOODBYE, self.client.close(200, "closed".into())).await;
        }
        self.stream.cut();
    }

    /// Ends it at once.
    pub(crate) fn cut(&self) {
        self.stream.cut();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stream.cut();
    }
}

/// Returns whether somebody listens there.
pub(crate) async fn listens(address: &Address) -> bool {
    let probe = TcpStream::connect((address.host.as_str(), address.port));
    tokio::time::timeout(Duration::from_millis(900), probe).await.is_ok_and(|found| found.is_ok())
}

/// Waits for something with timers on a thread that may outlive the runtime, where they would panic.
async fn on_the_runtime<T: Send + 'static>(
    timed: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<T> {
    tokio::spawn(timed).await?
}

async fn reach(address: Address) -> io::Result<Box<dyn Io>> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let socket = TcpStream::connect((address.host.as_str(), address.port));
    let socket = tokio::time::timeout(CONNECT, socket).await.map_err(|_| late())??;
    socket.set_nodelay(true)?;
    let Some(tls) = &address.tls else { return Ok(Box::new(socket)) };
    let name = tls.name.clone().unwrap_or_else(|| address.host.clone());
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let connector = tls.connector().map_err(io::Error::other)?;
    let shaken = tokio::time::timeout(CONNECT, connector.connect(name, socket));
    Ok(Box::new(shaken.await.map_err(|_| late())??))
}

fn uri(address: &Address) -> AMQPUri {
    AMQPUri {
        scheme: if address.tls.is_some() { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: address.user.clone(),
                password: address.password.clone(),
            },
            host: address.host.clone(),
            port: address.port,
        },
        vhost: address.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(HEARTBEAT),
            auth_mechanism: address.is_external.then_some(SASLMechanism::External),
            ..AMQPQueryString::default()
        },
    }
}

/// The client logs returned messages with their payloads, and every lost link as an error. What matters of it is
/// said by the link; this is called on the client's own thread.
fn keep_quiet() {
    std::mem::forget(tracing::subscriber::set_default(NoSubscriber::new()));
}

/// Cuts a stream when it is dropped.
struct Cut(Handle);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.cut();
    }
}

#[cfg(test)]
mod tests {
    use super::on_the_runtime;
    use std::time::Duration;

    #[test]
    fn a_runtime_that_has_ended_is_an_error() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        let timed = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        };
        let told = std::thread::spawn(move || handle.block_on(on_the_runtime(timed)));
        told.join().unwrap().unwrap_err();
    }
}
