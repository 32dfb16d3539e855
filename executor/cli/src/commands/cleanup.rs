//! `cleanup`: deletes what a run that has ended retains for rollback. What has had its time goes; what a rollback still needs goes
//! only with `--now`, which is a point of no return and is approved as one.

use jiff::Timestamp;
use switchback_executor::{machine::Void, runs, runtime::RunError};
use switchback_face::Exit;
use switchback_schemas::{
    RunId,
    journal::{SideKind, Way},
    plan::ApprovalScope,
    report::{Report, Retained},
};

use super::{
    drive::{DriveArgs, What, drive},
    operator::Operator,
};
use crate::{
    args::{OperatorArgs, RunArgs, reason},
    error::Error,
    host::Host,
    show::account,
    sign::SignArgs,
    store,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Delete also what a rollback still needs, and approve that; this cannot be undone
    #[arg(long)]
    now: bool,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Act as NAME without verification, instead of as whom the API server says
    #[arg(long, value_name = "NAME")]
    asserted: Option<String>,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    drive: DriveArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.run.store, &host.environment)?;
    let chosen = RunArgs { run: Some(chosen(&args.run, &*opened.store).await?), ..args.run.clone() };
    let operator = OperatorArgs { platform: args.drive.platform.clone(), asserted: args.asserted.clone() };
    let operator = Operator::new(&chosen, &operator, host).await?;
    let now = operator.clock.now();
    let before = runs::status(&*operator.opened.store, &operator.run).await?;
    // What has had its time goes without an approval.
    if args.now && before.retained.iter().any(|kept| kept.until > now) {
        approve(&operator, &args.reason, &args.sign).await?;
    }
    operator.say_quietly(SideKind::Cleanup { early: args.now, reason: args.reason.clone() }).await?;
    let exit = drive(What::Run(&operator.run), &args.drive, &operator.opened, host).await?;
    let report = runs::status(&*operator.opened.store, &operator.run).await?;
    host.answer(&account::retained(&report, operator.clock.now()))?;
    // A run that rolled back before it was closed has ended as it should.
    Ok(if exit == Exit::RolledBack { Exit::Success } else { exit })
}

/// Whoever says that it goes now approves it, as far as one approval is enough; whoever has done so does not have to again.
async fn approve(operator: &Operator, reason: &str, sign: &SignArgs) -> Result<(), Error> {
    let given =
        operator.approve_quietly(ApprovalScope::Cleanup {}, (Some(reason.to_owned()), None), sign).await;
    match given {
        Err(Error::Run(RunError::Approval { void, .. })) if matches!(*void, Void::Again { .. }) => Ok(()),
        given => given.map(|_| ()),
    }
}

/// The run that is meant: without a name the only one that keeps something, or is being closed.
async fn chosen(args: &RunArgs, store: &dyn switchback_executor::store::Store) -> Result<RunId, Error> {
    if let Some(run) = &args.run {
        return Ok(run.clone());
    }
    // One that was killed in the middle may keep nothing more, and is not over.
    let closes = |report: &Report| report.steps.iter().any(|step| step.at.way == Way::Cleanup);
    let meant = |report: &Report| !report.retained.is_empty() || (closes(report) && !runs::is_over(report));
    let runs = runs::list(store).await?;
    let keeping = runs.iter().filter(|(_, report)| report.as_ref().is_ok_and(meant));
    let keeping: Vec<&str> = keeping.map(|(run, _)| run.as_str()).collect();
    match runs.iter().find(|(run, _)| keeping == [run.as_str()]) {
        Some((run, _)) => Ok(run.clone()),
        None if keeping.is_empty() => Err(Error::NoRun {
            what: "no run retains anything",
            help: "`switchback status --all` lists the runs; name another store with --store",
        }),
        None => Err(Error::Ambiguous {
            what: "more than one run retains something".to_owned(),
            runs: keeping.join(", "),
        }),
    }
}

/// What a run keeps whose time has passed.
pub(super) fn due(report: &Report, now: Timestamp) -> Vec<&Retained> {
    report.retained.iter().filter(|kept| runs::is_over(report) && kept.until <= now).collect()
}
