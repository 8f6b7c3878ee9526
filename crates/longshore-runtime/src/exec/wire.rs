//! What the server, the watcher and the second stage say to each other, over Unix sockets.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

/// What the server tells the watcher: one byte each. A socket that ends without an order is the
/// server's death: everything is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// TERM now, KILL after the grace.
    Stop,
    /// KILL now.
    Kill,
}

impl Order {
    /// Returns its byte.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Stop => b'T',
            Self::Kill => b'K',
        }
    }

    /// Reads its byte; whatever is unknown kills.
    pub(super) fn of(byte: u8) -> Self {
        if byte == Self::Stop.byte() { Self::Stop } else { Self::Kill }
    }
}

/// What the watcher tells the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// The command's process and group have this id.
    Started(i32),
    /// There is no such program, or it cannot be run: the system's error number.
    NotRun(i32),
    /// It ended with this code, and nothing of it is left.
    Exited(i32),
    /// It was ended by this signal, and nothing of it is left.
    Signalled(i32),
}

impl Report {
    /// Length of a report in bytes.
    pub(crate) const LEN: usize = 5;

    /// Writes it.
    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let (tag, number) = match self {
            Self::Started(pid) => (b's', pid),
            Self::NotRun(errno) => (b'n', errno),
            Self::Exited(code) => (b'x', code),
            Self::Signalled(signal) => (b'k', signal),
        };
        let [a, b, c, d] = number.to_le_bytes();
        [tag, a, b, c, d]
    }

    /// Reads it.
    pub(crate) fn from_bytes([tag, a, b, c, d]: [u8; Self::LEN]) -> Option<Self> {
        let number = i32::from_le_bytes([a, b, c, d]);
        match tag {
            b's' => Some(Self::Started(number)),
            b'n' => Some(Self::NotRun(number)),
            b'x' => Some(Self::Exited(number)),
            b'k' => Some(Self::Signalled(number)),
            _ => None,
        }
    }
}

/// Hands a file over; the other side gets one of its own by [`take`].
pub(crate) fn give(socket: impl AsFd, file: impl AsFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    if !message.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    sendmsg(socket, &[IoSlice::new(b"f")], &mut message, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes the file that [`give`] handed over. It is not inherited by programs that are started.
pub(super) fn take(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut message, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = message.drain().filter_map(|part| match part {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    files.next().and_then(|mut files| files.next()).ok_or_else(super::misused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let all =
            [Report::Started(7), Report::NotRun(2), Report::Exited(255), Report::Signalled(9)];
        assert_eq!(all.map(|report| Report::from_bytes(report.to_bytes())), all.map(Some));
        assert_eq!(Report::from_bytes(*b"?...."), None);
    }

    #[test]
    fn a_file_is_handed_over() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        give(&ours, &reader).unwrap();
        writer.write_all(b"hello").unwrap();
        drop(writer);
        let mut text = String::new();
        std::io::PipeReader::from(take(&theirs).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_byte_without_a_file_is_an_error() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"f").unwrap();
        assert!(take(&theirs).is_err());
    }
}
