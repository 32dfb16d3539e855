//! `switchback diff`: what changed between two plans, by step.

use std::path::PathBuf;

use switchback_face::{Exit, Page, markdown, plan::diff::Diff};
use switchback_model::diff;

use crate::{documents, error::Error, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan before
    old: PathBuf,
    /// The plan after
    new: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Page,
    /// Exits with 2 when the plans differ
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let (old, new) = (documents::plan(&args.old)?, documents::plan(&args.new)?);
    let diff = diff(&old.value, &new.value);
    let text = match args.format {
        Page::Text => Diff(&diff).to_string(),
        Page::Markdown => markdown::fit(
            [markdown::fenced(&Diff(&diff).to_string(), "diff").as_str()],
            markdown::COMMENT_LIMIT,
        ),
        Page::Json => serde_json::to_string_pretty(&diff)? + "\n",
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    let differs = !diff.is_empty() || diff.review_changed || diff.effects_changed;
    Ok(if differs && args.detailed_exitcode { Exit::Changes } else { Exit::Success })
}
