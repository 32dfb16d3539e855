//! `tick`: resumes the runs that are due. What cron or a scheduled job calls.

use switchback_executor::runs;
use switchback_face::{Exit, terminal::Failure as _};

use super::{
    cleanup,
    drive::{DriveArgs, What, drive},
};
use crate::{args::StoreArgs, error::Error, host::Host, platform::Platform, store};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    drive: DriveArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.store, &host.environment)?;
    let platform = Platform::open(&args.drive.platform, &host.environment)?;
    let runs::Due { runs: due, unread } = runs::due(&*opened.store, platform.clock.now()).await?;
    if due.is_empty() && unread.is_empty() {
        host.remark("no run is due")?;
    }
    // Cleanup is a point of no return, so it is announced and not done.
    for (run, report) in runs::list(&*opened.store).await? {
        // It is named below.
        let Ok(report) = report else { continue };
        let kept = cleanup::due(&report, platform.clock.now());
        if let Some(first) = kept.first() {
            host.remark(&format!(
                "run {run}: cleanup is due since {} for {} of {} retained resources: switchback cleanup --run {run} --reason TEXT",
                first.until,
                kept.len(),
                report.retained.len()
            ))?;
        }
    }
    // Each run is carried on whatever became of the one before; the first that is not done gives the exit code.
    let mut exit = Exit::Success;
    for run in &due {
        let ended = match drive(What::Run(run), &args.drive, &opened, host).await {
            Ok(ended) => ended,
            Err(error) => {
                host.remark(&format!("run {run}: {}", error.told()))?;
                error.exit()
            }
        };
        if exit == Exit::Success {
            exit = ended;
        }
        if ended == Exit::Interrupted {
            return Ok(exit);
        }
    }
    for (run, error) in unread {
        let error = Error::Run(error);
        host.remark(&format!(
            "run {run} cannot be read, and nobody can tell whether it is due: {}",
            error.told()
        ))?;
        if exit == Exit::Success {
            exit = error.exit();
        }
    }
    Ok(exit)
}
