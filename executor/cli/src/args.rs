//! The command line, as it was typed.

use std::path::PathBuf;

use clap::{
    Parser,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use jiff::Timestamp;
use switchback_executor::env::{Clock as _, SystemClock};
use switchback_face::ColorChoice;
use switchback_schemas::RunId;

use crate::{commands::Command, environment::Environment, error::Error, platform::Platform};

/// Runs plans: observes, applies, goes back. `switchback` hands over to it.
#[derive(Debug, Parser)]
#[command(name = "switchback-exec", version, about, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Colour in text; `auto` is on a terminal, unless `NO_COLOR` is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value_t,
        value_parser = PossibleValuesParser::new(ColorChoice::NAMES).try_map(|name| name.parse::<ColorChoice>())
    )]
    pub(crate) color: ColorChoice,
    /// Prints the formats that this build speaks, for `switchback`
    #[arg(long, exclusive = true)]
    pub(crate) contract: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
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
    /// The run; the only one that is not over when left out
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
    /// A name that nobody checks, instead of what the API server says of the credentials
    #[arg(long, value_name = "NAME")]
    pub(crate) asserted: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_holds() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_contract_needs_no_command() {
        assert!(Args::try_parse_from(["switchback-exec", "--contract"]).is_ok_and(|args| args.contract));
        assert!(Args::try_parse_from(["switchback-exec"]).is_err());
    }
}
