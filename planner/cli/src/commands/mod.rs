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

use clap::Subcommand;
use switchback_face::Exit;

use crate::{args::Forward, error::Error, terminal::Terminal};

/// The commands that need files only.
#[derive(Debug, Subcommand)]
pub(crate) enum Own {
    /// Says all that is wrong with manifests, and nothing else
    Check(check::Args),
    /// Reads the platform with `switchback-exec`, and writes inventory.json
    Observe(observe::Args),
    /// Works out which charts manifests need, and reads them with `switchback-exec`
    Resolve(resolve::Args),
    /// Orders the hops of all components that manifests move, and says why
    Path(path::Args),
    /// Compiles manifests to a plan and prints the dry-run
    Plan(plan::Args),
    /// Prints the dry-run of a plan
    Show(show::Args),
    /// Says what changed between two plans
    Diff(diff::Args),
    /// Prints the DAG of a plan for drawing programs
    Graph(graph::Args),
    /// Checks that a plan keeps its own rules
    Lint(lint::Args),
    /// Learns how long steps take, from accounts of runs
    Learn(learn::Args),
    /// Shows the way back at a point of a plan
    RollbackPlan(rollback_plan::Args),
    /// Lists what the executor's credentials must allow
    Permissions(permissions::Args),
    /// Says what a code means, what a step is, or why one step comes after another
    Explain(explain::Args),
    /// Shows what is known about versions, and checks it
    Catalog(catalog::Args),
    /// Prints, writes or checks the JSON Schemas of manifests and documents
    Schema(schema::Args),
}

/// What is left to do after a command.
pub(crate) enum Then {
    /// Nothing.
    End(Exit),
    /// The other program does the rest.
    HandOver(Forward),
}

/// Runs a command.
pub(crate) fn run(command: Own, terminal: &mut Terminal) -> Result<Then, Error> {
    let exit = match command {
        Own::Observe(args) => match observe::prepare(&args, terminal)? {
            Ok(forward) => return Ok(Then::HandOver(forward)),
            Err(exit) => exit,
        },
        Own::Resolve(args) => match resolve::prepare(&args, terminal)? {
            Ok(forward) => return Ok(Then::HandOver(forward)),
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
