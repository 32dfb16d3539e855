//! `approve`: records an approval in the run's side log. Needs no lease.

use switchback_face::Exit;
use switchback_schemas::{name::Label, plan::ApprovalScope};

use super::say::Speaker;
use crate::{
    args::{RunArgs, SpeakerArgs},
    error::Error,
    host::Host,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    speaker: SpeakerArgs,
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
    #[arg(long, value_name = "LINE")]
    line: Option<Label>,
    /// One gate
    #[arg(long, value_name = "GATE")]
    gate: Option<Label>,
    /// Cleanup of what the run retains for rollback, before its time
    #[arg(long)]
    closing: bool,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let scope = match &args.scope {
        Scope { line: Some(line), .. } => ApprovalScope::Line(line.clone()),
        Scope { gate: Some(gate), .. } => ApprovalScope::Gate(gate.clone()),
        Scope { closing: true, .. } => ApprovalScope::Closing {},
        Scope { .. } => ApprovalScope::Plan {},
    };
    let speaker = Speaker::new(&args.run, &args.speaker, host).await?;
    speaker.approve(scope, args.reason.clone(), args.expires, host).await
}
