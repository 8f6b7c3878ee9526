//! Until when a certificate is valid: the one field of X.509 that nobody below tells us.
//!
//! It is read for people who should know in time; clients judge certificates by themselves.

use longshore_core::Timestamp;

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Returns the end of a certificate's validity (RFC 5280, section 4.1.2.5), if it can be found.
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = inside(certificate, SEQUENCE)?;
    let (mut fields, _) = inside(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = item(fields)?.2;
    }
    // Serial number, signature algorithm and issuer come before.
    for _ in 0..3 {
        fields = item(fields)?.2;
    }
    let (validity, _) = inside(fields, SEQUENCE)?;
    let (_, _, after_not_before) = item(validity)?;
    let (tag, text, _) = item(after_not_before)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

fn inside(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = item(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// Splits the first item off: its tag, its content, and what follows.
fn item(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, bytes) = bytes.split_first()?;
    let (first, mut bytes) = bytes.split_first()?;
    let mut length = usize::from(*first);
    if let Some(count) = first.checked_sub(0x80) {
        let (digits, rest) = bytes.split_at_checked(usize::from(count))?;
        if !(1..=4).contains(&count) {
            return None;
        }
        length = digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit));
        bytes = rest;
    }
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `YYMMDDHHMMSSZ`, or with four digits of the year.
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let year = match tag {
        UTC_TIME => {
            let year: u32 = text.get(..2)?.parse().ok()?;
            if year < 50 { 2_000 + year } else { 1_900 + year }
        }
        GENERALIZED_TIME => text.get(..4)?.parse().ok()?,
        _ => return None,
    };
    let rest = text.get(if tag == UTC_TIME { 2 } else { 4 }..)?.strip_suffix('Z')?;
    let part = |at: usize| rest.get(at..at + 2);
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
    Timestamp::parse(&format!("{year:04}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, 0x82];
        bytes.extend((content.len() as u16).to_be_bytes());
        bytes.extend(content);
        bytes
    }

    fn certificate(not_after: &[u8]) -> Vec<u8> {
        let before = der(UTC_TIME, b"250101000000Z");
        let validity = der(SEQUENCE, &[before, not_after.to_vec()].concat());
        let mut fields = der(VERSION, &der(2, &[2]));
        fields.extend([der(2, &[1]), der(SEQUENCE, &[]), der(SEQUENCE, &[]), validity].concat());
        der(SEQUENCE, &der(SEQUENCE, &fields))
    }

    fn told(not_after: &[u8]) -> Option<String> {
        super::not_after(&certificate(not_after)).map(|at| at.to_string())
    }

    #[test]
    fn the_end_of_validity_is_found_in_both_forms_of_time() {
        let short = told(&der(UTC_TIME, b"261128093015Z"));
        assert_eq!(short.as_deref(), Some("2026-11-28T09:30:15.000Z"));
        let long = told(&der(GENERALIZED_TIME, b"20751128093015Z"));
        assert_eq!(long.as_deref(), Some("2075-11-28T09:30:15.000Z"));
    }

    #[test]
    fn what_is_broken_off_or_odd_has_no_end_of_validity() {
        let whole = certificate(&der(UTC_TIME, b"261128093015Z"));
        for length in 0..whole.len() - 1 {
            assert_eq!(super::not_after(&whole[..length]), None, "{length}");
        }
        for odd in [&b"2611280930"[..], b"261328093015Z", b"\xff\xff1128093015Z", b""] {
            assert_eq!(told(&der(UTC_TIME, odd)), None, "{odd:?}");
        }
        assert_eq!(told(&der(2, b"261128093015Z")), None);
    }
}
