//! Times and durations as people say them.

use longshore::core::Timestamp;
use std::time::Duration;

/// Says how long ago it was, or in how much time it will be.
pub(super) fn when(at: Timestamp, now: Timestamp) -> String {
    let (ago, ahead) = (now.since(at), at.since(now));
    if ahead >= Duration::from_secs(1) {
        format!("in {}", coarse(ahead))
    } else if ago < Duration::from_secs(1) {
        "now".to_owned()
    } else {
        format!("{} ago", coarse(ago))
    }
}

/// Says how long it is: milliseconds below a second, tenths below ten.
pub(super) fn span(span: Duration) -> String {
    match span.as_millis() {
        millis @ 0..1_000 => format!("{millis}ms"),
        1_000..10_000 => format!("{:.1}s", span.as_secs_f64()),
        _ => coarse(span),
    }
}

/// The largest unit, and the next one if there are few of the first.
fn coarse(span: Duration) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let seconds = span.as_secs();
    let first = UNITS.iter().position(|(_, worth)| seconds >= *worth).unwrap_or(UNITS.len() - 1);
    let (unit, worth) = UNITS[first];
    let (count, rest) = (seconds / worth, seconds % worth);
    match UNITS.get(first + 1) {
        Some((next, worth)) if count < 10 && rest >= *worth => {
            format!("{count}{unit}{}{next}", rest / worth)
        }
        _ => format!("{count}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let now = Timestamp(1_000_000_000_000);
        let ago = |seconds: i64| when(Timestamp(now.0 - seconds * 1_000), now);
        assert_eq!(ago(0), "now");
        assert_eq!(ago(12), "12s ago");
        assert_eq!(ago(92), "1m32s ago");
        assert_eq!(ago(3_600), "1h ago");
        assert_eq!(ago(45 * 60), "45m ago");
        assert_eq!(ago(-90_000), "in 1d1h");
    }

    #[test]
    fn durations_are_told_as_people_do() {
        assert_eq!(span(Duration::from_millis(250)), "250ms");
        assert_eq!(span(Duration::from_millis(1_250)), "1.2s");
        assert_eq!(span(Duration::from_secs(90)), "1m30s");
    }
}
