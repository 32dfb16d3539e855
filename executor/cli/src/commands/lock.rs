//! `lock`: which run holds which platform, and which process works on which run.

use clap::Subcommand;
use switchback_executor::{ops, store::claims};
use switchback_face::{
    Exit,
    table::{self, Column},
};

use crate::{
    args::StoreArgs,
    error::Error,
    host::Host,
    show::words,
    store::{self, Opened},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists claims
    List(StoreArgs),
    /// Says what a claim and a lease are, and how each ends
    Explain(StoreArgs),
}

const EXPLAINED: &str = "\
A claim says that a platform belongs to a run, from its first effect until it is over. It has no time limit: a run that \
waits for days still holds it. It ends when the run is complete, when it is back at a savepoint, when a plan that continues \
it takes it over, or by `abandon`.

A lease says that a process is working on a run. The operating system ends it with the process, however that died, so \
there is nothing to clear: `apply` takes the run up again.
";

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let (What::List(store) | What::Explain(store)) = &args.what;
    let opened = store::open(store, &host.environment)?;
    if matches!(args.what, What::Explain(_)) {
        host.answer(EXPLAINED)?;
        host.answer("\n")?;
    }
    let rows = rows(&opened).await?;
    if rows.is_empty() {
        host.answer("no platform is claimed\n")?;
        return Ok(Exit::Success);
    }
    let columns = ["PLATFORM", "RUN", "STATE", "SINCE", "ENDS BY"].map(Column::text);
    let text = table::render(&columns, rows, host.terminal.out.look());
    host.answer(&text)?;
    Ok(Exit::Success)
}

async fn rows(opened: &Opened) -> Result<Vec<[String; 5]>, Error> {
    let mut rows = Vec::new();
    for platform in opened.store.claims().await? {
        let Some(run) = claims::holder(&*opened.store, &platform).await? else { continue };
        let (state, since, ends) = match ops::status(&*opened.store, &run).await {
            Ok(report) => (
                words::state(&report.state),
                report.started.to_string(),
                "apply, rollback or abandon".to_owned(),
            ),
            Err(error) => ("unreadable".to_owned(), String::new(), error.to_string()),
        };
        rows.push([platform.to_string(), run.to_string(), state, since, ends]);
    }
    Ok(rows)
}
