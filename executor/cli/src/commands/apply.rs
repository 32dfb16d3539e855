//! `apply`: starts or resumes the run of a plan.

use std::path::{Path, PathBuf};

use switchback_face::Exit;
use switchback_model::trust;
use switchback_schemas::Digest;

use super::drive::{DriveArgs, What, drive};
use crate::{args::StoreArgs, documents, error::Error, host::Host, store};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Apply only the plan with this digest, as `switchback show` prints it
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
    /// Apply only a plan that somebody whom the trust names has signed: `ssh-keygen -Y sign -n switchback.dev/plan -f KEY PLAN`
    #[arg(long, requires = "trust")]
    require_signature: bool,
    /// Allow a store that is deleted with the CI machine
    #[arg(long)]
    local_state_ok: bool,
    #[command(flatten)]
    drive: DriveArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?;
    if let Some(expected) = args.digest.filter(|expected| *expected != plan.digest()) {
        return Err(Error::Unapproved {
            what: format!("the plan has digest {}, and {expected} is to be applied", plan.digest()),
        });
    }
    if args.require_signature {
        let by = signed(&args.plan, &plan.bytes, &args.drive)?;
        host.remark(&format!("the plan is signed by {by}"))?;
    }
    store::outlives_job(&args.store, &host.environment, args.local_state_ok)?;
    let opened = store::open(&args.store, &host.environment)?;
    drive(What::Plan(&plan.bytes), &args.drive, &opened, host).await
}

/// Whose signature lies beside a plan.
fn signed(plan: &Path, bytes: &[u8], drive: &DriveArgs) -> Result<String, Error> {
    let unsigned = |what: String| Error::Unapproved { what };
    let trust = drive.trust()?.ok_or_else(|| unsigned("no trust is given".to_owned()))?;
    let mut beside = plan.as_os_str().to_owned();
    beside.push(".sig");
    let signature = documents::text(Path::new(&beside))?;
    let by = trust.signer(trust::PLAN, bytes, &signature);
    by.map(|person| person.name.to_string())
        .map_err(|why| unsigned(format!("the plan's signature does not count: {why}")))
}
