//! What the place that text goes to can show.

use std::{fmt, str::FromStr};

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

/// What a person asked for with `--color`, by the names `auto`, `always` and `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// Colour on a terminal, unless the environment speaks against it.
    #[default]
    Auto,
    /// Colour anywhere.
    Always,
    /// No colour.
    Never,
}

/// A name that is none of a colour choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is auto, always or never")]
pub struct UnknownChoice;

impl FromStr for ColorChoice {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, UnknownChoice> {
        [Self::Auto, Self::Always, Self::Never]
            .into_iter()
            .find(|choice| choice.name() == name)
            .ok_or(UnknownChoice)
    }
}

impl fmt::Display for ColorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ColorChoice {
    /// Every name.
    pub const NAMES: [&str; 3] = [Self::Auto.name(), Self::Always.name(), Self::Never.name()];

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
    fn every_choice_is_found_by_its_name() {
        let found = ColorChoice::NAMES.map(|name| name.parse::<ColorChoice>().map(ColorChoice::name));
        assert_eq!(found, ColorChoice::NAMES.map(Ok));
        assert_eq!("sometimes".parse::<ColorChoice>(), Err(UnknownChoice));
    }

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
