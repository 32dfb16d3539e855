//! A file per command, or per family of commands: the arguments as a clap type, and `run`, which turns them into text and an exit code.

mod apply;
mod approve;
mod close;
mod demo;
mod drive;
mod eks_token;
mod janitor;
mod lock;
mod observe;
mod over;
mod preflight;
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
mod word;

use std::sync::Arc;

use clap::Subcommand;
use switchback_executor::{
    env::Clock,
    runtime::{Drivers, Runtime},
};
use switchback_face::Exit;

use crate::{error::Error, host::Host, store::Opened};
use word::Word;

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
    Pause(word::Args),
    /// Goes on with a run that is held or paused
    Continue(word::Args),
    /// Tries a failed step again
    Retry(retry::Args),
    /// Shows the ways back, or takes one
    Rollback(rollback::Args),
    /// Removes what a run that is over keeps for its ways back
    Close(close::Args),
    /// Gives a run up and lists what is left
    Abandon(word::Args),
    /// Writes the account of a run
    Report(report::Args),
    /// Checks the chain of a journal
    Verify(verify::Args),
    /// Lists what runs left behind, and takes it back where that is asked for
    Janitor(janitor::Args),
    /// Shows claims and leases, and takes back what nobody gives back
    Lock(lock::Args),
    /// Prints a token for an EKS cluster, as a kubeconfig's `exec` asks for it
    EksToken(eks_token::Args),
    /// Serves a digital twin on loopback, or plays a program on one
    Twin(twin::Args),
    /// The tour, without a cloud
    Demo(demo::Args),
}

/// What a command calls drivers and writes to a run with, when it does not carry the run on.
fn runtime(opened: &Opened, drivers: Drivers, clock: Arc<dyn Clock>, host: &Host) -> Runtime {
    Runtime::new(Arc::clone(&opened.store), drivers, clock, host.holder())
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
        Command::Pause(args) => word::run(Word::Pause, &args, host).await,
        Command::Continue(args) => word::run(Word::Continue, &args, host).await,
        Command::Retry(args) => retry::run(&args, host).await,
        Command::Rollback(args) => rollback::run(&args, host).await,
        Command::Abandon(args) => word::run(Word::Abandon, &args, host).await,
        Command::Close(args) => close::run(&args, host).await,
        Command::Report(args) => report::run(&args, host).await,
        Command::Verify(args) => verify::run(&args, host).await,
        Command::Janitor(args) => janitor::run(&args, host).await,
        Command::Lock(args) => lock::run(&args, host).await,
        Command::EksToken(args) => eks_token::run(&args, host).await,
        Command::Twin(args) => twin::run(&args, host).await,
        Command::Demo(args) => demo::run(&args, host).await,
    }
}
