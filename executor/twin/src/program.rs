//! Programs as the twin plays them.

use std::collections::BTreeMap;
use std::time::Duration;

/// A program call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramCall {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Files it may read, by the path its arguments name.
    pub files: BTreeMap<String, String>,
}

impl ProgramCall {
    /// A call without environment and files.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// With a file.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, content: impl Into<String>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }
}

/// How it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramResult {
    /// Exit code; 137 where it was killed, 64 where the twin does not play it.
    pub exit: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
    /// Domain time it took; the clock has moved by it.
    pub took: Duration,
}

impl ProgramResult {
    pub(crate) fn ok(stdout: impl Into<String>) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    pub(crate) fn failed(exit: i32, stderr: String) -> Self {
        Self { exit, stderr, ..Self::default() }
    }

    pub(crate) fn not_simulated(what: impl std::fmt::Display) -> Self {
        Self::failed(64, format!("not simulated: {what}\n"))
    }
}
