//! Content codings: answers shrunk with gzip or br, bodies undone with limits.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, header};
use std::io::{Read, Write};

/// Answers below this many bytes go out as they are.
pub(crate) const WORTHWHILE: usize = 1_024;
/// A body may grow to this many times its size.
const RATIO: usize = 20;
/// A body that stays below this may grow as it likes: no bomb is that small.
const HARMLESS: usize = 4 * 1_024;
/// Brotli's quality: as fast as gzip and smaller.
const QUALITY: u32 = 4;
const WINDOW: u32 = 20;

/// How bytes are shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
}

/// Why a body could not be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undone {
    /// It grew beyond the limits.
    TooLarge,
    /// It is not what its coding says.
    Broken,
}

impl Coding {
    /// Returns the word of HTTP.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }

    /// Reads one name from `Content-Encoding`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            Some(Self::Gzip)
        } else if name.eq_ignore_ascii_case("br") {
            Some(Self::Brotli)
        } else {
            None
        }
    }

    /// Returns what the client would rather have: br, then gzip, then nothing.
    pub(crate) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let mut wanted = None;
        let values = headers.get_all(header::ACCEPT_ENCODING);
        let names = values.into_iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
        for name in names {
            let (name, weight) = name.split_once(';').unwrap_or((name, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            if weight.trim_matches(['0', '.']).is_empty() {
                continue;
            }
            match Self::named(name.trim()) {
                Some(Self::Brotli) => return Some(Self::Brotli),
                Some(Self::Gzip) => wanted = Some(Self::Gzip),
                None => {}
            }
        }
        wanted
    }

    /// Shrinks `bytes`; nothing if that does not work.
    pub(crate) fn shrink(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let small = Vec::with_capacity(bytes.len() / 3);
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(small, Compression::new(5));
                encoder.write_all(bytes).ok()?;
                encoder.finish().ok()
            }
            Self::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(small, 4_096, QUALITY, WINDOW);
                encoder.write_all(bytes).ok()?;
                encoder.flush().ok()?;
                Some(encoder.into_inner())
            }
        }
    }

    /// Undoes the coding of a body that may grow to `limit` bytes.
    pub(crate) fn undo(self, body: &[u8], limit: usize) -> Result<Bytes, Undone> {
        let limit = limit.min(body.len().saturating_mul(RATIO).max(HARMLESS));
        let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut out = Vec::with_capacity(limit.min(body.len() * 4));
        let read = match self {
            Self::Gzip => MultiGzDecoder::new(body).take(one_more).read_to_end(&mut out),
            Self::Brotli => {
                brotli::Decompressor::new(body, 4_096).take(one_more).read_to_end(&mut out)
            }
        };
        if out.len() > limit {
            return Err(Undone::TooLarge);
        }
        match read {
            Ok(_) => Ok(out.into()),
            Err(_) => Err(Undone::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn wanted(accept: &'static str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accept));
        Coding::wanted(&headers)
    }

    #[test]
    fn the_client_says_what_it_can_read() {
        assert_eq!(wanted("gzip, deflate, br"), Some(Coding::Brotli));
        assert_eq!(wanted("gzip;q=0.5, br;q=0"), Some(Coding::Gzip));
        assert_eq!(wanted("identity"), None);
        assert_eq!(Coding::wanted(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_shrunk_can_be_undone() {
        let text: String = (0..500).map(|i| format!("line {i} of many\n")).collect();
        for coding in [Coding::Gzip, Coding::Brotli] {
            let small = coding.shrink(text.as_bytes()).unwrap();
            assert!(small.len() < text.len() / 2);
            assert_eq!(coding.undo(&small, 1 << 20).unwrap(), text.as_bytes());
            assert_eq!(coding.undo(&small, text.len() - 1), Err(Undone::TooLarge));
            assert_eq!(coding.undo(&small[..small.len() / 2], 1 << 20), Err(Undone::Broken));
        }
    }

    #[test]
    fn a_body_that_grows_more_than_twentyfold_is_a_bomb_unless_it_is_tiny() {
        let bomb = Coding::Gzip.shrink(&vec![b' '; 200_000]).unwrap();
        assert_eq!(Coding::Gzip.undo(&bomb, 256 << 10), Err(Undone::TooLarge));
        let tiny = Coding::Gzip.shrink(&[b' '; 4_000]).unwrap();
        assert_eq!(Coding::Gzip.undo(&tiny, 256 << 10).unwrap().len(), 4_000);
    }

    #[test]
    fn garbage_is_broken() {
        for coding in [Coding::Gzip, Coding::Brotli] {
            assert_eq!(coding.undo(b"{\"kind\":\"hello\"}", 1 << 20), Err(Undone::Broken));
        }
    }
}
