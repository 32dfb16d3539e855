//! The `switchback-exec` command: observes platforms and runs plans. It joins drivers, store and runtime, and decides
//! nothing itself.

mod args;
mod commands;
mod eks;
mod environment;
mod error;
mod host;
mod platform;
mod services;
mod show;
mod signals;
mod store;
mod twin;

use std::{process::ExitCode, time::Duration};

use switchback_face::{Exit, Terminal, contract, documents, terminal};

use crate::{args::Args, environment::Environment, error::Error, host::Host};

/// How long what still runs in the background may take at the end.
const LAST: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let environment = Environment::read();
    match Args::read(std::env::args_os()) {
        Ok(args) => {
            let terminal = Terminal::new(args.color, &environment.around);
            log(&environment);
            let mut host = Host { environment, terminal };
            let result = run(args, &mut host);
            host.terminal.end(result).into()
        }
        Err(usage) => {
            let help = !usage.use_stderr();
            // A help text that nobody reads to its end was read far enough.
            let _ = usage.print();
            if help { Exit::Success.into() } else { Exit::Usage.into() }
        }
    }
}

fn run(args: Args, host: &mut Host) -> Result<Exit, Error> {
    let Some(command) = args.command else {
        host.terminal.out.text(&contract::answer()).map_err(Error::Write)?;
        return Ok(Exit::Success);
    };
    // Two threads at least: a twin's clock is asked while a task waits.
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.map_err(Error::Start)?;
    let result = runtime.block_on(commands::run(command, host));
    runtime.shutdown_timeout(LAST);
    result
}

/// Logs go to standard error, and only where somebody asked for them.
fn log(environment: &Environment) {
    if let Some(filter) = &environment.log {
        let logs = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
        // Somebody else has set one up already.
        drop(logs.try_init());
    }
}
