//! `approve`: records an approval in the run's side log. Needs no lease.

use switchback_face::Exit;
use switchback_schemas::{name::Label, plan::ApprovalScope};

use super::operator::Operator;
use crate::{
    args::{OperatorArgs, RunArgs},
    error::Error,
    host::Host,
    sign::SignArgs,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    operator: OperatorArgs,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    scope: Scope,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// When it stops counting
    #[arg(long, value_name = "INSTANT")]
    expires: Option<jiff::Timestamp>,
}

/// What is approved.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Scope {
    /// The whole plan
    #[arg(long)]
    plan: bool,
    /// One point of no return
    #[arg(long, value_name = "POINT")]
    point: Option<Label>,
    /// One gate
    #[arg(long, value_name = "GATE")]
    gate: Option<Label>,
    /// Something that is worse than before the run, as `status` names it, until it gets worse
    #[arg(long, value_name = "OBJECT")]
    worse: Option<String>,
    /// Cleanup of what the run retains for rollback, before its time
    #[arg(long)]
    cleanup: bool,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let operator = Operator::new(&args.run, &args.operator, host).await?;
    let scope = match &args.scope {
        Scope { worse: Some(object), .. } => operator.worse(object).await?,
        Scope { point: Some(point), .. } => ApprovalScope::Point(point.clone()),
        Scope { gate: Some(gate), .. } => ApprovalScope::Gate(gate.clone()),
        Scope { cleanup: true, .. } => ApprovalScope::Cleanup {},
        Scope { .. } => ApprovalScope::Plan {},
    };
    Box::pin(operator.approve(scope, (args.reason.clone(), args.expires), &args.sign, host)).await
}
