//! `switchback lint`: whether a plan keeps its own rules.

use std::path::PathBuf;

use switchback_face::{Exit, Sources, diagnostics};
use switchback_model::lint::lint;

use crate::{documents, error::Error, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?;
    let findings = lint(&plan.value);
    let written = if findings.is_empty() {
        let (plan, steps) = (args.plan.display(), plan.value.steps.len());
        terminal.out.line(&format!("{plan}: {steps} steps, nothing to complain about"))
    } else {
        terminal.out.colored(&diagnostics::text(&findings, &Sources::default(), terminal.out.look()))
    };
    written.map_err(Error::Write)?;
    Ok(Exit::of(&findings))
}
