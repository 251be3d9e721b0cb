//! Operations kept aside, so that a trace is read once and replayed often: in memory up to a limit, in
//! a temporary file without a name beyond it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt as _;

use crate::replay::op::{Op, WORDS, Words};

/// Operations kept in memory: 160 MiB.
const MEMORY_OPS: usize = 2 << 20;

/// A sequence of operations.
#[derive(Debug)]
pub struct Spool {
    memory: Vec<Words>,
    memory_ops: usize,
    file: Option<BufWriter<File>>,
    len: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self::with_memory(MEMORY_OPS)
    }
}

impl Spool {
    /// Keeps at most so many operations in memory.
    #[must_use]
    pub const fn with_memory(memory_ops: usize) -> Self {
        Self {
            memory: Vec::new(),
            memory_ops,
            file: None,
            len: 0,
        }
    }

    /// Appends an operation.
    ///
    /// # Errors
    /// If the temporary file cannot be written.
    pub fn push(&mut self, op: Op) -> io::Result<()> {
        self.len += 1;
        if self.memory.len() < self.memory_ops {
            self.memory.push(op.to_words());
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BufWriter::new(tempfile::tempfile()?)),
        };
        for word in op.to_words() {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(())
    }

    /// Returns how many operations there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes all operations readable.
    ///
    /// # Errors
    /// If the temporary file cannot be written to its end.
    pub fn finish(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }

    /// Returns a cursor on operation `first`. [`Spool::finish`] must have been called since the last
    /// [`Spool::push`]. Any number of cursors can read at once.
    #[must_use]
    pub fn cursor(&self, first: u64) -> Cursor<'_> {
        Cursor {
            spool: self,
            next: first,
            chunk: Vec::new(),
            chunk_first: 0,
        }
    }
}

/// Operations read from the file at a time.
const CHUNK_OPS: u64 = 4096;
/// Bytes of an operation in the file.
const OP_BYTES: usize = WORDS * 8;

/// A reader of a [`Spool`].
#[derive(Debug)]
pub struct Cursor<'a> {
    spool: &'a Spool,
    next: u64,
    chunk: Vec<u8>,
    chunk_first: u64,
}

impl Cursor<'_> {
    /// Returns the number of the operation that comes next.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.next
    }

    /// Goes to operation `next`.
    pub const fn seek(&mut self, next: u64) {
        self.next = next;
    }

    /// Returns the next operation; `None` after the last.
    ///
    /// # Errors
    /// If the temporary file cannot be read back.
    pub fn next_op(&mut self) -> io::Result<Option<Op>> {
        if self.next >= self.spool.len {
            return Ok(None);
        }
        let index = usize::try_from(self.next).unwrap_or(usize::MAX);
        if let Some(words) = self.spool.memory.get(index) {
            self.next += 1;
            return Ok(Some(Op::from_words(words)));
        }
        let in_file = self.next - self.spool.memory.len() as u64;
        let first = in_file / CHUNK_OPS * CHUNK_OPS;
        if self.chunk.is_empty() || first != self.chunk_first {
            self.read_chunk(first)?;
        }
        let at = usize::try_from(in_file - first).unwrap_or(0) * OP_BYTES;
        let mut words = [0; WORDS];
        let bytes = self.chunk[at..at + OP_BYTES].chunks_exact(8);
        for (word, bytes) in words.iter_mut().zip(bytes) {
            *word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
        }
        self.next += 1;
        Ok(Some(Op::from_words(&words)))
    }

    fn read_chunk(&mut self, first: u64) -> io::Result<()> {
        let in_file = self.spool.len - self.spool.memory.len() as u64;
        let ops = (in_file - first).min(CHUNK_OPS);
        let Some(file) = &self.spool.file else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let bytes = usize::try_from(ops).unwrap_or(0) * OP_BYTES;
        self.chunk.resize(bytes, 0);
        file.get_ref()
            .read_exact_at(&mut self.chunk, first * OP_BYTES as u64)?;
        self.chunk_first = first;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::replay::op::OpKind;

    use super::*;

    #[test]
    fn what_does_not_fit_into_memory_comes_back_from_a_file_in_order() {
        let mut spool = Spool::with_memory(10);
        let op = |line| Op {
            time_ns: line * 3,
            line,
            cpu: 1,
            task: 2,
            pid: 3,
            kind: OpKind::Lost,
        };
        for line in 0..1000_u64 {
            spool.push(op(line)).expect("a temporary file");
        }
        spool.finish().expect("a temporary file");
        let mut cursor = spool.cursor(0);
        for _ in 0..2 {
            cursor.seek(0);
            let mut found = Vec::new();
            while let Some(op) = cursor.next_op().expect("a temporary file") {
                found.push(op);
            }
            assert_eq!(found, (0..1000).map(op).collect::<Vec<_>>());
        }
        cursor.seek(500);
        assert_eq!(cursor.next_op().expect("a temporary file"), Some(op(500)));
        spool.push(op(1000)).expect("a temporary file");
        assert_eq!(spool.len(), 1001);
    }
}
