//! `report`: the account of a run.

use switchback_executor::runs;
use switchback_face::{Exit, Page};
use switchback_schemas::plan::Plan;

use crate::{
    args::{RunArgs, TimeArgs},
    error::Error,
    host::Host,
    platform::now,
    show::account,
    store,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    time: TimeArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Page,
    /// One line for each hop only
    #[arg(long)]
    brief: bool,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.run.store, &host.environment)?;
    let run = store::chosen(&args.run, &*opened.store).await?;
    let report = runs::status(&*opened.store, &run).await?;
    let now = now(&args.time, &host.environment)?;
    let text = match args.format {
        Page::Text if args.brief => {
            let plan =
                Plan::from_json(&opened.store.plan(&run).await?).map_err(|error| Error::Run(error.into()))?;
            account::brief(&report, &plan, now, host.terminal.out.look())
        }
        Page::Text => account::text(&report, now, host.terminal.out.look()),
        Page::Markdown => account::markdown(&report, now),
        Page::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    host.answer(&text)?;
    Ok(Exit::Success)
}
