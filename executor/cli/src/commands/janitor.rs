//! `janitor`: what runs left behind, by name, each with what clears it. Changes nothing by itself: a run that is not over
//! clears its own when it is taken up; what a run that is over left was handed to a person.

use switchback_executor::ops;
use switchback_face::{Exit, terminal::Failure as _};
use switchback_schemas::RunId;

use crate::{args::RunArgs, error::Error, host::Host, store};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.run.store, &host.environment)?;
    let runs = match &args.run.run {
        Some(run) => vec![run.clone()],
        None => opened.store.runs().await?,
    };
    let mut clean = true;
    for run in &runs {
        // A run that cannot be read must not hide what the others left.
        let text = match left_by(&*opened.store, run).await {
            Ok(text) => text,
            Err(error) => format!("run {run}: cannot be read: {}\n", error.chain()),
        };
        clean &= text.is_empty();
        host.answer(&text)?;
    }
    if clean {
        host.answer("nothing is left behind\n")?;
    }
    Ok(if clean { Exit::Success } else { Exit::Failed })
}

async fn left_by(store: &dyn switchback_executor::store::Store, run: &RunId) -> Result<String, Error> {
    let left = ops::leftovers(store, run).await?;
    let over = ops::is_over(&ops::status(store, run).await?);
    let brackets = left.brackets.iter().map(|(bracket, owner, command)| {
        format!("  bracket {bracket} is open; {owner} closes it by: {command}\n")
    });
    let nodes = left.nodes.iter().map(|node| {
        format!("  node {node} is cordoned by this run; if it is to stay: kubectl uncordon {node}\n")
    });
    let doubts = left.in_doubt.iter().map(|at| format!("  {at} may or may not have happened\n"));
    let residue = left.residue.iter().filter(|_| over).map(|line| format!("  {line}\n"));
    let text: String = brackets.chain(nodes).chain(doubts).chain(residue).collect();
    if text.is_empty() {
        return Ok(text);
    }
    let help =
        if over { "it is over, so a person clears these" } else { "`apply` or `rollback` goes on from here" };
    Ok(format!("run {run}: {help}\n{text}"))
}
