//! The handle that everything is written through: nothing of it moves a cursor, rings, hides or turns around what stands
//! beside it, wherever the text came from. A reader that closes its pipe early (`| head`) has what it wanted: that is
//! success, not a crash.

use std::io::{self, ErrorKind, Write};

use crate::{Look, safe};

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

    /// Writes text. What must not be shown is written as JSON escapes it, so that it is seen, and JSON stays what it is.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.try_to(|to| to.write_all(safe::escaped(text).as_bytes()))
    }

    /// Writes a line in the same way.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        self.try_to(|to| {
            to.write_all(safe::escaped(line).as_bytes())?;
            to.write_all(b"\n")
        })
    }

    /// Writes text that was coloured here: its colours stay. What is foreign in it has to be a [`crate::SafeText`].
    pub fn colored(&mut self, text: &str) -> io::Result<()> {
        self.try_to(|to| to.write_all(safe::escaped_but_colors(text).as_bytes()))
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
    fn e7_what_is_written_cannot_speak_to_a_terminal() {
        let written = |write: fn(&mut Output<Vec<u8>>) -> io::Result<()>| {
            let mut output = Output::new(Vec::new(), Look::PLAIN);
            write(&mut output).unwrap();
            String::from_utf8(output.into_inner()).unwrap()
        };
        let text = written(|out| out.text("a\u{1b}[2J\u{202e}\u{e0041}\r\n\tb\n"));
        assert_eq!(text, "a\\u001b[2J\\u202e\\udb40\\udc41\\u000d\n\tb\n");
        assert_eq!(written(|out| out.line("\u{9b}31m\u{7}")), "\\u009b31m\\u0007\n");
        let colored = written(|out| out.colored("\u{1b}[1;31mred\u{1b}[0m\u{1b}[2J\u{1b}[31\u{202e}"));
        assert_eq!(colored, "\u{1b}[1;31mred\u{1b}[0m\\u001b[2J\\u001b[31\\u202e");
    }

    #[test]
    fn what_is_escaped_in_json_is_the_same_to_a_program() {
        let value = serde_json::json!({"a\u{202e}": "\u{1b}\u{e0041}\u{7f}"});
        let mut output = Output::new(Vec::new(), Look::PLAIN);
        output.text(&value.to_string()).unwrap();
        let text = String::from_utf8(output.into_inner()).unwrap();
        assert!(text.is_ascii(), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_full_disk_is_not() {
        let mut output = Output::new(Reader { takes: 0, kind: ErrorKind::StorageFull }, Look::PLAIN);
        assert!(output.line("x").is_err());
    }
}
