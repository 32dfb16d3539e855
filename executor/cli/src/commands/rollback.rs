//! `rollback`: bare, it shows what each rollback would do; with a step or a savepoint, it runs one.

use std::collections::BTreeSet;

use switchback_executor::{runs, runtime::RunError};
use switchback_face::{Exit, plan::back::Back};
use switchback_model::{Graph, forecast, way_back};
use switchback_schemas::{
    StepId,
    journal::{BackScope, SideKind},
    name::SavepointId,
    plan::Plan,
};

use super::{
    drive::{DriveArgs, What, drive},
    say::Speaker,
};
use crate::{
    args::{RunArgs, SpeakerArgs},
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
    let speaker = SpeakerArgs { platform: args.drive.platform.clone(), asserted: args.asserted.clone() };
    let speaker = Speaker::new(&args.run, &speaker, host).await?;
    let scope = match (&args.step, &args.to) {
        (Some(step), _) => BackScope::Step(step.clone()),
        (None, Some(to)) => BackScope::Savepoint(to.clone()),
        (None, None) => {
            let text = prices(&speaker).await?;
            host.answer(&text)?;
            return Ok(Exit::Success);
        }
    };
    let says = SideKind::Rollback { scope, reason: args.reason.clone() };
    speaker.say_quietly(says).await?;
    drive(What::Run(&speaker.run), &args.drive, &speaker.opened, host).await
}

/// Every rollback of the run from where it is, with what it would do.
async fn prices(speaker: &Speaker) -> Result<String, Error> {
    let plan = speaker.plan().await?;
    let graph = Graph::of(&plan).map_err(|error| RunError::Bug(format!("the plan is no DAG: {error}")))?;
    let report = runs::status(&*speaker.opened.store, &speaker.run).await?;
    let started = forecast::standing(&report);
    let at = speaker.clock.now().max(report.last);
    let forecast = forecast::forecast(&plan, &graph, at, &forecast::ran(&report))
        .map_err(|error| RunError::Bug(error.to_string()))?;
    let ways = runs::rollback_targets(&*speaker.opened.store, &speaker.run, at).await?;
    let mut text = String::new();
    for (scope, obstacle) in &ways {
        let BackScope::Savepoint(id) = scope else { continue };
        let Some(to) = plan.savepoint(id) else { continue };
        let way = way_back(&plan, &graph, &started, to);
        let from = "where the run is".to_owned();
        text.push_str(&Back { plan: &plan, from, to, way: &way, forecast: &forecast, at }.to_string());
        let how = match obstacle {
            Some(obstacle) => format!("  not possible now: {obstacle}\n\n"),
            None => format!("  run it with: switchback rollback --run {} --to {id}\n\n", speaker.run),
        };
        text.push_str(&how);
    }
    if text.is_empty() {
        text.push_str("nothing was started, so there is nothing to roll back\n");
    }
    text.push_str(&single(&plan, &started, &speaker.run));
    if let Some(earlier) = plan.parent.as_ref().map(|parent| &parent.run) {
        let further = format!(
            "further: run {earlier}, which this one continues, has the platform again after this one is rolled back to start; then: \
             switchback rollback --run {earlier}\n"
        );
        text.push_str(&further);
    }
    Ok(text)
}

fn single(plan: &Plan, started: &BTreeSet<StepId>, run: &switchback_schemas::RunId) -> String {
    let last = plan.steps.iter().filter(|step| started.contains(&step.id)).count();
    if last == 0 {
        String::new()
    } else {
        format!("one step alone: switchback rollback --run {run} --step STEP\n")
    }
}
