//! `status`: where runs stand and what they wait for.

use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;
use switchback_executor::{
    env::{Clock as _, SystemClock},
    ops,
};
use switchback_face::{
    Exit,
    table::{self, Column},
};
use switchback_schemas::report::Report;

use crate::{
    args::{PlatformArgs, RunArgs},
    error::Error,
    host::Host,
    platform::Platform,
    show::{account, words},
    store,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Lists every run of the store
    #[arg(long, conflicts_with = "run")]
    all: bool,
    /// The kubeconfig of the run's platform; only the clock is taken from it, where the platform is a twin
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// How to answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.run.store, &host.environment)?;
    if args.all {
        return all(&ops::runs(&*opened.store).await?, args.format, host);
    }
    let run = store::chosen(&args.run, &*opened.store).await?;
    let report = ops::status(&*opened.store, &run).await?;
    let text = match args.format {
        Format::Text => account::status(&report, now(args, host)?, host.terminal.out.look()),
        Format::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    host.answer(&text)?;
    Ok(Exit::Success)
}

/// What time it is where the run is. A cluster that nobody named is not needed to tell where a run stands.
fn now(args: &Args, host: &Host) -> Result<Timestamp, Error> {
    let platform = PlatformArgs { kubeconfig: args.kubeconfig.clone(), ..PlatformArgs::default() };
    match Platform::find(&platform, &host.environment) {
        Ok(Some(platform)) => Ok(platform.clock.now()),
        Err(error) if args.kubeconfig.is_some() => Err(error),
        Ok(None) | Err(_) => Ok(SystemClock.now()),
    }
}

type Listed = (switchback_schemas::RunId, Result<Report, switchback_executor::runtime::RunError>);

/// A run that cannot be read is a line of its own and hides no other.
fn all(runs: &[Listed], format: Format, host: &mut Host) -> Result<Exit, Error> {
    let unreadable = runs.iter().any(|(_, report)| report.is_err());
    let text = match format {
        Format::Json => {
            let readable: Vec<&Report> = runs.iter().filter_map(|(_, report)| report.as_ref().ok()).collect();
            serde_json::to_string_pretty(&readable)? + "\n"
        }
        Format::Text => {
            let row = |(run, report): &Listed| match report {
                Ok(report) => [
                    run.to_string(),
                    report.platform.to_string(),
                    report.started.to_string(),
                    words::state(&report.state),
                ],
                Err(error) => [run.to_string(), String::new(), String::new(), format!("unreadable: {error}")],
            };
            let columns = ["RUN", "PLATFORM", "STARTED", "STATE"].map(Column::text);
            table::render(&columns, runs.iter().map(row), host.terminal.out.look())
        }
    };
    host.answer(&text)?;
    Ok(if unreadable { Exit::Failed } else { Exit::Success })
}
