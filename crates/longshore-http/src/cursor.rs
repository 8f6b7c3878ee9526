//! Where a page of a list ended, as an opaque word for clients.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use longshore_core::task::Seq;

/// The form of the cursor; another one is refused.
const VERSION: u8 = 1;
/// Version, place, check sum.
const LENGTH: usize = 1 + 8 + 3;

/// Writes a place in the list: URL-safe base64.
pub(crate) fn write(Seq(seq): Seq) -> String {
    let mut bytes = [0; LENGTH];
    bytes[0] = VERSION;
    bytes[1..9].copy_from_slice(&seq.to_be_bytes());
    let sum = check_sum(&bytes[..9]);
    bytes[9..].copy_from_slice(&sum);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`write`] wrote; nothing if it did not.
pub(crate) fn read(text: &str) -> Option<Seq> {
    let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let place: [u8; 8] = bytes[1..9].try_into().ok()?;
    let fine = bytes[0] == VERSION && bytes[9..] == check_sum(&bytes[..9]);
    fine.then(|| Seq(i64::from_be_bytes(place)))
}

/// Writes the last id of a page of a list by ids.
pub(crate) fn write_id(id: uuid::Uuid) -> String {
    let mut bytes = [VERSION; 1 + 16 + 3];
    bytes[1..17].copy_from_slice(id.as_bytes());
    let sum = check_sum(&bytes[..17]);
    bytes[17..].copy_from_slice(&sum);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`write_id`] wrote; nothing if it did not.
pub(crate) fn read_id(text: &str) -> Option<uuid::Uuid> {
    let bytes: [u8; 20] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let fine = bytes[0] == VERSION && bytes[17..] == check_sum(&bytes[..17]);
    fine.then(|| uuid::Uuid::from_slice(&bytes[1..17]).ok()).flatten()
}

/// Against slips, not against malice: a cursor gives away nothing that a list would not.
fn check_sum(bytes: &[u8]) -> [u8; 3] {
    let [_, sum @ ..] = crc32fast::hash(bytes).to_be_bytes();
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_needs_no_escapes() {
        for seq in [0, 1, 4_711, i64::MAX] {
            let text = write(Seq(seq));
            assert_eq!(read(&text), Some(Seq(seq)));
            assert!(
                text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_was_not_handed_out_is_refused() {
        let good = write(Seq(42));
        let (other, cut) = (good.replace('A', "B"), &good[1..]);
        for bad in ["", "x", "42", "AAAAAAAAAAAAAAAA", cut, &other, &format!("{good}=")] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
