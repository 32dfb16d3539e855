//! `status`: where runs stand and what they wait for.

use switchback_executor::runs;
use switchback_face::{
    Answer, Exit,
    table::{self, Column},
};
use switchback_schemas::{
    journal::WaitsFor,
    report::{Report, RunState},
};

use crate::{
    args::{RunArgs, TimeArgs},
    error::Error,
    host::Host,
    platform::now,
    show::{account, labels},
    store,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// List every run of the store
    #[arg(long, conflicts_with = "run")]
    all: bool,
    #[command(flatten)]
    time: TimeArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Answer,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.run.store, &host.environment)?;
    if args.all {
        return all(&runs::list(&*opened.store).await?, args.format, host);
    }
    let run = store::chosen(&args.run, &*opened.store).await?;
    let mut report = runs::status(&*opened.store, &run).await?;
    let now = now(&args.time, &host.environment)?;
    let is_approval = |waits: &WaitsFor| matches!(waits, WaitsFor::Approval { .. });
    // Only what is parked for an approval is read again, with who has given which.
    if matches!(&report.state, RunState::Parked { waits_for, .. } if waits_for.iter().any(is_approval)) {
        report.awaited = runs::awaited(&*opened.store, &run, now.max(report.last)).await?;
    }
    let text = match args.format {
        Answer::Text => account::status(&report, now, host.terminal.out.look()),
        Answer::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    host.answer(&text)?;
    Ok(Exit::Success)
}

type Listed = (switchback_schemas::RunId, Result<Report, switchback_executor::runtime::RunError>);

/// A run that cannot be read is a line of its own and hides no other.
fn all(runs: &[Listed], format: Answer, host: &mut Host) -> Result<Exit, Error> {
    let text = match format {
        Answer::Json => {
            let readable: Vec<&Report> = runs.iter().filter_map(|(_, report)| report.as_ref().ok()).collect();
            serde_json::to_string_pretty(&readable)? + "\n"
        }
        Answer::Text => {
            let row = |(run, report): &Listed| match report {
                Ok(report) => [
                    run.to_string(),
                    report.platform.to_string(),
                    report.started.to_string(),
                    labels::state(&report.state),
                ],
                Err(error) => [run.to_string(), String::new(), String::new(), format!("unreadable: {error}")],
            };
            let columns = ["RUN", "PLATFORM", "STARTED", "STATE"].map(Column::text);
            table::render(&columns, runs.iter().map(row), host.terminal.out.look())
        }
    };
    host.answer(&text)?;
    host.terminal.out.flush().map_err(Error::Write)?;
    let mut exit = Exit::Success;
    for (run, error) in runs.iter().filter_map(|(run, report)| Some((run, report.as_ref().err()?))) {
        exit = Exit::Failed;
        host.remark(&format!(
            "error {}: run {run} cannot be read: {error}\n  help: {}",
            error.code(),
            error.help()
        ))?;
    }
    Ok(exit)
}
