//! `switchback show`: the dry-run of a plan that exists.

use std::{collections::BTreeMap, path::PathBuf};

use switchback_face::{
    Exit, Page,
    plan::by_hand::{Part, Script},
};
use switchback_model::summary::steps_by_hop;
use switchback_schemas::{
    StepId,
    plan::{Plan, Step},
};

use super::{plan::shown, rollback_plan::unknown_step};
use crate::{documents, error::Error, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Page,
    /// Hops and their rollbacks only, no steps
    #[arg(long)]
    brief: bool,
    /// The commands of kubectl, helm and aws that do the same without Switchback
    #[arg(long, conflicts_with_all = ["format", "brief"])]
    by_hand: bool,
    /// With --by-hand: the first step that is not done
    #[arg(long, value_name = "STEP", requires = "by_hand")]
    from: Option<StepId>,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?;
    if args.by_hand {
        return by_hand(args, &plan.value, terminal);
    }
    let text = shown(&plan.value, plan.digest(), args.format, !args.brief)?;
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
}

/// The steps of every hop, or those from one on, in the order in which they run.
fn by_hand(args: &Args, plan: &Plan, terminal: &mut Terminal) -> Result<Exit, Error> {
    let graph = documents::graph(plan, &args.plan)?;
    let mut by_hop = steps_by_hop(plan, &graph);
    let steps = plan.hops.iter().filter_map(|hop| by_hop.remove(&hop.id)).flatten();
    let steps: Vec<&Step> = match &args.from {
        None => steps.collect(),
        Some(from) if plan.step(from).is_none() => return Err(unknown_step(plan, from)),
        Some(from) => steps.skip_while(|step| step.id != *from).collect(),
    };
    let parts = steps.iter().map(|step| Part { id: &step.id, work: &step.work }).collect();
    let script = Script { plan, title: "the steps of the plan".to_owned(), parts, captured: BTreeMap::new() };
    terminal.out.text(&script.to_string()).map_err(Error::Write)?;
    Ok(Exit::Success)
}
