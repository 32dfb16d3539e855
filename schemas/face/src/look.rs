//! What the place that text goes to can show.

use clap::ValueEnum;

/// What a terminal, a log or a file can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours and bold, as ANSI sequences.
    pub color: bool,
    /// Box-drawing characters and arrows instead of ASCII.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
}

impl Look {
    /// For files, goldens and tests: no colour, Unicode, 100 columns.
    pub const PLAIN: Self = Self { color: false, unicode: true, width: 100 };

    /// For places that show ASCII only.
    pub const ASCII: Self = Self { unicode: false, ..Self::PLAIN };
}

/// What a person asked for with `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// Colour on a terminal, unless the environment speaks against it.
    #[default]
    Auto,
    /// Colour anywhere.
    Always,
    /// No colour.
    Never,
}

impl ColorChoice {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// Whether to use colour. `no_color` and `term` are the values of `NO_COLOR` and `TERM`; `NO_COLOR` counts when it
    /// is set and not empty (no-color.org).
    pub fn decide(self, terminal: bool, no_color: Option<&str>, term: Option<&str>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && no_color.is_none_or(str::is_empty) && term != Some("dumb"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_and_no_objection() {
        let auto = ColorChoice::Auto;
        assert!(auto.decide(true, None, Some("xterm")));
        assert!(auto.decide(true, Some(""), None));
        assert!(!auto.decide(true, Some("1"), None));
        assert!(!auto.decide(true, None, Some("dumb")));
        assert!(!auto.decide(false, None, None));
        assert!(ColorChoice::Always.decide(false, Some("1"), None));
        assert!(!ColorChoice::Never.decide(true, None, None));
    }
}
