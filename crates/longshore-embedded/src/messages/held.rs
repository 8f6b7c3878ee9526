//! What was handed out and not settled, as the file keeps it: runs of neighbours with the same count, so that a
//! thousand of them cost a few bytes.

use super::Position;

/// More than any group has with somebody: a longer run was never written.
const MOST: u64 = 1 << 24;

/// Packs positions, in order, with how often each was handed out.
pub(super) fn pack(held: impl Iterator<Item = (Position, u32)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut end = 0;
    let mut run: Option<(Position, u64, u32)> = None;
    let mut write = |(first, length, count): (Position, u64, u32)| {
        put(&mut bytes, first.abs_diff(end));
        put(&mut bytes, length);
        put(&mut bytes, u64::from(count));
        end = first.saturating_add_unsigned(length);
    };
    for (position, count) in held {
        match &mut run {
            Some((first, length, same))
                if first.saturating_add_unsigned(*length) == position && *same == count =>
            {
                *length += 1;
            }
            _ => {
                run.replace((position, 1, count)).into_iter().for_each(&mut write);
            }
        }
    }
    run.into_iter().for_each(write);
    bytes
}

/// Unpacks them; nothing if these bytes were never packed.
pub(super) fn unpack(mut bytes: &[u8]) -> Option<Vec<(Position, u32)>> {
    let mut held = Vec::new();
    let mut end: Position = 0;
    while !bytes.is_empty() {
        let (gap, length, count) = (take(&mut bytes)?, take(&mut bytes)?, take(&mut bytes)?);
        let count = u32::try_from(count).ok()?;
        if length == 0 || length > MOST {
            return None;
        }
        let first = end.checked_add_unsigned(gap)?;
        end = first.checked_add_unsigned(length)?;
        held.extend((first..end).map(|position| (position, count)));
    }
    Some(held)
}

/// Seven bits a byte, the lowest first; the eighth says that more come.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(held: &[(Position, u32)]) -> Vec<u8> {
        pack(held.iter().copied())
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let scattered: Vec<_> = (1..500).map(|n| (n * n, n as u32 % 3)).collect();
        let far = vec![(1, 1), (2, 1), (3, 2), (1 << 40, 1), (i64::MAX - 2, u32::MAX)];
        for held in [Vec::new(), vec![(7, 1)], scattered, far] {
            assert_eq!(unpack(&packed(&held)), Some(held));
        }
    }

    #[test]
    fn neighbours_cost_next_to_nothing() {
        let held: Vec<_> = (1_000_000..1_010_000).map(|position| (position, 1)).collect();
        assert!(packed(&held).len() < 10);
    }

    #[test]
    fn what_was_never_packed_is_told() {
        for bytes in [&[1][..], &[1, 0, 1], &[0x80; 20], &[1, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]] {
            assert_eq!(unpack(bytes), None, "{bytes:?}");
        }
    }
}
