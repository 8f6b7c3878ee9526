//! The proxy does to a link what it is told, and nothing else.

use longshore_conformance::proxy::{Fault, Proxy, Way};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const HERE: &str = "sockets of this machine work";
/// What passes arrives within this.
const PATIENCE: Duration = Duration::from_secs(5);
/// What has not arrived by then does not pass.
const SILENCE: Duration = Duration::from_millis(150);

/// A server that says everything again, with its own name in front of each connection's answers.
fn echo(name: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect(HERE);
    let addr = listener.local_addr().expect(HERE);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().expect(HERE), stream);
                // A client that is gone ends it.
                let _ = to.write_all(&[name]).and_then(|()| std::io::copy(&mut from, &mut to));
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    });
    addr
}

/// A connection by the proxy that has heard who answers.
fn connected(proxy: &Proxy) -> (TcpStream, u8) {
    let mut client = dialled(proxy);
    let mut name = [0];
    client.read_exact(&mut name).expect(HERE);
    (client, name[0])
}

fn dialled(proxy: &Proxy) -> TcpStream {
    let client = TcpStream::connect(proxy.addr()).expect(HERE);
    client.set_read_timeout(Some(PATIENCE)).expect(HERE);
    client
}

fn proxied() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo(b'a')).expect(HERE);
    let (client, _) = connected(&proxy);
    (proxy, client)
}

fn say(client: &mut TcpStream, what: &[u8]) -> std::io::Result<Vec<u8>> {
    client.write_all(what)?;
    hear(client, what.len())
}

fn hear(client: &mut TcpStream, len: usize) -> std::io::Result<Vec<u8>> {
    let mut heard = vec![0; len];
    client.read_exact(&mut heard)?;
    Ok(heard)
}

fn is_silent(client: &mut TcpStream) -> bool {
    client.set_read_timeout(Some(SILENCE)).expect(HERE);
    let silent = client
        .read(&mut [0])
        .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    client.set_read_timeout(Some(PATIENCE)).expect(HERE);
    silent
}

#[test]
fn a_healthy_link_passes_everything_and_its_end() {
    let (_proxy, mut client) = proxied();
    let much: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    client.write_all(&much).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, much);
}

#[test]
fn latency_holds_each_way() {
    let (proxy, mut client) = proxied();
    proxy.tell(Fault::Latency(Duration::from_millis(60)));
    let began = Instant::now();
    assert_eq!(say(&mut client, b"hello").unwrap(), b"hello");
    assert!(began.elapsed() >= Duration::from_millis(120), "{:?}", began.elapsed());
}

#[test]
fn a_slow_link_trickles() {
    let (proxy, mut client) = proxied();
    proxy.tell(Fault::Slow(5_000));
    let began = Instant::now();
    assert_eq!(say(&mut client, &[7; 2_500]).unwrap(), [7; 2_500]);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(500), "{took:?}");
    proxy.tell(Fault::None);
    assert_eq!(say(&mut client, b"fast").unwrap(), b"fast");
}

#[test]
fn a_black_hole_is_silent_and_healed_loses_nothing() {
    let (proxy, mut client) = proxied();
    proxy.tell(Fault::BlackHole(Way::Both));
    client.write_all(b"hello").unwrap();
    assert!(is_silent(&mut client));
    let mut new = dialled(&proxy);
    assert!(is_silent(&mut new), "a new connection hears nothing");
    proxy.tell(Fault::None);
    assert_eq!(hear(&mut client, 5).unwrap(), b"hello");
    assert_eq!(hear(&mut new, 1).unwrap(), b"a");
}

#[test]
fn a_black_hole_of_one_way_lets_the_other_pass() {
    for (way, reached) in [(Way::Back, true), (Way::There, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
        let mut client = dialled(&proxy);
        let mut server = listener.accept().unwrap().0;
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        proxy.tell(Fault::BlackHole(way));
        client.write_all(b"?").unwrap();
        server.write_all(b"!").unwrap();
        let (open, shut) =
            if reached { (&mut server, &mut client) } else { (&mut client, &mut server) };
        open.read_exact(&mut [0]).unwrap();
        assert!(is_silent(shut), "{way:?}");
    }
}

#[test]
fn what_a_black_hole_holds_ends_with_its_connection() {
    for fault in [Fault::Cut, Fault::Reset] {
        for _ in 0..20 {
            let (proxy, mut client) = proxied();
            proxy.tell(Fault::BlackHole(Way::Back));
            client.write_all(b"hello").unwrap();
            std::thread::sleep(Duration::from_millis(5));
            proxy.end_all(fault);
            match client.read(&mut [0; 5]) {
                Ok(0) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                heard => panic!("{fault:?}: {heard:?}"),
            }
        }
    }
}

#[test]
fn a_cut_closes_those_that_are_there_and_new_ones() {
    let (proxy, mut client) = proxied();
    proxy.tell(Fault::Cut);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert_eq!(dialled(&proxy).read(&mut [0]).unwrap_or(0), 0);
    proxy.tell(Fault::None);
    assert_eq!(connected(&proxy).1, b'a');
}

#[test]
fn a_reset_is_heard_as_one() {
    let (proxy, mut client) = proxied();
    proxy.end_all(Fault::Reset);
    let error = client.read(&mut [0]).expect_err("it is no orderly end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(connected(&proxy).1, b'a');
}

#[test]
fn an_answer_is_truncated_after_so_many_bytes() {
    let (proxy, mut client) = proxied();
    proxy.tell(Fault::Truncate(3));
    client.write_all(b"hello").unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"hel");
}

#[test]
fn what_is_told_of_new_ones_leaves_the_others_alone() {
    let (proxy, mut client) = proxied();
    proxy.tell_new(Fault::BlackHole(Way::Both));
    assert_eq!(say(&mut client, b"hello").unwrap(), b"hello");
    assert!(is_silent(&mut dialled(&proxy)));
}

#[test]
fn it_leads_to_another_target() {
    let (proxy, mut client) = proxied();
    proxy.lead_to(echo(b'b')).unwrap();
    assert_eq!(connected(&proxy).1, b'b');
    assert_eq!(say(&mut client, b"hello").unwrap(), b"hello");
}

#[test]
fn its_connections_end_with_it() {
    let (proxy, mut client) = proxied();
    drop(proxy);
    assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn nothing_beyond_this_machine_is_reached() {
    let error = Proxy::start(SocketAddr::from(([192, 0, 2, 1], 80))).expect_err("it is elsewhere");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn pieces_are_put_together_as_they_were_sent() {
    let (proxy, mut client) = proxied();
    proxy.tell(Fault::Pieces(3));
    let much: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
    assert_eq!(say(&mut client, &much).unwrap(), much);
}
