//! The server that commands ask: whether it is well, and whether its clock agrees.

use super::Finding;
use longshore::Client;
use longshore::client::{ClientError, Health};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The header says whole seconds.
const LEEWAY: Duration = Duration::from_secs(3);
/// How long its clock is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of an answer's head that are read.
const HEAD: usize = 8 << 10;

/// How a server that is not there is told.
const NOBODY: &str = "none answers at";

/// Returns whether this finding is of a server that answers.
pub(super) fn is_up(finding: &Finding) -> bool {
    !finding.found.starts_with(NOBODY)
}

/// Asks it.
pub(super) async fn check(client: &Client) -> Vec<Finding> {
    let url = client.url().trim_end_matches('/').to_owned();
    let health = match client.health().await {
        Ok(health) => health,
        Err(ClientError::Unreachable { .. }) => {
            return vec![Finding::ok("server", format!("{NOBODY} {url}"))];
        }
        Err(error) => {
            let fix = "see whether --server names a Longshore server, and LONGSHORE_KEY is its key";
            return vec![Finding::fail("server", format!("{url}: {error}"), fix)];
        }
    };
    let mut findings = vec![judged(&url, &health)];
    if let Ok(Some(skew)) = tokio::time::timeout(PATIENCE, skew(&url)).await {
        findings.push(agreed(skew));
    }
    findings
}

fn judged(url: &str, health: &Health) -> Finding {
    let parts =
        health.details.iter().filter(|(_, part)| part.status != "UP").map(|(name, part)| {
            let reason = part.reason.as_deref().unwrap_or("no reason given");
            format!("{name} is {}: {reason}", part.status)
        });
    let why: Vec<String> = health.reason.clone().into_iter().chain(parts).collect();
    let found = format!("{url} is {}", health.status);
    let found = if why.is_empty() { found } else { format!("{found} ({})", why.join("; ")) };
    match health.status.as_str() {
        "UP" => Finding::ok("server", found),
        "DEGRADED" => Finding::warn("server", found, "look at its log"),
        _ => Finding::fail("server", found, "look at its log"),
    }
}

fn agreed(skew: Duration) -> Finding {
    if skew > LEEWAY {
        let found = format!("the server's clock differs by {} s", skew.as_secs());
        return Finding::warn("server clock", found, "set both: timedatectl set-ntp true");
    }
    Finding::ok("server clock", "agrees with this one")
}

/// By how much the clock of a server without TLS differs; nothing if it does not tell.
async fn skew(url: &str) -> Option<Duration> {
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    let with_port = if authority.rsplit(']').next()?.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut stream = TcpStream::connect(with_port).await.ok()?;
    let request = format!("GET /livez HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    stream.take(HEAD as u64).read_to_end(&mut head).await.ok()?;
    let there = date(&String::from_utf8_lossy(&head))?;
    let here = SystemTime::now();
    Some(here.duration_since(there).unwrap_or_else(|behind| behind.duration()))
}

fn date(head: &str) -> Option<SystemTime> {
    let mut lines = head.lines().take_while(|line| !line.is_empty());
    let value = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then_some(value)
    })?;
    httpdate::parse_http_date(value.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_found_in_its_head() {
        let head = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:09 GMT\r\n\r\ndate: x";
        assert_eq!(date(head), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(9)));
        assert_eq!(date("HTTP/1.1 200 OK\r\n\r\ndate: x"), None);
    }

    #[test]
    fn a_clock_that_differs_is_told() {
        assert_eq!(agreed(Duration::from_secs(1)).verdict, Verdict::Ok);
        assert_eq!(agreed(Duration::from_secs(60)).verdict, Verdict::Warn);
    }
}
