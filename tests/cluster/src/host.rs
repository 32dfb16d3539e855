//! The one place of this package that reads the clock and the environment and starts programs.
#![expect(clippy::disallowed_methods, reason = "this module is where these calls live")]

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use crate::Error;

/// An environment variable as a path. Empty counts as unset, as in shells' `${X:-default}`.
pub(crate) fn path_var(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A command with this process's environment.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// A command that sees nothing of the caller's environment but where programs are: a proxy, a
/// KUBECONFIG or a kwok work directory of the person at the keyboard must not reach the cluster.
pub(crate) fn clean_command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home);
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs a person's command in the foreground, with variables added to the environment.
pub fn run(argv: &[String], variables: &[(&str, &Path)]) -> Result<ExitStatus, Error> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(spawn("", io::Error::from(io::ErrorKind::InvalidInput)));
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().copied());
    command.status().map_err(|source| spawn(program, source))
}

/// A program that could not be started.
pub(crate) fn spawn(program: &str, source: io::Error) -> Error {
    Error::Spawn { program: program.to_owned(), source }
}

/// Time since it was made, and whether a limit has passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    started: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.started.elapsed()
    }
}

/// Lets the programs waited for have the processor.
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
