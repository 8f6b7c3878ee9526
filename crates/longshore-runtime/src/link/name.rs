//! How a lease is written for workers: opaque to them, and all that the store needs of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use longshore_core::store::LeaseRef;
use longshore_core::task::Seq;
use longshore_core::{TaskId, Token};
use std::fmt;
use std::str::FromStr;

/// Bytes of an id, a place and a token.
const SIZE: usize = 16 + 8 + 8;

/// A lease as text: 43 URL-safe characters.
///
/// ```
/// use longshore_core::{TaskId, Token, store::LeaseRef, task::Seq};
/// use longshore_runtime::link::LeaseName;
/// let lease = LeaseRef { id: TaskId::fresh(), seq: Seq(7), token: Token::new(1, 2) };
/// let text = LeaseName(lease).to_string();
/// assert_eq!((text.len(), text.parse()), (43, Ok(LeaseName(lease))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseName(pub LeaseRef);

/// The text names no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no lease: use the one that came with the task")]
pub struct BadLease;

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeaseRef { id, seq, token } = self.0;
        let mut bytes = [0; SIZE];
        bytes[..16].copy_from_slice(id.0.as_bytes());
        bytes[16..24].copy_from_slice(&seq.0.to_be_bytes());
        bytes[24..].copy_from_slice(&token.number().to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for LeaseName {
    type Err = BadLease;

    fn from_str(text: &str) -> Result<Self, BadLease> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadLease)?;
        let bytes: [u8; SIZE] = bytes.try_into().map_err(|_| BadLease)?;
        let (id, rest) = bytes.split_at(16);
        let (seq, token) = rest.split_at(8);
        let number = |part: &[u8]| part.try_into().map(i64::from_be_bytes).map_err(|_| BadLease);
        Ok(Self(LeaseRef {
            id: TaskId(uuid::Uuid::from_slice(id).map_err(|_| BadLease)?),
            seq: Seq(number(seq)?),
            token: Token::from_number(number(token)?),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_lease_is_refused() {
        for bad in
            ["", "x", "AAAA", &"A".repeat(42), &"A".repeat(44), &"ä".repeat(22), &"=".repeat(43)]
        {
            assert_eq!(bad.parse::<LeaseName>(), Err(BadLease), "{bad}");
        }
    }
}
