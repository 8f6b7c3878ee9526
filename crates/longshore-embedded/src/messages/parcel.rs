//! What is published, as the writer takes it; and headers as the file keeps them.

use bytes::Bytes;
use longshore_core::broker::{Envelope, Headers, Outgoing, To};

/// An envelope on its way into the file.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(super) to: To,
    pub(super) headers: Option<String>,
    pub(super) payload: Bytes,
}

impl From<Outgoing> for Parcel {
    fn from(outgoing: Outgoing) -> Self {
        let Outgoing { to, envelope: Envelope { headers, payload } } = outgoing;
        Self { to, headers: pack(&headers), payload }
    }
}

/// Writes headers as pairs in JSON; nothing if there are none.
pub(super) fn pack(headers: &Headers) -> Option<String> {
    let pairs: Vec<(&str, &str)> = headers.iter().collect();
    // Pairs of texts can always be written.
    if pairs.is_empty() { None } else { serde_json::to_string(&pairs).ok() }
}

/// Reads them; an error if they are damaged.
pub(super) fn unpack(text: Option<&str>) -> serde_json::Result<Headers> {
    match text {
        None => Ok(Headers::default()),
        Some(text) => {
            let pairs: Vec<(String, String)> = serde_json::from_str(text)?;
            Ok(pairs.into_iter().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were() {
        let headers: Headers =
            [("a", "1"), ("content-type", "\"ä\" \\ \u{1}")].into_iter().collect();
        assert_eq!(unpack(pack(&headers).as_deref()).unwrap(), headers);
        assert_eq!(pack(&Headers::default()), None);
        assert_eq!(unpack(None).unwrap(), Headers::default());
        assert!(unpack(Some("[[\"a\"]]")).is_err());
    }
}
