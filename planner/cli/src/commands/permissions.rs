//! `switchback permissions`: what the executor's credentials must allow.

use std::path::PathBuf;

use clap::ValueEnum;
use switchback_face::{
    Exit,
    plan::permissions::{self, Subject},
};
use switchback_model::permissions::of_plan;

use crate::{documents, error::Error, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Who is bound to the roles: user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME
    #[arg(long, value_name = "SUBJECT")]
    bind: Option<Subject>,
}

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// Roles and their bindings, for `kubectl apply -f -`
    Rbac,
    /// A policy for AWS IAM
    Iam,
    /// For programs, with the steps that need each permission
    Json,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?.value;
    let needed = of_plan(&plan);
    let text = match args.format {
        Format::Text => permissions::text(&plan, &needed, terminal.out.look()),
        Format::Rbac => permissions::rbac(&plan, &needed, args.bind.as_ref()),
        Format::Iam => serde_json::to_string_pretty(&permissions::iam(&needed))? + "\n",
        Format::Json => serde_json::to_string_pretty(&permissions::rows(&needed))? + "\n",
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
}
