//! The `switchback-exec` command: observes platforms and runs plans. It joins drivers, store and runtime, and decides
//! nothing itself.

mod args;
mod commands;
mod eks;
mod environment;
mod error;
mod grammar;
mod host;
mod platform;
mod services;
mod show;
mod sign;
mod signals;
mod store;
mod twin;

use std::{process::ExitCode, time::Duration};

use switchback_face::{Answer, Exit, Terminal, contract, documents, terminal};

use crate::{environment::Environment, error::Error, grammar::Args, host::Host};

/// How long what still runs in the background may take at the end.
const LAST: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let environment = Environment::read();
    match Args::read(std::env::args_os()) {
        Ok(args) => {
            let terminal = Terminal::new(args.options.color, &environment.around);
            log(args.options.log_format, &environment);
            let mut host = Host { environment, terminal };
            let result = run(args, &mut host);
            host.terminal.end(result).into()
        }
        Err(usage) => Terminal::usage(&usage).into(),
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

/// What is logged where only the format was named: how each call of a run ended.
const CALLS: &str = "switchback_executor=info";

/// Logs go to standard error, and only where somebody asked for them.
fn log(format: Option<Answer>, environment: &Environment) {
    let Some(filter) = environment.log.as_deref().or(format.map(|_| CALLS)) else { return };
    let logs = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    // An error is that somebody else has set one up already.
    drop(match format {
        Some(Answer::Json) => logs.json().flatten_event(true).with_current_span(false).try_init(),
        Some(Answer::Text) | None => logs.with_ansi(false).try_init(),
    });
}
