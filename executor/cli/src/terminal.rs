//! The two streams that a command writes to, and how it ends.

use std::io::{self, Stderr, Stdout};

use switchback_face::{ColorChoice, Exit, Look, Output};

use crate::{environment::Environment, error::Error};

/// Columns to assume, and the widest that text is laid out for.
const WIDTH: std::ops::RangeInclusive<usize> = 60..=120;
const DEFAULT_WIDTH: usize = 100;

/// Where answers and remarks go.
pub(crate) struct Terminal {
    /// Standard output: what was asked for.
    pub(crate) out: Output<Stdout>,
    /// Standard error: remarks and failures.
    pub(crate) err: Output<Stderr>,
}

impl Terminal {
    pub(crate) fn new(color: ColorChoice, environment: &Environment) -> Self {
        let width = environment.columns.unwrap_or(DEFAULT_WIDTH).clamp(*WIDTH.start(), *WIDTH.end());
        let look = |terminal: bool| Look {
            color: color.decide(terminal, environment.no_color.as_deref(), environment.term.as_deref()),
            // Files and pipes are UTF-8 whatever the terminal is.
            unicode: environment.unicode || !terminal,
            width: if terminal { width } else { DEFAULT_WIDTH },
        };
        Self {
            out: Output::new(io::stdout(), look(environment.stdout)),
            err: Output::new(io::stderr(), look(environment.stderr)),
        }
    }

    /// Says what went wrong, if anything did, and hands the text over.
    pub(crate) fn end(&mut self, result: Result<Exit, Error>) -> Exit {
        let result = result.and_then(|exit| self.out.flush().map(|()| exit).map_err(Error::Write));
        match result {
            Ok(exit) => exit,
            Err(error) => {
                // There is no third stream to complain to.
                let _ = self.err.line(&format!("error: {}", error.chain()));
                let _ = self.err.flush();
                error.exit()
            }
        }
    }
}
