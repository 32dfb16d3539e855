//! `override`: passes one gate by hand, loudly: with a reason and an end.

use switchback_executor::runtime::RunError;
use switchback_face::Exit;
use switchback_schemas::{name::Label, plan::ApprovalScope};

use super::operator::Operator;
use crate::{
    args::{OperatorArgs, RunArgs, reason},
    error::Error,
    host::Host,
    sign::SignArgs,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The gate
    gate: Label,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// When it stops counting
    #[arg(long, value_name = "INSTANT")]
    expires: jiff::Timestamp,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    operator: OperatorArgs,
    #[command(flatten)]
    sign: SignArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let operator = Operator::new(&args.run, &args.operator, host).await?;
    let plan = operator.plan().await?;
    if plan.gate(&args.gate).is_some_and(|gate| !gate.may_override) {
        let why = format!("has a gate {} that its plan does not allow to be overridden", args.gate);
        return Err(RunError::NotAllowed { run: operator.run.clone(), why }.into());
    }
    let scope = ApprovalScope::Gate(args.gate.clone());
    Box::pin(operator.approve(scope, (Some(args.reason.clone()), Some(args.expires)), &args.sign, host)).await
}
