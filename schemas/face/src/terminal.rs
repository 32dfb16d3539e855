//! The two streams that a command writes to, and how it ends.

use std::{
    error::Error,
    io::{self, Stderr, Stdout},
};

use switchback_schemas::codes::{self, Code};

use crate::{ColorChoice, Exit, Look, Output, SafeText};

/// Columns to assume, and the widest that text is laid out for.
const WIDTH: std::ops::RangeInclusive<usize> = 60..=120;
const DEFAULT_WIDTH: usize = 100;

/// What the environment says of the two streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `NO_COLOR`.
    pub no_color: Option<String>,
    /// `TERM`.
    pub term: Option<String>,
    /// `COLUMNS`, if it is a number.
    pub columns: Option<usize>,
    /// Whether the locale is a UTF-8 one; without any locale too, since that is what containers have.
    pub unicode: bool,
    /// Whether standard output is a terminal.
    pub stdout: bool,
    /// Whether standard error is a terminal.
    pub stderr: bool,
}

impl Surroundings {
    /// From the variables of the environment and from what the streams are.
    pub fn of(variable: impl Fn(&str) -> Option<String>, stdout: bool, stderr: bool) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(&variable);
        let utf8 = |locale: &String| locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        Self {
            no_color: variable("NO_COLOR"),
            term: variable("TERM"),
            columns: variable("COLUMNS").and_then(|columns| columns.parse().ok()),
            unicode: locale.as_ref().is_none_or(utf8),
            stdout,
            stderr,
        }
    }

    /// What a stream can show.
    fn look(&self, color: ColorChoice, terminal: bool) -> Look {
        let width = self.columns.unwrap_or(DEFAULT_WIDTH).clamp(*WIDTH.start(), *WIDTH.end());
        Look {
            color: color.decide(terminal, self.no_color.as_deref(), self.term.as_deref()),
            // Files and pipes are UTF-8 whatever the terminal is.
            unicode: self.unicode || !terminal,
            width: if terminal { width } else { DEFAULT_WIDTH },
        }
    }
}

/// Why a command could not do what it was asked.
pub trait Failure: Error {
    /// The answer could not be written.
    fn unwritten(source: io::Error) -> Self;

    /// How the command ends with it.
    fn exit(&self) -> Exit;

    /// The code under which it is explained.
    fn code(&self) -> Code;

    /// What to do next.
    fn help(&self) -> String;

    /// What is shown of it: the code, what happened, what to do next.
    fn told(&self) -> String {
        let help = SafeText::line(&self.help(), 2_000);
        format!("error {}: {}\n  help: {help}", self.code(), self.chain())
    }

    /// The error and what caused it, on one line. What stands in it already is not said twice.
    fn chain(&self) -> SafeText {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        SafeText::line(&text, 2_000)
    }
}

/// Where answers and remarks go.
#[derive(Debug)]
pub struct Terminal {
    /// Standard output: what was asked for.
    pub out: Output<Stdout>,
    /// Standard error: remarks and failures.
    pub err: Output<Stderr>,
}

impl Terminal {
    /// The streams of this process.
    pub fn new(color: ColorChoice, around: &Surroundings) -> Self {
        Self {
            out: Output::new(io::stdout(), around.look(color, around.stdout)),
            err: Output::new(io::stderr(), around.look(color, around.stderr)),
        }
    }

    /// Ends an answer that itself tells of a failure: its code, and what to do next.
    pub fn code(&mut self, code: Code, help: &str) -> io::Result<()> {
        let title = Code::find(code.as_str()).map_or("", |entry| entry.title);
        self.out.flush()?;
        self.err.line(&format!("error {code}: {title}\n  help: {help}"))?;
        self.err.flush()
    }

    /// Shows a help, a version or a wrong use, and how the command ends with it.
    pub fn usage(error: &clap::Error) -> Exit {
        // A help text that nobody reads to its end was read far enough.
        let _ = error.print();
        if !error.use_stderr() {
            return Exit::Success;
        }
        let mut err = Output::new(io::stderr(), Look::PLAIN);
        let _ = err.line(&format!("\ncode: {}", codes::COMMAND_USAGE));
        Exit::Usage
    }

    /// Says what went wrong, if anything did, and hands the text over.
    pub fn end<F: Failure>(&mut self, result: Result<Exit, F>) -> Exit {
        let result = result.and_then(|exit| self.out.flush().map(|()| exit).map_err(F::unwritten));
        match result {
            Ok(exit) => exit,
            Err(error) => {
                // There is no third stream to complain to.
                let _ = self.err.line(&error.told());
                let _ = self.err.flush();
                error.exit()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(variables: &[(&str, &str)], terminal: bool) -> Surroundings {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Surroundings::of(variable, terminal, terminal)
    }

    #[test]
    fn a_narrow_terminal_is_laid_out_for_and_a_pipe_is_not() {
        let narrow = [("COLUMNS", "20"), ("LANG", "C"), ("NO_COLOR", "1")];
        let look = around(&narrow, true).look(ColorChoice::Auto, true);
        assert_eq!(look, Look { color: false, unicode: false, width: 60 });
        let look = around(&narrow, false).look(ColorChoice::Always, false);
        assert_eq!(look, Look { color: true, unicode: true, width: DEFAULT_WIDTH });
        assert!(around(&[("LC_ALL", "en_US.UTF-8"), ("LANG", "C")], true).unicode);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("it failed: no room")]
    struct Full(#[source] io::Error);

    impl Failure for Full {
        fn unwritten(source: io::Error) -> Self {
            Self(source)
        }

        fn exit(&self) -> Exit {
            Exit::Failed
        }

        fn code(&self) -> Code {
            codes::COMMAND_OUTPUT
        }

        fn help(&self) -> String {
            "free some".to_owned()
        }
    }

    #[test]
    fn a_failure_is_told_with_its_code_and_what_to_do_next() {
        let told = Full(io::Error::other("no room")).told();
        assert_eq!(told, "error SB0705: it failed: no room\n  help: free some");
    }

    #[test]
    fn a_cause_that_was_said_already_is_not_said_again() {
        assert_eq!(Full(io::Error::other("no room")).chain().to_string(), "it failed: no room");
        assert_eq!(Full(io::Error::other("really")).chain().to_string(), "it failed: no room: really");
    }
}
