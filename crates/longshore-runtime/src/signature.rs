//! Signing what we send to others, after [Standard Webhooks](https://www.standardwebhooks.com).
//!
//! A request carries three headers: [`ID`] (the same on every retry), [`TIMESTAMP`] (seconds since
//! 1970) and [`SIGNATURE`]: for each secret `v1,` and the base64 of HMAC-SHA256 over
//! `id.timestamp.body`, with a space between two. While a secret is being changed both the new
//! and the old one sign, so that a receiver may know either. [`verify`] is the receiver's side.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use longshore_core::Timestamp;
use sha2::Sha256;
use std::fmt;
use std::time::Duration;

/// The header that names a message.
pub const ID: &str = "webhook-id";
/// The header that says when it was sent, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header that holds the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// How far a message's time may lie from the receiver's own: 5 minutes.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Most secrets that sign one message: two, while one takes the place of the other.
pub const MAX_SECRETS: usize = 2;

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1";

/// Shortest and longest secret, in bytes, after its base64 was read.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// Most signatures of one header that are looked at.
const MAX_SIGNATURES: usize = 16;

/// A secret of 24 to 64 bytes, written as `whsec_` and base64. Never shown.
#[derive(Clone)]
pub struct Secret {
    bytes: Vec<u8>,
    mac: Hmac<Sha256>,
}

/// Why a text is no secret. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// It begins with something else.
    #[error("must begin with whsec_")]
    Prefix,
    /// What follows is no base64.
    #[error("must be base64 after whsec_")]
    Base64,
    /// Too short to be safe, or too long.
    #[error("must be 24 to 64 bytes in base64, is {bytes}; make one with: openssl rand -base64 32")]
    Length {
        /// How many there are.
        bytes: usize,
    },
}

impl Secret {
    /// Reads `whsec_…`.
    ///
    /// ```
    /// use longshore_runtime::signature::{BadSecret, Secret};
    /// assert!(Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
    /// assert_eq!(Secret::parse("whsec_c2hvcnQ="), Err(BadSecret::Length { bytes: 5 }));
    /// ```
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(BadSecret::Prefix)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| BadSecret::Base64)?;
        let wrong_length = BadSecret::Length { bytes: bytes.len() };
        if !LENGTH.contains(&bytes.len()) {
            return Err(wrong_length);
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|_| wrong_length)?;
        Ok(Self { bytes, mac })
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_***")
    }
}

/// Signs a message: returns the value of the [`SIGNATURE`] header. `at` is in seconds since 1970.
pub fn sign(secrets: &[Secret], id: &str, at: i64, body: &[u8]) -> String {
    let timestamp = at.to_string();
    let mut header = String::new();
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        let tag = secret.mac(id, &timestamp, body).finalize().into_bytes();
        header.push_str(VERSION);
        header.push(',');
        header.push_str(&BASE64_STANDARD.encode(tag));
    }
    header
}

/// The three headers of a message, as they arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The value of [`ID`].
    pub id: &'a str,
    /// The value of [`TIMESTAMP`].
    pub timestamp: &'a str,
    /// The value of [`SIGNATURE`].
    pub signature: &'a str,
}

/// Why a message is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The time is no number.
    #[error("the header webhook-timestamp is no number of seconds")]
    BadTimestamp,
    /// It is older than [`TOLERANCE`]: perhaps somebody sends again what was overheard.
    #[error("the message is older than {} s", TOLERANCE.as_secs())]
    TooOld,
    /// It comes from the future by more than [`TOLERANCE`]: a clock is wrong.
    #[error("the message is more than {} s from the future", TOLERANCE.as_secs())]
    TooNew,
    /// No signature is of one of the secrets.
    #[error("no signature of webhook-signature is right")]
    WrongSignature,
}

/// Checks a message as it arrived, byte for byte, at the time `now`.
///
/// Signatures are compared in constant time; those of other versions than `v1` are passed over.
/// A message that was seen before is not noticed here: keep its id for that, longer than
/// [`TOLERANCE`].
///
/// ```
/// use longshore_core::{Clock, SystemClock};
/// use longshore_runtime::signature::{Secret, Signed, sign, verify};
/// let secrets = [Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?];
/// let now = SystemClock.now();
/// let (timestamp, body) = (now.0 / 1_000, br#"{"to":"a@b.c"}"#);
/// let signature = sign(&secrets, "msg_1", timestamp, body);
/// let signed = Signed { id: "msg_1", timestamp: &timestamp.to_string(), signature: &signature };
/// assert!(verify(&secrets, signed, body, now).is_ok());
/// assert!(verify(&secrets, signed, b"{}", now).is_err());
/// # Ok::<(), longshore_runtime::signature::BadSecret>(())
/// ```
pub fn verify(
    secrets: &[Secret],
    signed: Signed<'_>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Untrusted> {
    let sent: i64 = signed.timestamp.parse().map_err(|_| Untrusted::BadTimestamp)?;
    let sent = Timestamp(sent.checked_mul(1_000).ok_or(Untrusted::BadTimestamp)?);
    if now.since(sent) > TOLERANCE {
        return Err(Untrusted::TooOld);
    }
    if sent.since(now) > TOLERANCE {
        return Err(Untrusted::TooNew);
    }
    let tags = signed.signature.split(' ').take(MAX_SIGNATURES).filter_map(|one| {
        let (version, tag) = one.split_once(',')?;
        (version == VERSION).then(|| BASE64_STANDARD.decode(tag).ok()).flatten()
    });
    let mut right = false;
    for tag in tags {
        for secret in secrets {
            // `verify_slice` compares in constant time; all are tried, so that the time taken
            // does not tell which secret fitted either.
            let mac = secret.mac(signed.id, signed.timestamp, body);
            right |= mac.verify_slice(&tag).is_ok();
        }
    }
    if right { Ok(()) } else { Err(Untrusted::WrongSignature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    /// Checked by: printf '%s' 'ID.TIMESTAMP.BODY' | openssl dgst -sha256 -mac HMAC
    /// -macopt hexkey:31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0 -binary | base64
    const EXPECTED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> Secret {
        Secret::parse(SECRET).unwrap()
    }

    fn other() -> Secret {
        Secret::parse("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
    }

    fn judged(signature: &str, now: i64) -> Result<(), Untrusted> {
        let signed = Signed { id: MESSAGE, timestamp: &AT.to_string(), signature };
        verify(&[secret()], signed, BODY, Timestamp(now * 1_000))
    }

    #[test]
    fn the_known_message_has_the_known_signature() {
        assert_eq!(sign(&[secret()], MESSAGE, AT, BODY), EXPECTED);
    }

    #[test]
    fn a_receiver_may_know_the_new_secret_or_the_old_one() {
        let signature = sign(&[other(), secret()], MESSAGE, AT, BODY);
        assert_eq!(signature.split(' ').nth(1), Some(EXPECTED));
        assert_eq!(judged(&signature, AT), Ok(()));
        assert_eq!(
            judged(&sign(&[other()], MESSAGE, AT, BODY), AT),
            Err(Untrusted::WrongSignature)
        );
    }

    #[test]
    fn a_message_is_trusted_for_five_minutes_around_its_time() {
        for (now, verdict) in [
            (AT + 300, Ok(())),
            (AT - 300, Ok(())),
            (AT + 301, Err(Untrusted::TooOld)),
            (AT - 301, Err(Untrusted::TooNew)),
        ] {
            assert_eq!(judged(EXPECTED, now), verdict, "{now}");
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let signed = |id, timestamp| Signed { id, timestamp, signature: EXPECTED };
        let now = Timestamp(AT * 1_000);
        let at = AT.to_string();
        let later = (AT + 1).to_string();
        let check = |signed, body| verify(&[secret()], signed, body, now);
        assert_eq!(check(signed(MESSAGE, &at), BODY), Ok(()));
        assert_eq!(check(signed("msg_other", &at), BODY), Err(Untrusted::WrongSignature));
        assert_eq!(check(signed(MESSAGE, &later), BODY), Err(Untrusted::WrongSignature));
        assert_eq!(check(signed(MESSAGE, &at), b"{}"), Err(Untrusted::WrongSignature));
        assert_eq!(check(signed(MESSAGE, "soon"), BODY), Err(Untrusted::BadTimestamp));
        assert_eq!(
            check(signed(MESSAGE, "9223372036854775807"), BODY),
            Err(Untrusted::BadTimestamp)
        );
        assert_eq!(verify(&[], signed(MESSAGE, &at), BODY, now), Err(Untrusted::WrongSignature));
    }

    #[test]
    fn signatures_that_cannot_be_read_are_passed_over() {
        let with = |before: &str| format!("{before} {EXPECTED}");
        assert_eq!(judged(&with("v1a,AAAA v2,xyz v1,*** nonsense ,"), AT), Ok(()));
        for bad in
            ["", " ", "v1", "v1,", &EXPECTED.replacen("v1", "v2", 1), &"v1,AA== ".repeat(9_999)]
        {
            assert_eq!(judged(bad, AT), Err(Untrusted::WrongSignature));
        }
    }

    #[test]
    fn a_secret_is_read_strictly_and_never_shown() {
        assert_eq!(Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Err(BadSecret::Prefix));
        assert_eq!(Secret::parse("whsec_!!!"), Err(BadSecret::Base64));
        assert_eq!(Secret::parse("whsec_"), Err(BadSecret::Length { bytes: 0 }));
        assert_eq!(format!("{:?}", secret()), "whsec_***");
    }
}
