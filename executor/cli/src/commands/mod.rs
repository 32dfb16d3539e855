//! A file per command, or per family of commands: the arguments as a clap type, and `run`, which turns them into text and an exit code.

mod abandon;
mod apply;
mod approve;
mod cleanup;
#[cfg(feature = "twin")]
mod demo;
mod drive;
mod eks_token;
mod janitor;
mod lock;
mod notify;
mod observe;
mod operator;
mod override_gate;
mod pause_continue;
mod preflight;
mod report;
mod resolve;
mod retry;
mod rollback;
mod status;
mod tick;
#[cfg(feature = "twin")]
mod twin;
mod verify;

use std::sync::Arc;

use clap::Subcommand;
use switchback_executor::{
    env::Clock,
    runtime::{Drivers, Runtime},
};
use switchback_face::Exit;

use crate::{error::Error, host::Host, store::Opened};
use pause_continue::Word;

/// The commands; `switchback_face::commands` describes them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Observe(observe::Args),
    Resolve(resolve::Args),
    Preflight(preflight::Args),
    Apply(apply::Args),
    Status(status::Args),
    Tick(tick::Args),
    Approve(approve::Args),
    Override(override_gate::Args),
    Pause(pause_continue::Args),
    Continue(pause_continue::Args),
    Retry(retry::Args),
    Rollback(rollback::Args),
    Cleanup(cleanup::Args),
    Abandon(pause_continue::Args),
    Report(report::Args),
    Verify(verify::Args),
    Janitor(janitor::Args),
    Lock(lock::Args),
    EksToken(eks_token::Args),
    #[cfg(feature = "twin")]
    Twin(twin::Args),
    #[cfg(feature = "twin")]
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
        // Its future is large.
        Command::Override(args) => Box::pin(override_gate::run(&args, host)).await,
        Command::Pause(args) => pause_continue::run(Word::Pause, &args, host).await,
        Command::Continue(args) => pause_continue::run(Word::Continue, &args, host).await,
        Command::Retry(args) => retry::run(&args, host).await,
        Command::Rollback(args) => rollback::run(&args, host).await,
        Command::Abandon(args) => Box::pin(abandon::run(&args, host)).await,
        Command::Cleanup(args) => Box::pin(cleanup::run(&args, host)).await,
        Command::Report(args) => report::run(&args, host).await,
        Command::Verify(args) => verify::run(&args, host).await,
        Command::Janitor(args) => janitor::run(&args, host).await,
        Command::Lock(args) => lock::run(&args, host).await,
        Command::EksToken(args) => eks_token::run(&args, host).await,
        #[cfg(feature = "twin")]
        Command::Twin(args) => twin::run(&args, host).await,
        #[cfg(feature = "twin")]
        Command::Demo(args) => demo::run(&args, host).await,
    }
}
