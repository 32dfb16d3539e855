//! `switchback explain`: what a code means, what a step is, or why one step comes after another.

use std::path::PathBuf;

use switchback_face::{
    Exit, codes,
    plan::explain::{Explain, order},
};
use switchback_schemas::{
    ComponentName, StepId,
    codes::{ALL, Code},
};

use super::rollback_plan::unknown_step;
use crate::{documents, error::Error, manifests::registry, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A code such as SB0206, a step, or `order LATER EARLIER`; all codes when it is left out
    #[arg(value_name = "CODE | STEP | order A B")]
    what: Vec<String>,
    /// The plan that the steps belong to
    #[arg(long, value_name = "PLAN")]
    plan: Option<PathBuf>,
    /// Print the page docs/codes.md
    #[arg(long, conflicts_with_all = ["what", "plan"])]
    all_markdown: bool,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let what: Vec<&str> = args.what.iter().map(String::as_str).collect();
    let text = match (what.as_slice(), &args.plan) {
        ([], _) if args.all_markdown => codes::markdown(),
        ([], _) => ALL.iter().flat_map(|entry| [entry.code.as_str(), "  ", entry.title, "\n"]).collect(),
        (["order", later, earlier], Some(plan)) => why(plan, later, earlier)?,
        ([step], Some(plan)) => about(plan, step)?,
        ([code], None) => {
            let entry = Code::find(&code.to_ascii_uppercase()).ok_or_else(|| Error::NoSuch {
                what: format!("{code:?} is not a code"),
                help: "run `switchback explain` for all codes, or name a step together with --plan"
                    .to_owned(),
            })?;
            let finders: Vec<&str> = registry()?.finders(entry.code).map(ComponentName::as_str).collect();
            let found_by = match finders.as_slice() {
                [] => String::new(),
                some => format!("\nFound by {}.\n", some.join(", ")),
            };
            codes::explain(entry) + &found_by
        }
        _ => {
            return Err(Error::Missing {
                what: "it is not clear what to explain",
                help: "name a code, a step with --plan, or `order LATER EARLIER` with --plan",
            });
        }
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
}

fn id(text: &str) -> Result<StepId, Error> {
    let help = || "`switchback show` lists the steps of a plan".to_owned();
    StepId::new(text).map_err(|error| Error::NoSuch { what: error.to_string(), help: help() })
}

fn about(path: &std::path::Path, step: &str) -> Result<String, Error> {
    let plan = documents::plan(path)?.value;
    let id = id(step)?;
    let step = plan.step(&id).ok_or_else(|| unknown_step(&plan, &id))?;
    Ok(Explain { plan: &plan, step }.to_string())
}

fn why(path: &std::path::Path, later: &str, earlier: &str) -> Result<String, Error> {
    let plan = documents::plan(path)?.value;
    let graph = documents::graph(&plan, path)?;
    let (later, earlier) = (id(later)?, id(earlier)?);
    for id in [&later, &earlier] {
        plan.step(id).ok_or_else(|| unknown_step(&plan, id))?;
    }
    if let Some(lines) = order(&plan, &graph, &later, &earlier) {
        return Ok(lines.join("\n") + "\n");
    }
    Ok(match order(&plan, &graph, &earlier, &later) {
        Some(lines) => format!("it is the other way round:\n{}\n", lines.join("\n")),
        None => format!("{later} and {earlier} do not wait for each other\n"),
    })
}
