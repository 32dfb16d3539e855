//! `retry`: tries a failed or doubtful step again.

use switchback_face::Exit;
use switchback_schemas::{StepId, journal::SideKind};

use super::operator::Operator;
use crate::{
    args::{OperatorArgs, RunArgs},
    error::Error,
    host::Host,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The step
    #[arg(long, value_name = "STEP")]
    step: StepId,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "tried again")]
    reason: String,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let operator = Operator::new(&args.run, &args.operator, host).await?;
    let says = SideKind::Retry { step: args.step.clone(), reason: args.reason.clone() };
    operator.say(says, &format!("{} is tried again", args.step), host).await
}
