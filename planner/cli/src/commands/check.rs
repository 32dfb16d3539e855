//! `switchback check`: all that is wrong with manifests, at once.

use std::path::PathBuf;

use switchback_face::{Answer, Exit, diagnostics};
use switchback_planner::manifest::Manifests;

use crate::{
    error::Error,
    manifests::{self, Read},
    terminal::Terminal,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files or directories of manifests; `-` for standard input
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Answer,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let registry = manifests::registry()?;
    let Read { manifests, findings, sources } = manifests::read(registry, &args.files);
    let written = match args.format {
        Answer::Json => terminal.out.text(&diagnostics::json(&findings, &sources)?),
        Answer::Text => {
            let text = diagnostics::text(&findings, &sources, terminal.out.look());
            let accepted: String = manifests.iter().map(accepted).collect();
            terminal.out.colored(&text).and_then(|()| terminal.out.text(&accepted))
        }
    };
    written.map_err(Error::Write)?;
    Ok(Exit::of(&findings))
}

/// `platform mlops-dev: 3 upgrades, 2 verifications, 0 waivers; manifests 1a2b3c4d`.
fn accepted(manifests: &Manifests) -> String {
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    format!(
        "platform {}: {}, {}, {}; manifests {}\n",
        manifests.platform.metadata.name,
        count(manifests.upgrades().count() + manifests.components.len(), "upgrade"),
        count(manifests.verifications.len(), "verification"),
        count(manifests.waivers.len(), "waiver"),
        manifests.digest.short(12),
    )
}
