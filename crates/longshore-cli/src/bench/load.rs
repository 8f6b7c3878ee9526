//! HTTP load: as many connections as asked, each one request after the other.

use super::precise::Alarm;
use super::report::histogram;
use crate::failure::Failure;
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How the load is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    pub(crate) seconds: f64,
    /// Requests a second on a fixed schedule; without it, as fast as answers come.
    pub(crate) rate: Option<f64>,
    /// Bytes of the payload.
    pub(crate) size: usize,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) times: Histogram<u64>,
    pub(crate) took: Duration,
    /// All requests that were answered, the warm-up included.
    pub(crate) all: u64,
    pub(crate) errors: u64,
}

/// Not counted.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Shared {
    warm: AtomicBool,
    over: AtomicBool,
    all: AtomicU64,
    errors: AtomicU64,
    next: AtomicU64,
}

/// Posts tasks to `addr` by that plan.
pub(crate) async fn post(addr: SocketAddr, kind: &str, plan: Plan) -> Result<Measured, Failure> {
    let shared = Arc::new(Shared {
        warm: AtomicBool::new(false),
        over: AtomicBool::new(false),
        all: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        next: AtomicU64::new(0),
    });
    let body = format!(
        r#"{{"kind":"{kind}","payload":{{"pad":"{}"}}}}"#,
        "x".repeat(plan.size.saturating_sub(10))
    );
    let request: Arc<[u8]> = format!(
        "POST /v1/tasks HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
    .into();
    let alarm = Alarm::start()?;
    let began = Instant::now();
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        let (shared, request) = (shared.clone(), request.clone());
        connections.push(tokio::spawn(connection(
            addr,
            request,
            shared,
            plan,
            began,
            alarm.clone(),
        )));
    }
    tokio::time::sleep(WARM_UP).await;
    shared.warm.store(true, Ordering::Relaxed);
    let counted = Instant::now();
    tokio::time::sleep(Duration::from_secs_f64(plan.seconds)).await;
    shared.over.store(true, Ordering::Relaxed);
    let took = counted.elapsed();
    let mut times = histogram();
    for connection in connections {
        let done = connection.await.map_err(|error| Failure::Bench(error.to_string()))?;
        let seen = done.map_err(Failure::system("a connection of the load"))?;
        seen.into_iter().for_each(|micros| times.saturating_record(micros));
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(Measured { times, took, all: count(&shared.all), errors: count(&shared.errors) })
}

async fn connection(
    addr: SocketAddr,
    request: Arc<[u8]>,
    shared: Arc<Shared>,
    plan: Plan,
    began: Instant,
    alarm: Alarm,
) -> std::io::Result<Vec<u64>> {
    let mut times = Vec::new();
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0u8; 16 * 1_024];
    while !shared.over.load(Ordering::Relaxed) {
        let intended = match plan.rate {
            None => Instant::now(),
            Some(rate) => {
                let number = shared.next.fetch_add(1, Ordering::Relaxed);
                let at = began + Duration::from_secs_f64(number as f64 / rate);
                alarm.sleep_until(at).await;
                at
            }
        };
        stream.write_all(&request).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        let micros = u64::try_from(intended.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.all.fetch_add(1, Ordering::Relaxed);
        if status != 201 {
            shared.errors.fetch_add(1, Ordering::Relaxed);
        } else if shared.warm.load(Ordering::Relaxed) && !shared.over.load(Ordering::Relaxed) {
            times.push(micros.max(1));
        }
    }
    Ok(times)
}

/// Reads one answer with a content length; returns its status.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<u16> {
    let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(bad("the server closed the connection"));
        }
        filled += read;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut answer = httparse::Response::new(&mut headers);
        let head = answer.parse(&buffer[..filled]).map_err(|error| bad(&error.to_string()))?;
        let httparse::Status::Complete(head) = head else { continue };
        let length = answer
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok())
            .ok_or_else(|| bad("an answer without a content length"))?;
        if filled >= head + length {
            return answer.code.ok_or_else(|| bad("an answer without a status"));
        }
    }
}
