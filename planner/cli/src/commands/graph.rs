//! `switchback graph`: the DAG of a plan for drawing programs.

use std::path::PathBuf;

use clap::ValueEnum;
use switchback_face::{Exit, plan::graph};

use crate::{documents, error::Error, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For Graphviz
    #[default]
    Dot,
    /// For pull requests
    Mermaid,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?;
    let text = match args.format {
        Format::Dot => graph::dot(&plan.value),
        Format::Mermaid => graph::mermaid(&plan.value),
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
}
