//! `rollback`: bare, it shows what each rollback would do; with a step or a savepoint, it runs one.

use std::collections::BTreeSet;

use switchback_executor::{runs, runtime::RunError};
use switchback_face::{
    Exit,
    plan::{
        by_hand::{Part, Script},
        rollback::Back,
    },
};
use switchback_model::{Graph, forecast, rollback_order};
use switchback_schemas::{
    StepId,
    journal::{RollbackScope, SideKind},
    name::SavepointId,
    plan::Plan,
};

use super::{
    drive::{DriveArgs, What, drive},
    operator::Operator,
};
use crate::{
    args::{OperatorArgs, RunArgs},
    error::Error,
    host::Host,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Roll back one step and what was started because of it; then the run holds
    #[arg(long, value_name = "STEP", conflicts_with = "to")]
    step: Option<StepId>,
    /// Roll back to a savepoint; then the run has ended
    #[arg(long, value_name = "SAVEPOINT")]
    to: Option<SavepointId>,
    /// Only print the commands of kubectl, helm and aws that roll back from here without Switchback
    #[arg(long, conflicts_with = "step")]
    by_hand: bool,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "rolled back by hand")]
    reason: String,
    /// Act as NAME without verification, instead of as whom the API server says
    #[arg(long, value_name = "NAME")]
    asserted: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    drive: DriveArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let operator = OperatorArgs { platform: args.drive.platform.clone(), asserted: args.asserted.clone() };
    let operator = Operator::new(&args.run, &operator, host).await?;
    if args.by_hand {
        let text = by_hand(args, &operator).await?;
        host.answer(&text)?;
        return Ok(Exit::Success);
    }
    let scope = match (&args.step, &args.to) {
        (Some(step), _) => RollbackScope::Step(step.clone()),
        (None, Some(to)) => RollbackScope::Savepoint(to.clone()),
        (None, None) => {
            let text = prices(&operator).await?;
            host.answer(&text)?;
            return Ok(Exit::Success);
        }
    };
    let says = SideKind::Rollback { scope, reason: args.reason.clone() };
    operator.say_quietly(says).await?;
    drive(What::Run(&operator.run), &args.drive, &operator.opened, host).await
}

/// Every rollback of the run from where it is, with what it would do.
async fn prices(operator: &Operator) -> Result<String, Error> {
    let plan = operator.plan().await?;
    let graph = Graph::of(&plan).map_err(|error| RunError::Bug(format!("the plan is no DAG: {error}")))?;
    let report = runs::status(&*operator.opened.store, &operator.run).await?;
    let started = forecast::standing(&report);
    let at = operator.clock.now().max(report.last);
    let forecast = forecast::forecast(&plan, &graph, at, &forecast::ran(&report))
        .map_err(|error| RunError::Bug(error.to_string()))?;
    let ways = runs::rollback_targets(&*operator.opened.store, &operator.run, at).await?;
    let mut text = String::new();
    for (scope, obstacle) in &ways {
        let RollbackScope::Savepoint(id) = scope else { continue };
        let Some(to) = plan.savepoint(id) else { continue };
        let way = rollback_order(&plan, &graph, &started, to);
        if way.steps.is_empty() && way.is_open() {
            continue;
        }
        let from = "where the run is".to_owned();
        text.push_str(&Back { plan: &plan, from, to, way: &way, forecast: &forecast, at }.to_string());
        let how = match obstacle {
            Some(obstacle) => format!("  not possible now: {obstacle}\n\n"),
            None => format!("  run it with: switchback rollback --run {} --to {id}\n\n", operator.run),
        };
        text.push_str(&how);
    }
    if text.is_empty() {
        text.push_str("nothing was started, so there is nothing to roll back\n");
    }
    text.push_str(&single(&plan, &started, &operator.run));
    if let Some(earlier) = plan.parent.as_ref().map(|parent| &parent.run) {
        let further = format!(
            "further: run {earlier}, which this one continues, has the platform again after this one is rolled back to start; then: \
             switchback rollback --run {earlier}\n"
        );
        text.push_str(&further);
    }
    Ok(text)
}

/// The rollback from where the run is, with what the run captured: to a savepoint, or to the last one that it reached.
async fn by_hand(args: &Args, operator: &Operator) -> Result<String, Error> {
    let plan = operator.plan().await?;
    let graph = Graph::of(&plan).map_err(|error| RunError::Bug(format!("the plan is no DAG: {error}")))?;
    let store = &*operator.opened.store;
    let report = runs::status(store, &operator.run).await?;
    let to = plan.savepoint(args.to.as_ref().unwrap_or(&report.savepoint));
    let to = to.ok_or_else(|| Error::NoSuch {
        what: "the plan has no such savepoint".to_owned(),
        help: format!("`switchback rollback --run {}` alone lists those that the run reached", operator.run),
    })?;
    let way = rollback_order(&plan, &graph, &forecast::standing(&report), to);
    let parts = way.rollback_steps(&plan).map(|undo| Part { id: &undo.id, work: &undo.work }).collect();
    let title = format!("the rollback of run {} to savepoint {} ({})", operator.run, to.id, to.title);
    let captured = runs::captured(store, &operator.run).await?;
    Ok(Script { plan: &plan, title, parts, captured }.to_string())
}

fn single(plan: &Plan, started: &BTreeSet<StepId>, run: &switchback_schemas::RunId) -> String {
    let last = plan.steps.iter().filter(|step| started.contains(&step.id)).count();
    if last == 0 {
        String::new()
    } else {
        format!("one step alone: switchback rollback --run {run} --step STEP\n")
    }
}
