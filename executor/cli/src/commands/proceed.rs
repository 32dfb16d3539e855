//! `continue`: goes on after a pause or a hold; the next `apply` or `tick` carries it on.

use switchback_face::Exit;
use switchback_schemas::journal::SideKind;

use super::say::Speaker;
use crate::{
    args::{RunArgs, SpeakerArgs},
    error::Error,
    host::Host,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    speaker: SpeakerArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let speaker = Speaker::new(&args.run, &args.speaker, host).await?;
    speaker.say(SideKind::Continue { reason: args.reason.clone() }, "goes on", host).await
}
