//! Content codings: answers shrunk with gzip or br, bodies undone with limits.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::{GzEncoder, MultiGzDecoder as MultiGzWriter};
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

/// Undoes the coding of a body that arrives in pieces, within the same limits.
pub(crate) struct Undoing {
    way: Way,
    /// Bytes that came in.
    taken: usize,
    limit: usize,
}

enum Way {
    /// There is no coding.
    Plain,
    Gzip(Box<MultiGzWriter<Room>>),
    Brotli(Box<brotli::DecompressorWriter<Room>>),
}

/// Where undone bytes go; it takes no more than the limit.
struct Room {
    out: Vec<u8>,
    /// Bytes that went through.
    passed: usize,
    limit: usize,
}

impl Write for Room {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        self.passed = self.passed.saturating_add(part.len());
        if self.passed > self.limit {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.out.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Undoing {
    /// Begins with a body that may grow to `limit` bytes.
    pub(crate) fn new(coding: Option<Coding>, limit: usize) -> Self {
        let room = || Room { out: Vec::new(), passed: 0, limit };
        let way = match coding {
            None => Way::Plain,
            Some(Coding::Gzip) => Way::Gzip(Box::new(MultiGzWriter::new(room()))),
            Some(Coding::Brotli) => {
                Way::Brotli(Box::new(brotli::DecompressorWriter::new(room(), 4_096)))
            }
        };
        Self { way, taken: 0, limit }
    }

    /// Takes a piece and returns what it stands for.
    pub(crate) fn push(&mut self, piece: Bytes) -> Result<Bytes, Undone> {
        self.taken = self.taken.saturating_add(piece.len());
        let (done, room) = match &mut self.way {
            Way::Plain => {
                return if self.taken > self.limit { Err(Undone::TooLarge) } else { Ok(piece) };
            }
            Way::Gzip(gzip) => {
                let done = gzip.write_all(&piece).and_then(|()| gzip.flush());
                (done, gzip.get_mut())
            }
            Way::Brotli(brotli) => (brotli.write_all(&piece), brotli.get_mut()),
        };
        room.hand_out(done)
    }

    /// Ends the body and returns what was held back.
    pub(crate) fn finish(mut self) -> Result<Bytes, Undone> {
        let (done, room) = match &mut self.way {
            Way::Plain => return Ok(Bytes::new()),
            Way::Gzip(gzip) if self.taken > 0 => (gzip.try_finish(), gzip.get_mut()),
            Way::Gzip(_) => return Err(Undone::Broken),
            Way::Brotli(brotli) => (brotli.close(), brotli.get_mut()),
        };
        let rest = room.hand_out(done)?;
        let bomb = room.passed > self.taken.saturating_mul(RATIO).max(HARMLESS);
        if bomb { Err(Undone::TooLarge) } else { Ok(rest) }
    }
}

impl Room {
    fn hand_out(&mut self, done: std::io::Result<()>) -> Result<Bytes, Undone> {
        match done {
            _ if self.passed > self.limit => Err(Undone::TooLarge),
            Ok(()) => Ok(std::mem::take(&mut self.out).into()),
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

    fn piecewise(
        coding: Coding,
        body: &[u8],
        size: usize,
        limit: usize,
    ) -> Result<Vec<u8>, Undone> {
        let mut undoing = Undoing::new(Some(coding), limit);
        let mut out = Vec::new();
        for piece in body.chunks(size) {
            out.extend_from_slice(&undoing.push(Bytes::copy_from_slice(piece))?);
        }
        out.extend_from_slice(&undoing.finish()?);
        Ok(out)
    }

    #[test]
    fn pieces_are_undone_as_the_whole_is() {
        let text: String = (0..500).map(|i| format!("line {i} of many\n")).collect();
        for coding in [Coding::Gzip, Coding::Brotli] {
            let small = coding.shrink(text.as_bytes()).unwrap();
            for size in [1, 7, 4_096] {
                let back = piecewise(coding, &small, size, 1 << 20);
                assert_eq!(back.unwrap(), text.as_bytes(), "{coding:?} {size}");
                let short = piecewise(coding, &small, size, text.len() - 1);
                assert_eq!(short, Err(Undone::TooLarge), "{coding:?} {size}");
                let cut = piecewise(coding, &small[..small.len() / 2], size, 1 << 20);
                assert_eq!(cut, Err(Undone::Broken), "{coding:?} {size}");
            }
            let garbage = piecewise(coding, b"[{\"kind\":\"hello\"}]", 5, 1 << 20);
            assert_eq!(garbage, Err(Undone::Broken), "{coding:?}");
            let bomb = coding.shrink(&vec![b' '; 200_000]).unwrap();
            assert_eq!(piecewise(coding, &bomb, 16, 1 << 20), Err(Undone::TooLarge));
        }
    }

    #[test]
    fn garbage_is_broken() {
        for coding in [Coding::Gzip, Coding::Brotli] {
            assert_eq!(coding.undo(b"{\"kind\":\"hello\"}", 1 << 20), Err(Undone::Broken));
        }
    }
}
