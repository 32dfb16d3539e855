//! `switchback permissions`: what the executor's credentials must allow.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use switchback_face::Exit;
use switchback_schemas::plan::Plan;

use crate::{documents, error::Error, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?.value;
    terminal.out.text(&listed(&plan)).map_err(Error::Write)?;
    Ok(Exit::Success)
}

/// Permissions of all steps, their undo and the removal of what they leave, one line per resource.
fn listed(plan: &Plan) -> String {
    let mut rows: BTreeMap<(String, bool), Vec<&str>> = BTreeMap::new();
    for permission in plan.works().flat_map(|(_, work)| &work.permissions) {
        let group =
            if permission.group.is_empty() { String::new() } else { format!(".{}", permission.group) };
        let place = permission
            .namespace
            .as_ref()
            .map_or_else(|| "everywhere".to_owned(), |name| format!("in {name}"));
        let row =
            rows.entry((format!("{}{group} {place}", permission.resource), permission.declared)).or_default();
        if !row.contains(&permission.verb.as_str()) {
            row.push(&permission.verb);
        }
    }
    let mut text = String::new();
    for ((resource, declared), mut verbs) in rows {
        verbs.sort_unstable();
        let derived = if declared { "  (derived from the chart)" } else { "" };
        let _ = writeln!(text, "{resource}: {}{derived}", verbs.join(", "));
    }
    text
}
