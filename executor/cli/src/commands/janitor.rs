//! `janitor`: what runs left behind, by name, each with what clears it, and the clearing itself where a run that is over can
//! still take its own doing back. A run that is not over clears its own when it is taken up.

use switchback_executor::{runs, store::Store};
use switchback_face::{Exit, terminal::Failure as _};
use switchback_schemas::{RunId, codes, journal::Residue};

use super::operator::Operator;
use crate::{
    args::{OperatorArgs, RunArgs},
    error::Error,
    host::Host,
    platform::Platform,
    store,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Undo one thing that a run which has ended left, by name: a suspension, a node or a step
    #[arg(long, value_name = "NAME", requires = "reason")]
    fix: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", requires = "fix")]
    reason: Option<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    if let (Some(name), Some(reason)) = (&args.fix, &args.reason) {
        return fix(args, name, reason, host).await;
    }
    let opened = store::open(&args.run.store, &host.environment)?;
    let runs = match &args.run.run {
        Some(run) => vec![run.clone()],
        None => opened.store.runs().await?,
    };
    let (mut clean, mut unread) = (true, Vec::new());
    for run in &runs {
        // A run that cannot be read must not hide what the others left.
        match left_by(&*opened.store, run).await {
            Ok(text) => {
                clean &= text.is_empty();
                host.answer(&text)?;
            }
            Err(error) => {
                host.answer(&format!("run {run}: cannot be read: {}: {}\n", error.code(), error.chain()))?;
                unread.push(error);
            }
        }
    }
    if clean && unread.is_empty() {
        host.answer("no run left anything behind\n")?;
        return Ok(Exit::Success);
    }
    if !clean {
        host.failed(codes::RUN_LEFTOVERS, "run the commands above, then `switchback janitor` again")?;
    }
    for error in unread {
        host.failed(error.code(), &error.help())?;
    }
    Ok(Exit::Failed)
}

async fn fix(args: &Args, name: &str, reason: &str, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.run.store, &host.environment)?;
    let run = match &args.run.run {
        Some(run) => run.clone(),
        None => left_it(&*opened.store, name).await?,
    };
    let named = RunArgs { run: Some(run.clone()), ..args.run.clone() };
    let operator = Operator::new(&named, &args.operator, host).await?;
    let platform = Platform::open(&args.operator.platform, &host.environment)?;
    let place = tempfile::tempdir().map_err(Error::Start)?;
    let drivers =
        platform.drivers(&operator.plan().await?, place.path().to_owned(), &host.environment).await?;
    let runtime = super::runtime(&opened, drivers, std::sync::Arc::clone(&platform.clock), host);
    let seen = runs::clear(&runtime, &run, name, &operator.by, reason).await?;
    host.answer(&format!("run {run}: {name} is cleared\n"))?;
    for line in &seen.0 {
        host.answer(&format!("  {line}\n"))?;
    }
    if let Some(line) = super::drive::returned(&*opened.store, &run).await? {
        host.answer(&format!("{line}\n"))?;
    }
    Ok(Exit::Success)
}

/// The run that left something of this name.
async fn left_it(store: &dyn Store, name: &str) -> Result<RunId, Error> {
    let mut found = Vec::new();
    for run in store.runs().await? {
        // One that cannot be read is not asked to clear anything.
        let Ok(left) = runs::left_behind(store, &run).await else { continue };
        let has = left.suspensions.iter().any(|(suspension, _, _)| suspension.as_str() == name)
            || left.nodes.iter().any(|node| node == name)
            || left.residue.iter().any(|line| line.is_named(name));
        found.extend(has.then_some(run));
    }
    match found.as_slice() {
        [run] => Ok(run.clone()),
        [] => Err(Error::NoSuch {
            what: format!("no run left {name}"),
            help: "`switchback janitor` lists what they left".to_owned(),
        }),
        more => {
            let names: Vec<&str> = more.iter().map(RunId::as_str).collect();
            let what = format!("more than one run left {name}");
            Err(Error::Ambiguous { what, runs: names.join(", ") })
        }
    }
}

/// What a run left, each with what clears it; empty when nothing was. One that is not over takes its own doing back when it goes on.
pub(super) async fn left_by(store: &dyn Store, run: &RunId) -> Result<String, Error> {
    let left = runs::left_behind(store, run).await?;
    let over = runs::is_over(&runs::status(store, run).await?);
    let fix = |name: &str| format!("switchback janitor --run {run} --fix {name} --reason WHY");
    let suspensions = left.suspensions.iter().map(|(suspension, owner, command)| match over {
        true => format!(
            "  suspension {suspension} is still active; {owner} resumes it, if that is safe, with: {}\n    \
             or, without that check: {command}\n",
            fix(suspension.as_str())
        ),
        false => format!("  suspension {suspension} is active; the run resumes it\n"),
    });
    let nodes = left.nodes.iter().map(|node| match over {
        true => format!(
            "  node {node} is cordoned by this run; if it is to stay: {}\n    or: kubectl uncordon {node}\n",
            fix(node)
        ),
        false => format!("  node {node} is cordoned by this run, which goes on with it or uncordons it\n"),
    });
    let doubts = left.in_doubt.iter().map(|at| format!("  {at} may or may not have happened\n"));
    let told = |line: &&Residue| matches!(line, Residue::Work { at, .. } if left.in_doubt.contains(at));
    let residue = left.residue.iter().filter(|_| over).filter(|line| !told(line));
    let residue = residue.map(|line| {
        let alone = left.alone.iter().find(|step| line.is_named(step.as_str()));
        let fix = alone.map(|step| format!("; to undo it: {}", fix(step.as_str()))).unwrap_or_default();
        format!("  {line}{fix}\n")
    });
    let text: String = suspensions.chain(nodes).chain(doubts).chain(residue).collect();
    if text.is_empty() {
        return Ok(text);
    }
    if !over {
        return Ok(format!(
            "run {run}: has not ended: continue it with `apply`, `rollback`, or end it where it stands with `abandon`\n{text}"
        ));
    }
    let by_hand = match left.residue.iter().any(|line| matches!(line, Residue::Work { .. })) {
        true => {
            format!("  to undo the rest by hand, in this order: switchback rollback --run {run} --by-hand\n")
        }
        false => String::new(),
    };
    Ok(format!("run {run}: it has ended, and left\n{text}{by_hand}"))
}
