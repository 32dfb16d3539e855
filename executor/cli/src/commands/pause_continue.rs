//! `pause` and `continue`: one word to a run, and why. The run acts on it when a process carries it on.

use switchback_face::Exit;
use switchback_schemas::journal::SideKind;

use super::operator::Operator;
use crate::{
    args::{OperatorArgs, RunArgs},
    error::Error,
    host::Host,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

/// What is said.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    /// Stops dispatch before the next step.
    Pause,
    /// Goes on after a pause or a hold.
    Continue,
}

pub(crate) async fn run(word: Word, args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let operator = Operator::new(&args.run, &args.operator, host).await?;
    let reason = args.reason.clone();
    let (says, done) = match word {
        Word::Pause => (SideKind::Pause { reason }, "paused"),
        Word::Continue => (SideKind::Continue { reason }, "continues"),
    };
    operator.say(says, done, host).await
}
