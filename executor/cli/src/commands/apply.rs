//! `apply`: starts or resumes the run of a plan.

use std::path::PathBuf;

use switchback_face::Exit;

use super::drive::{DriveArgs, What, drive};
use crate::{args::StoreArgs, documents, error::Error, host::Host, store};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Allow a store that is deleted with the CI machine
    #[arg(long)]
    local_state_ok: bool,
    #[command(flatten)]
    drive: DriveArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?;
    store::outlives_job(&args.store, &host.environment, args.local_state_ok)?;
    let opened = store::open(&args.store, &host.environment)?;
    drive(What::Plan(&plan.bytes), &args.drive, &opened, host).await
}
