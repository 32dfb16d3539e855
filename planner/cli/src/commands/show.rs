//! `switchback show`: the dry-run of a plan that exists.

use std::path::PathBuf;

use switchback_face::{Exit, Page};

use super::plan::shown;
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
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?;
    let text = shown(&plan.value, plan.digest(), args.format, !args.brief)?;
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
}
