//! `twin`: serves a digital twin on loopback for any client, or plays a program on one.

mod charts;
mod program;
mod serve;

use clap::Subcommand;
use switchback_face::Exit;

use crate::{error::Error, host::Host};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serves the twin of a world until it is told to stop
    Serve(serve::Args),
    /// Plays a program on a twin that is served; launchers call it
    Program(program::Args),
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    match &args.what {
        What::Serve(args) => serve::run(args, host).await,
        What::Program(args) => program::run(args).await,
    }
}
