//! The command line, as it was typed.

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use jiff::Timestamp;
use switchback_executor::env::{Clock as _, SystemClock};
use switchback_face::{ColorChoice, commands::described};
use switchback_schemas::RunId;

use crate::{commands::Command, environment::Environment, error::Error, platform::Platform};

/// Runs plans: observes, applies, goes back. `switchback` hands over to it.
#[derive(Debug, Parser)]
#[command(name = "switchback-exec", version, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Colour in text: auto (on a terminal, unless `NO_COLOR` is set), always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    pub(crate) color: ColorChoice,
    /// Prints the formats that this build speaks, for `switchback`
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

/// Which cluster.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct PlatformArgs {
    /// The kubeconfig; without it that of `KUBECONFIG`, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one when left out
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The helm to call; that on PATH when left out, and a twin's own on a twin
    #[arg(long, value_name = "FILE")]
    pub(crate) helm: Option<PathBuf>,
}

/// Where runs are kept.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct StoreArgs {
    /// Where runs are kept; without it `SWITCHBACK_STORE`, else the user's state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
}

/// Which run.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The run; may be left out if only one can be meant
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<RunId>,
}

/// By whose time dates are judged.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TimeArgs {
    /// The kubeconfig of a twin, by whose clock dates are judged
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

impl TimeArgs {
    /// The time there, or here.
    pub(crate) fn now(&self, environment: &Environment) -> Result<Timestamp, Error> {
        let Some(kubeconfig) = self.kubeconfig.clone() else { return Ok(SystemClock.now()) };
        let platform = PlatformArgs { kubeconfig: Some(kubeconfig), ..PlatformArgs::default() };
        Ok(Platform::open(&platform, environment)?.clock.now())
    }
}

/// Who says something to a run.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SpeakerArgs {
    #[command(flatten)]
    pub(crate) platform: PlatformArgs,
    /// Act as NAME without verification, instead of as whom the API server says
    #[arg(long, value_name = "NAME")]
    pub(crate) asserted: Option<String>,
}

#[cfg(test)]
mod tests {
    use switchback_face::commands::{COMMANDS, Program};

    use super::*;

    #[test]
    fn the_grammar_holds() {
        described(Args::command()).debug_assert();
    }

    #[test]
    fn every_command_of_the_table_is_here_and_no_other() {
        let program = described(Args::command());
        let here: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
        let table = COMMANDS.iter().filter(|entry| entry.by != Program::Switchback);
        assert_eq!(here, table.map(|entry| entry.name).collect::<Vec<_>>());
    }

    #[test]
    fn the_contract_needs_no_command() {
        assert!(Args::try_parse_from(["switchback-exec", "--contract"]).is_ok_and(|args| args.contract));
        assert!(Args::try_parse_from(["switchback-exec"]).is_err());
    }
}
