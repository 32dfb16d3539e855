//! `switchback rollback-plan`: the rollback at a point of a plan, or of a run; as text, and as a plan of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use jiff::Timestamp;
use switchback_face::{
    Exit, Sources, diagnostics,
    documents::DocumentError,
    plan::{
        by_hand::{Part, Script},
        rollback,
    },
};
use switchback_model::{
    RollbackOrder,
    forecast::Forecast,
    lint::lint,
    rollback_order,
    rollback_plan::{Continued, NoPlan, rollback_plan},
    summary::{expected, rollback_from, savepoint_before},
};
use switchback_schemas::{
    StepId,
    name::SavepointId,
    plan::{Plan, Savepoint},
};

use crate::{documents, error::Error, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
    /// The step that fails; without it, the rollback from the end of every hop
    #[arg(long, value_name = "STEP", conflicts_with = "from")]
    at: Option<StepId>,
    /// The savepoint to go to; when it is left out, the one before the step's hop, or the last that the run reached
    #[arg(long, value_name = "SAVEPOINT")]
    to: Option<SavepointId>,
    /// An inventory that `observe --continue RUN` wrote: the rollback from where that run of the plan is
    #[arg(long = "continue", value_name = "INVENTORY", id = "from")]
    from: Option<PathBuf>,
    /// The commands of kubectl, helm and aws that do the same without Switchback; needs --at or --continue
    #[arg(long)]
    by_hand: bool,
    /// Write the rollback as a plan of its own
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let read = documents::plan(&args.plan)?;
    let digest = read.digest();
    let plan = read.value;
    // What was changed by hand may have another rollback than it shows.
    let findings = lint(&plan);
    if !findings.is_empty() {
        let text = diagnostics::text(&findings, &Sources::default(), terminal.out.look());
        terminal.out.colored(&text).map_err(Error::Write)?;
        return Ok(Exit::of(&findings));
    }
    let graph = documents::graph(&plan, &args.plan)?;
    let named = args.to.as_ref().map(|to| plan.savepoint(to).ok_or_else(|| unknown_savepoint(&plan, to)));
    let named = named.transpose()?;
    if let Some(path) = &args.from {
        let inventory = documents::inventory(path)?;
        let seen = inventory.digest();
        let none = || {
            let why = "it hands over no run; `switchback observe --continue RUN` writes one that does";
            Error::from(DocumentError::unusable(path, &why))
        };
        let carried = inventory.value.carry_over.as_ref().ok_or_else(none)?;
        let reached =
            || plan.savepoint(&carried.savepoint).ok_or_else(|| unknown_savepoint(&plan, &carried.savepoint));
        let to = named.map_or_else(reached, Ok)?;
        let started: BTreeSet<StepId> = carried.began.iter().chain(&carried.done).cloned().collect();
        let way = rollback_order(&plan, &graph, &started, to);
        let seen = (seen, &inventory.value.observation, inventory.value.taken_at);
        let continued = Continued { carried, seen };
        let from = (format!("where run {} is", carried.run), inventory.value.taken_at);
        show(args, &plan, &expected(&plan, &graph), (from, &way, to), terminal)?;
        let made = || rollback_plan(&plan, digest, &way, to, Some(continued));
        return written(args, made, Some(carried.run.as_str()), terminal);
    }
    let Some(at) = &args.at else {
        if args.to.is_some() || args.output.is_some() || args.by_hand {
            return Err(Error::Missing {
                what: "the step to roll back from is not clear",
                help: "pass --at STEP, or --continue INVENTORY for where a run is",
            });
        }
        terminal.out.text(&rollback::every_rollback(&plan, &graph)).map_err(Error::Write)?;
        return Ok(Exit::Success);
    };
    let step = plan.step(at).ok_or_else(|| unknown_step(&plan, at))?;
    let before = || {
        savepoint_before(&plan, &step.hop)
            .ok_or_else(|| Error::Bug(format!("hop {} has no savepoint", step.hop)))
    };
    let to = named.map_or_else(before, Ok)?;
    let way = rollback_from(&plan, &graph, at, to);
    let forecast = expected(&plan, &graph);
    let fails = forecast.of(at).map_or(plan.inputs.as_of, |expected| expected.ends);
    show(args, &plan, &forecast, ((format!("a failure of {at}"), fails), &way, to), terminal)?;
    written(args, || rollback_plan(&plan, digest, &way, to, None), None, terminal)
}

/// Shows the way from somewhere, as it stands at an instant.
fn show(
    args: &Args,
    plan: &Plan,
    forecast: &Forecast,
    ((from, at), way, to): ((String, Timestamp), &RollbackOrder, &Savepoint),
    terminal: &mut Terminal,
) -> Result<(), Error> {
    let text = if args.by_hand {
        let parts = way.rollback_steps(plan).map(|undo| Part { id: &undo.id, work: &undo.work }).collect();
        let title = format!("the rollback from {from} to savepoint {} ({})", to.id, to.title);
        Script { plan, title, parts, captured: BTreeMap::new() }.to_string()
    } else {
        rollback::Back { plan, from, to, way, forecast, at }.to_string()
    };
    terminal.out.text(&text).map_err(Error::Write)
}

/// Writes it as a plan, if that was asked for.
fn written(
    args: &Args,
    made: impl FnOnce() -> Result<Plan, NoPlan>,
    run: Option<&str>,
    terminal: &mut Terminal,
) -> Result<Exit, Error> {
    let Some(output) = &args.output else { return Ok(Exit::Success) };
    let made = made()?;
    documents::write(output, &made.to_json()?)?;
    let path = output.display();
    let text = match run {
        Some(run) => format!("\nwrote {path}; `switchback apply {path}` takes over from run {run}\n"),
        None if lint(&made).is_empty() => format!("\nwrote {path}\n"),
        None => format!(
            "\nwrote {path}, to be read and compared: what it restores is known only to a run, so `apply` refuses it; \
             --continue INVENTORY makes one for a run\n"
        ),
    };
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
    Error::NoSuch { what: format!("the plan has no step {wanted}"), help }
}

fn unknown_savepoint(plan: &Plan, wanted: &SavepointId) -> Error {
    let known: Vec<&str> = plan.savepoints.iter().map(|savepoint| savepoint.id.as_str()).collect();
    let help = format!("it has {}", known.join(", "));
    Error::NoSuch { what: format!("the plan has no savepoint {wanted}"), help }
}
