//! `switchback rollback-plan`: the way back at a point of a plan.

use std::path::PathBuf;

use switchback_face::{Exit, plan::back};
use switchback_model::summary::{back_from, expected, savepoint_before};
use switchback_schemas::{StepId, name::SavepointId, plan::Plan};

use crate::{documents, error::Error, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
    /// The step that fails; without it, the way back at the end of every hop
    #[arg(long, value_name = "STEP")]
    at: Option<StepId>,
    /// The savepoint to go to; the one before the step's hop when it is left out
    #[arg(long, value_name = "SAVEPOINT", requires = "at")]
    to: Option<SavepointId>,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?.value;
    let graph = documents::graph(&plan, &args.plan)?;
    let Some(at) = &args.at else {
        terminal.out.text(&back::every_way_back(&plan, &graph)).map_err(Error::Write)?;
        return Ok(Exit::Success);
    };
    let step = plan.step(at).ok_or_else(|| unknown_step(&plan, at))?;
    let to = match &args.to {
        Some(to) => plan.savepoint(to).ok_or_else(|| unknown_savepoint(&plan, to))?,
        None => savepoint_before(&plan, &step.hop)
            .ok_or_else(|| Error::Unknown(format!("hop {} has no savepoint", step.hop)))?,
    };
    let way = back_from(&plan, &graph, at, to);
    let forecast = expected(&plan, &graph);
    let from = format!("a failure of {at}");
    let text = back::Back { plan: &plan, from, to, way: &way, forecast: &forecast }.to_string();
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
}

/// Says which steps there are.
pub(super) fn unknown_step(plan: &Plan, wanted: &StepId) -> Error {
    let near: Vec<&str> = plan
        .steps
        .iter()
        .map(|step| step.id.as_str())
        .filter(|id| wanted.as_str().rsplit('/').next().is_some_and(|last| id.contains(last)))
        .take(5)
        .collect();
    let help = if near.is_empty() {
        "`switchback show` lists them".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Error::Unknown(format!("the plan has no step {wanted}; {help}"))
}

fn unknown_savepoint(plan: &Plan, wanted: &SavepointId) -> Error {
    let known: Vec<&str> = plan.savepoints.iter().map(|savepoint| savepoint.id.as_str()).collect();
    Error::Unknown(format!("the plan has no savepoint {wanted}; it has {}", known.join(", ")))
}
