//! One file per command: the arguments as a clap type, and `run`, which turns them into text and an exit code.

mod catalog;
mod check;
mod diff;
mod explain;
mod graph;
mod learn;
mod lint;
mod observe;
mod path;
mod path_text;
mod permissions;
mod plan;
mod resolve;
mod rollback_plan;
mod schema;
mod show;

use std::ffi::OsString;

use clap::Subcommand;
use switchback_face::Exit;

use crate::{error::Error, terminal::Terminal};

/// The commands that need files only; `switchback_face::commands` describes them.
#[derive(Debug, Subcommand)]
pub(crate) enum Own {
    Check(check::Args),
    Observe(observe::Args),
    Resolve(resolve::Args),
    Path(path::Args),
    Plan(plan::Args),
    Show(show::Args),
    Diff(diff::Args),
    Graph(graph::Args),
    Lint(lint::Args),
    Learn(learn::Args),
    RollbackPlan(rollback_plan::Args),
    Permissions(permissions::Args),
    Explain(explain::Args),
    Catalog(catalog::Args),
    Schema(schema::Args),
}

/// What is left to do after a command.
pub(crate) enum Then {
    /// Nothing.
    End(Exit),
    /// The other program does the rest, called with these words.
    HandOver(Vec<OsString>),
}

/// Runs a command.
pub(crate) fn run(command: Own, terminal: &mut Terminal) -> Result<Then, Error> {
    let exit = match command {
        Own::Observe(args) => match observe::prepare(&args, terminal)? {
            Ok(words) => return Ok(Then::HandOver(words)),
            Err(exit) => exit,
        },
        Own::Resolve(args) => match resolve::prepare(&args, terminal)? {
            Ok(words) => return Ok(Then::HandOver(words)),
            Err(exit) => exit,
        },
        Own::Check(args) => check::run(&args, terminal)?,
        Own::Path(args) => path::run(&args, terminal)?,
        Own::Plan(args) => plan::run(&args, terminal)?,
        Own::Show(args) => show::run(&args, terminal)?,
        Own::Diff(args) => diff::run(&args, terminal)?,
        Own::Graph(args) => graph::run(&args, terminal)?,
        Own::Lint(args) => lint::run(&args, terminal)?,
        Own::Learn(args) => learn::run(&args, terminal)?,
        Own::RollbackPlan(args) => rollback_plan::run(&args, terminal)?,
        Own::Permissions(args) => permissions::run(&args, terminal)?,
        Own::Explain(args) => explain::run(&args, terminal)?,
        Own::Catalog(args) => catalog::run(&args, terminal)?,
        Own::Schema(args) => schema::run(&args, terminal)?,
    };
    Ok(Then::End(exit))
}
