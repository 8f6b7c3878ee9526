//! What chance makes of an input.

use fastrand::Rng;

/// Inputs grow no longer than this, in bytes.
const LONGEST: usize = 64 * 1024;
/// Changes of one input.
const CHANGES: std::ops::RangeInclusive<usize> = 1..=5;
/// Numbers at which something may turn over.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "-0",
    "1e400",
    "1e-400",
    "255",
    "256",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
    "0.1",
    "00",
];
/// Texts that are rarely thought of.
const TEXTS: [&str; 16] = [
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "\u{1f600}",
    "\\u0000",
    "\\ud800",
    "\r\n",
    "\"",
    "'",
    "%00",
    "%ff",
    "..",
    "/",
    "null",
    "NaN",
];
/// What opens and closes.
const PAIRS: [(&str, &str); 4] = [("[", "]"), ("{\"a\":", "}"), ("\"", "\""), ("(", ")")];

/// Changes `input` a few times, with `words` of its target and pieces of `other`.
pub(crate) fn mutate(input: &[u8], other: &[u8], words: &[&str], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.usize(CHANGES) {
        change(&mut bytes, other, words, rng);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], words: &[&str], rng: &mut Rng) {
    let at = rng.usize(0..=bytes.len());
    match rng.u8(0..12) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
        1 if at < bytes.len() => bytes[at] = rng.u8(..),
        2 => insert(bytes, at, &[rng.u8(..)]),
        3 => drop(bytes.drain(some(bytes.len(), rng))),
        4 => {
            let piece = bytes[some(bytes.len(), rng)].to_vec();
            let times = if rng.u8(0..8) == 0 { rng.usize(1..200) } else { 1 };
            insert(bytes, at, &piece.repeat(times));
        }
        5 | 6 => {
            let piece = &other[some(other.len(), rng)];
            insert(bytes, at, piece);
        }
        7 | 8 => {
            if let Some(word) = rng.choice(words) {
                insert(bytes, at, word.as_bytes());
            }
        }
        9 => replace_number(bytes, NUMBERS[rng.usize(..NUMBERS.len())], rng),
        10 => insert(bytes, at, TEXTS[rng.usize(..TEXTS.len())].as_bytes()),
        _ => {
            let (open, close) = PAIRS[rng.usize(..PAIRS.len())];
            let times = if rng.u8(0..4) == 0 { rng.usize(1..300) } else { 1 };
            insert(bytes, at, close.repeat(times).as_bytes());
            insert(bytes, rng.usize(0..=at), open.repeat(times).as_bytes());
        }
    }
}

/// A stretch, mostly a short one.
fn some(len: usize, rng: &mut Rng) -> std::ops::Range<usize> {
    let from = rng.usize(0..=len);
    let most = if rng.bool() { 8 } else { len };
    from..rng.usize(from..=len.min(from + most))
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if bytes.len() + piece.len() <= LONGEST {
        bytes.splice(at..at, piece.iter().copied());
    }
}

/// Puts another number in the place of one that is there.
fn replace_number(bytes: &mut Vec<u8>, number: &str, rng: &mut Rng) {
    let is_digit = |at: &usize| bytes[*at].is_ascii_digit();
    let digits: Vec<usize> = (0..bytes.len()).filter(is_digit).collect();
    let Some(from) = rng.choice(digits) else { return };
    let len = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(from..from + len, number.bytes());
}
