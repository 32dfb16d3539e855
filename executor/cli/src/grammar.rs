//! The command line, as it was typed.

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use switchback_face::{GlobalOptions, commands::described};

use crate::commands::Command;

/// Runs plans: observes, applies, rolls back. `switchback` hands over to it.
#[derive(Debug, Parser)]
#[command(
    name = "switchback-exec",
    version,
    max_term_width = 110,
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) options: GlobalOptions,
    /// Print the formats that this build speaks, for `switchback`
    #[arg(long, exclusive = true)]
    pub(crate) contract: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Args {
    /// Reads a command line. The error is clap's: help, version or a wrong use.
    pub(crate) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let grammar = || described(Self::command());
        let matches = grammar().try_get_matches_from(line)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut grammar()))
    }
}

#[cfg(test)]
mod tests {
    use switchback_face::commands::{COMMANDS, Needs, Program};

    use super::*;

    #[test]
    fn the_grammar_holds() {
        described(Args::command()).debug_assert();
    }

    #[test]
    fn every_command_of_the_table_is_here_and_no_other() {
        let program = described(Args::command());
        let here: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
        let table = COMMANDS.iter().filter(|entry| {
            entry.by != Program::Switchback && (cfg!(feature = "twin") || entry.needs != Needs::Twin)
        });
        assert_eq!(here, table.map(|entry| entry.name).collect::<Vec<_>>());
    }

    #[test]
    fn every_command_tells_its_version() {
        let line = ["switchback-exec", "apply", "--version"].map(OsString::from);
        let shown = Args::read(line).expect_err("nothing is applied");
        assert_eq!(shown.kind(), clap::error::ErrorKind::DisplayVersion);
    }

    #[test]
    fn the_contract_needs_no_command() {
        assert!(Args::try_parse_from(["switchback-exec", "--contract"]).is_ok_and(|args| args.contract));
        assert!(Args::try_parse_from(["switchback-exec"]).is_err());
    }
}
