//! The one place that reads the environment.

use std::{ffi::OsString, io::IsTerminal};

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Environment {
    /// `NO_COLOR`.
    pub(crate) no_color: Option<String>,
    /// `TERM`.
    pub(crate) term: Option<String>,
    /// `PATH`.
    pub(crate) path: Option<OsString>,
    /// `COLUMNS`, if it is a number.
    pub(crate) columns: Option<usize>,
    /// Whether the locale is a UTF-8 one; without any locale too, since that is what containers have.
    pub(crate) unicode: bool,
    /// Whether standard output is a terminal.
    pub(crate) stdout: bool,
    /// Whether standard error is a terminal.
    pub(crate) stderr: bool,
}

impl Environment {
    /// Reads it.
    #[expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]
    pub(crate) fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(text);
        let utf8 = |locale: &String| locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        Self {
            no_color: text("NO_COLOR"),
            term: text("TERM"),
            path: std::env::var_os("PATH"),
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
            unicode: locale.as_ref().is_none_or(utf8),
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        }
    }
}
