//! What every command is given.

use switchback_face::Exit;
use switchback_schemas::codes::Code;

use crate::{environment::Environment, error::Error, terminal::Terminal};

/// The machine that a command runs on, and the people before it.
pub(crate) struct Host {
    /// What the environment says.
    pub(crate) environment: Environment,
    /// Where answers and remarks go.
    pub(crate) terminal: Terminal,
}

impl Host {
    /// Answers.
    pub(crate) fn answer(&mut self, text: &str) -> Result<(), Error> {
        self.terminal.out.text(text).map_err(Error::Write)
    }

    /// Remarks, on a line of its own.
    pub(crate) fn remark(&mut self, line: &str) -> Result<(), Error> {
        self.terminal.err.line(line).and_then(|()| self.terminal.err.flush()).map_err(Error::Write)
    }

    /// Ends a command that failed, as its answer says, with the code and what to do next.
    pub(crate) fn failed(&mut self, code: Code, help: &str) -> Result<Exit, Error> {
        self.terminal.code(code, help).map_err(Error::Write)?;
        Ok(Exit::Failed)
    }

    /// Host and process, for the journal.
    pub(crate) fn holder(&self) -> String {
        let host = self.environment.host.as_deref().unwrap_or("localhost");
        format!("{host}, process {}", std::process::id())
    }
}
