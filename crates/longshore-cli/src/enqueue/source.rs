//! The file of a batch, in chunks of one request each.

use super::line::Line;
use crate::failure::Failure;
use longshore::client::Submit;
use std::fs::File;
use std::io::{BufRead, BufReader};

/// Tasks of one request: one sync for all of them.
const CHUNK: usize = 1_000;
/// Bytes of lines in one request; the server takes 16 MiB.
const CHUNK_BYTES: usize = 8 << 20;

/// A file with a task in each line.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its path; `-` is standard input.
    pub(super) file: String,
    /// The kind of lines that name none.
    pub(super) kind: Option<String>,
    /// What stands before the number of a line in its idempotency key.
    pub(super) key: Option<String>,
}

/// Tasks of one request.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// The tasks.
    pub(super) tasks: Vec<Submit>,
    /// The number of each one's line, from 1.
    pub(super) lines: Vec<u64>,
    bytes: usize,
}

impl Source {
    /// Returns whether it is standard input, which can be read once only.
    pub(super) fn is_stdin(&self) -> bool {
        self.file == "-"
    }

    /// Returns its name for people.
    pub(super) fn name(&self) -> String {
        if self.is_stdin() { "standard input".to_owned() } else { self.file.clone() }
    }

    /// Reads all of it; returns how many tasks there are.
    pub(super) fn count(&self) -> Result<u64, Failure> {
        let mut count = 0;
        self.chunks(|chunk| {
            count += chunk.lines.len() as u64;
            Ok(true)
        })?;
        Ok(count)
    }

    /// Reads all of it, chunk by chunk, until `take` wants no more.
    pub(super) fn chunks(
        &self,
        mut take: impl FnMut(Chunk) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut chunk = Chunk::default();
        for (number, text) in (1..).zip(self.open()?.lines()) {
            let text = text.map_err(Failure::system(format!("cannot read {}", self.name())))?;
            if text.trim().is_empty() {
                continue;
            }
            let full = chunk.lines.len() >= CHUNK || chunk.bytes + text.len() > CHUNK_BYTES;
            if full && !chunk.lines.is_empty() && !take(std::mem::take(&mut chunk))? {
                return Ok(());
            }
            let key = self.key.as_ref().map(|key| format!("{key}:{number}"));
            let task = Line::read(&text).and_then(|line| line.submit(self.kind.as_deref(), key));
            let wrong = |why| Failure::Usage(format!("{}:{number}: {why}", self.name()));
            chunk.tasks.push(task.map_err(wrong)?);
            chunk.lines.push(number);
            chunk.bytes += text.len();
        }
        if !chunk.lines.is_empty() {
            take(chunk)?;
        }
        Ok(())
    }

    fn open(&self) -> Result<Box<dyn BufRead>, Failure> {
        if self.is_stdin() {
            return Ok(Box::new(BufReader::new(std::io::stdin())));
        }
        let file = File::open(&self.file);
        let file = file.map_err(Failure::system(format!("cannot open {}", self.file)))?;
        Ok(Box::new(BufReader::new(file)))
    }
}
