//! The one place that reads the environment.

use std::{ffi::OsString, io::IsTerminal};

use switchback_face::terminal::Surroundings;

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Environment {
    /// What it says of the two streams.
    pub(crate) around: Surroundings,
    /// `PATH`.
    pub(crate) path: Option<OsString>,
}

impl Environment {
    /// Reads it.
    #[expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]
    pub(crate) fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (stdout, stderr) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Self { around: Surroundings::of(text, stdout, stderr), path: std::env::var_os("PATH") }
    }
}
