//! The command line, as it was typed.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, CommandFactory as _, FromArgMatches as _, Parser, builder::ValueParser};
use switchback_face::{
    GlobalOptions,
    commands::{self, COMMANDS, Entry},
};

use crate::{commands::Own, forward::Forward};

/// Compiles upgrade manifests to plans that people review as a diff.
#[derive(Debug, Parser)]
#[command(
    name = "switchback",
    version,
    max_term_width = 110,
    propagate_version = true,
    subcommand_required = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) options: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Own,
}

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// One of this program's commands.
    Own(Box<Args>),
    /// A command of `switchback-exec`.
    Forward(Forward),
}

/// Reads a command line. The error is clap's: help, version or a wrong use.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Parsed, clap::Error> {
    let matches = command().try_get_matches_from(line)?;
    if let Some((name, after)) = matches.subcommand()
        && commands::find(name).is_some_and(Entry::is_forwarded)
    {
        let options = GlobalOptions::from_arg_matches(&matches)?;
        let rest = after.get_many::<OsString>(REST).into_iter().flatten().cloned();
        let words = std::iter::once(OsString::from(name)).chain(rest).collect();
        return Ok(Parsed::Forward(Forward { options, words }));
    }
    Args::from_arg_matches(&matches)
        .map(|args| Parsed::Own(Box::new(args)))
        .map_err(|error| error.format(&mut command()))
}

const REST: &str = "rest";

/// The whole grammar: own commands from their types, forwarded ones with their arguments unread, so that their help
/// is that of the program which runs them.
fn command() -> Command {
    let rest = Arg::new(REST)
        .num_args(0..)
        .action(ArgAction::Append)
        .trailing_var_arg(true)
        .allow_hyphen_values(true)
        .value_parser(ValueParser::os_string())
        .hide(true);
    let forwarded = COMMANDS.iter().filter(|entry| entry.is_forwarded());
    let forwarded = forwarded.map(|entry| {
        Command::new(entry.name).disable_help_flag(true).disable_version_flag(true).arg(rest.clone())
    });
    commands::described(Args::command().subcommands(forwarded))
}

#[cfg(test)]
mod tests {
    use switchback_face::commands::Program;

    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_grammar_holds() {
        command().debug_assert();
    }

    #[test]
    fn forwarded_words_arrive_untouched() {
        for rest in [
            "apply plan.json",
            "apply --help",
            "apply --version",
            "rollback --step a/b -- -x",
            "status",
            "demo -v --color never",
        ] {
            match parse(words(&format!("switchback {rest}"))) {
                Ok(Parsed::Forward(forward)) => assert_eq!(forward.words, words(rest)),
                other => panic!("{rest}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_command_of_the_table_is_here_and_no_other() {
        let program = command();
        let here: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
        let table = COMMANDS.iter().filter(|entry| entry.by != Program::Internal);
        assert_eq!(here, table.map(|entry| entry.name).collect::<Vec<_>>());
    }

    #[test]
    fn other_names_lead_to_the_command() {
        let Ok(Parsed::Forward(forward)) = parse(words("switchback resume --reason x")) else {
            panic!("resume is continue")
        };
        assert_eq!(forward.words, words("continue --reason x"));
        assert!(matches!(parse(words("switchback validate a.yaml")), Ok(Parsed::Own(_))));
    }

    #[test]
    fn unknown_commands_are_refused() {
        let error = parse(words("switchback aply plan.json")).expect_err("no such command");
        assert!(error.to_string().contains("apply"), "{error}");
    }
}
