//! The handle that everything is written through. A reader that closes its pipe early (`| head`) has what it wanted:
//! that is success, not a crash.

use std::io::{self, ErrorKind, Write};

use crate::Look;

/// Writes text to a stream until nobody reads it any more.
#[derive(Debug)]
pub struct Output<W> {
    to: W,
    look: Look,
    closed: bool,
}

impl<W: Write> Output<W> {
    /// Writes to a stream that can show this much.
    pub fn new(to: W, look: Look) -> Self {
        Self { to, look, closed: false }
    }

    /// What the stream can show.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Whether the reader has gone; further text is dropped.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes text as it is.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.try_to(|to| to.write_all(text.as_bytes()))
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        self.try_to(|to| {
            to.write_all(line.as_bytes())?;
            to.write_all(b"\n")
        })
    }

    /// Hands everything to the reader.
    pub fn flush(&mut self) -> io::Result<()> {
        self.try_to(W::flush)
    }

    /// The stream.
    pub fn into_inner(self) -> W {
        self.to
    }

    fn try_to(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match write(&mut self.to) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Reader {
        takes: usize,
        kind: ErrorKind,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.takes == 0 {
                return Err(self.kind.into());
            }
            self.takes -= 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let mut output = Output::new(Reader { takes: 1, kind: ErrorKind::BrokenPipe }, Look::PLAIN);
        assert!(output.text("read").is_ok());
        assert!(!output.is_closed());
        assert!(output.line("not read").is_ok());
        assert!(output.is_closed());
        assert!(output.flush().is_ok());
    }

    #[test]
    fn a_full_disk_is_not() {
        let mut output = Output::new(Reader { takes: 0, kind: ErrorKind::StorageFull }, Look::PLAIN);
        assert!(output.line("x").is_err());
    }
}
