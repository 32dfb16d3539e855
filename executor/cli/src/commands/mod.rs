//! One file per command: the arguments as a clap type, and `run`, which turns them into text and an exit code.

mod abandon;
mod apply;
mod approve;
mod demo;
mod drive;
mod janitor;
mod lock;
mod observe;
mod over;
mod pause;
mod preflight;
mod proceed;
mod report;
mod resolve;
mod retry;
mod rollback;
mod say;
mod status;
mod tell;
mod tick;
mod twin;
mod verify;

use clap::Subcommand;
use switchback_face::Exit;

use crate::{error::Error, host::Host};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads the platform and writes inventory.json
    Observe(observe::Args),
    /// Reads the charts that manifests ask for and writes the lock; `switchback resolve` calls it
    Resolve(resolve::Args),
    /// Checks a plan against the live platform; changes nothing
    Preflight(preflight::Args),
    /// Starts or resumes the run of a plan
    Apply(apply::Args),
    /// Shows where a run stands and what it waits for
    Status(status::Args),
    /// Resumes the runs that are due
    Tick(tick::Args),
    /// Records an approval
    Approve(approve::Args),
    /// Overrides one gate, with a reason and an expiry
    Override(over::Args),
    /// Stops dispatch of a run
    Pause(pause::Args),
    /// Goes on with a run that is held or paused
    Continue(proceed::Args),
    /// Tries a failed step again
    Retry(retry::Args),
    /// Shows the ways back, or takes one
    Rollback(rollback::Args),
    /// Gives a run up and lists what is left
    Abandon(abandon::Args),
    /// Writes the account of a run
    Report(report::Args),
    /// Checks the chain of a journal
    Verify(verify::Args),
    /// Lists what runs left behind, and the command that clears each
    Janitor(janitor::Args),
    /// Shows claims and leases
    Lock(lock::Args),
    /// Serves a digital twin on loopback, or plays a program on one
    Twin(twin::Args),
    /// The tour, without a cloud
    Demo(demo::Args),
}

/// Runs a command.
pub(crate) async fn run(command: Command, host: &mut Host) -> Result<Exit, Error> {
    match command {
        Command::Observe(args) => observe::run(&args, host).await,
        Command::Resolve(args) => resolve::run(&args, host).await,
        Command::Preflight(args) => preflight::run(&args, host).await,
        Command::Apply(args) => apply::run(&args, host).await,
        Command::Status(args) => status::run(&args, host).await,
        Command::Tick(args) => tick::run(&args, host).await,
        Command::Approve(args) => approve::run(&args, host).await,
        Command::Override(args) => over::run(&args, host).await,
        Command::Pause(args) => pause::run(&args, host).await,
        Command::Continue(args) => proceed::run(&args, host).await,
        Command::Retry(args) => retry::run(&args, host).await,
        Command::Rollback(args) => rollback::run(&args, host).await,
        Command::Abandon(args) => abandon::run(&args, host).await,
        Command::Report(args) => report::run(&args, host).await,
        Command::Verify(args) => verify::run(&args, host).await,
        Command::Janitor(args) => janitor::run(&args, host).await,
        Command::Lock(args) => lock::run(&args, host).await,
        Command::Twin(args) => twin::run(&args, host).await,
        Command::Demo(args) => demo::run(&args, host).await,
    }
}
