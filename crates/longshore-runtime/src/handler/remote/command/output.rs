//! What a command writes: all of stdout up to a cap, the end of stderr.

use std::collections::VecDeque;

/// So much of stderr is kept.
pub(super) const TAIL: usize = 8 * 1024;

/// Stdout, up to a cap.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) bytes: Vec<u8>,
    /// There was more than the cap.
    pub(super) over: bool,
}

impl Captured {
    /// Adds what was read; nothing more once the cap is passed.
    pub(super) fn add(&mut self, read: &[u8], cap: usize) {
        let room = cap - self.bytes.len().min(cap);
        self.over |= read.len() > room;
        self.bytes.extend_from_slice(&read[..read.len().min(room)]);
    }
}

/// The last bytes of stderr.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<u8>);

impl Tail {
    /// Adds what was read, and forgets what came long before.
    pub(super) fn add(&mut self, read: &[u8]) {
        let read = &read[read.len().saturating_sub(TAIL)..];
        let too_many = (self.0.len() + read.len()).saturating_sub(TAIL);
        self.0.drain(..too_many);
        self.0.extend(read);
    }

    /// Returns it as text of at most [`TAIL`] bytes; what is not UTF-8 is replaced.
    pub(super) fn text(&self) -> String {
        let (front, back) = self.0.as_slices();
        let bytes = [front, back].concat();
        // A character that was cut in two is left out.
        let cut = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
        let text = String::from_utf8_lossy(&bytes[cut..]);
        let from = text.len().saturating_sub(TAIL); // replacing may have made it longer
        let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text[from..].trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdout_is_kept_up_to_the_cap() {
        let mut out = Captured::default();
        out.add(b"abc", 4);
        assert!(!out.over);
        out.add(b"d", 4);
        assert!(!out.over);
        out.add(b"e", 4);
        assert!(out.over);
        assert_eq!(out.bytes, b"abcd");
    }

    #[test]
    fn the_end_of_stderr_is_kept_in_whole_characters() {
        let mut tail = Tail::default();
        for _ in 0..3 {
            tail.add("ä".repeat(TAIL / 2 - 1).as_bytes());
            tail.add(b"x");
        }
        let text = tail.text();
        assert!(text.len() <= TAIL && text.len() > TAIL - 4, "{}", text.len());
        assert!(text.ends_with("äx") && !text.contains('\u{fffd}'));
    }

    #[test]
    fn what_is_no_text_is_replaced_and_does_not_outgrow_the_tail() {
        let mut tail = Tail::default();
        tail.add(&[0xff; 2 * TAIL]);
        let text = tail.text();
        assert!(text.len() <= TAIL && text.starts_with('\u{fffd}'));
    }
}
