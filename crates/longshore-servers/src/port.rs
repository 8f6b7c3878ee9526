//! Ports that nobody uses, and that nobody comes by while their server is away.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Below these no server of ours listens: many programs have their usual ports there.
const FIRST: u16 = 15_000;
/// From here on the system gives ports to whoever connects, where it does not say.
const USUAL_END: u16 = 32_768;

/// How many ports this process was given.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// Returns a port of loopback that is free now and was not given before in this process.
///
/// It is none of those that the system gives away by itself: a server that is stopped for a while would find its own
/// port taken by somebody's connection when it starts again.
pub fn free_port() -> Result<u16, String> {
    let ports = quiet(std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok());
    let many = ports.end - ports.start;
    // Processes that run at the same time begin at different places.
    let begin = u16::try_from(std::process::id() % 151).unwrap_or(0) * 113;
    for _ in 0..many {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = ports.start + begin.wrapping_add(given) % many;
        if is_free(port) {
            return Ok(port);
        }
    }
    Err(format!("of the ports {} to {} none is free", ports.start, ports.end - 1))
}

/// Waits until all of them are free: who has been killed may still hold them for a moment.
pub fn until_free(ports: &[u16], patience: Duration) -> Result<(), String> {
    let began = Instant::now();
    while let Some(port) = ports.iter().find(|port| !is_free(**port)) {
        if began.elapsed() > patience {
            return Err(format!("port {port} of loopback is in use"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// The ports that the system does not give away, of what it says of those that it does: `32768  60999`.
fn quiet(said: Option<String>) -> Range<u16> {
    let first = said.and_then(|said| said.split_whitespace().next()?.parse().ok());
    match first {
        Some(first) if first >= FIRST + 1_000 => FIRST..first,
        // It gives nearly all of them away: then these are as good as others.
        _ => FIRST..USUAL_END,
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST, USUAL_END, free_port, quiet, until_free};
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    #[test]
    fn none_is_given_twice_and_none_is_of_those_that_connections_get() {
        let ports: Vec<u16> = (0..100).map(|_| free_port().unwrap()).collect();
        let said = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
        let quiet = quiet(said);
        assert!(ports.iter().all(|port| quiet.contains(port)), "{ports:?}");
        let mut once = ports.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ports.len());
    }

    #[test]
    fn the_system_says_which_it_gives_away() {
        assert_eq!(quiet(Some("32768\t60999\n".to_owned())), FIRST..32_768);
        assert_eq!(quiet(Some("20000 60999".to_owned())), FIRST..20_000);
        assert_eq!(quiet(Some("1024 65535".to_owned())), FIRST..USUAL_END);
        assert_eq!(quiet(None), FIRST..USUAL_END);
    }

    #[test]
    fn one_that_is_held_is_waited_for() {
        let port = free_port().unwrap();
        let held = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (patience, began) = (Duration::from_millis(50), Instant::now());
        let why = until_free(&[port], patience).unwrap_err();
        assert!(began.elapsed() >= patience && why.contains(&port.to_string()), "{why}");
        let waits = std::thread::spawn(move || until_free(&[port], Duration::from_secs(10)));
        drop(held);
        waits.join().unwrap().unwrap();
    }
}
