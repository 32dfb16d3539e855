//! Hands commands that touch a platform to `switchback-exec`. One process becomes the other, so signals, terminal and
//! exit code need no relay.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use switchback_face::{GlobalOptions, contract};

use crate::{environment::Environment, error::Error};

/// The program that is handed over to.
const PROGRAM: &str = "switchback-exec";

/// A command that is handed on as it is.
#[derive(Debug)]
pub(crate) struct Forward {
    /// Options that stood before the command.
    pub(crate) options: GlobalOptions,
    /// The command and everything after it.
    pub(crate) words: Vec<OsString>,
}

/// Becomes the other program. Comes back only with an error.
pub(crate) fn exec(forward: &Forward, environment: &Environment) -> Error {
    let Some(path) = find(environment) else {
        let command =
            forward.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        return Error::NotInstalled { command, program: PROGRAM };
    };
    let answer = match program(&path).arg(contract::FLAG).output() {
        Ok(output) => said(&output),
        Err(source) => return Error::Start { path, source },
    };
    if let Err(source) = contract::check(&answer) {
        return Error::Release { path, source };
    }
    let source = program(&path).args(forward.options.words()).args(&forward.words).exec();
    Error::Start { path, source }
}

#[expect(clippy::disallowed_methods, reason = "the one program that this command becomes")]
fn program(path: &Path) -> Command {
    Command::new(path)
}

/// What it said of its formats; a program that failed said nothing.
fn said(output: &Output) -> String {
    match output.status.success() {
        true => String::from_utf8_lossy(&output.stdout).into_owned(),
        false => String::new(),
    }
}

/// Beside this program, else on PATH.
fn find(environment: &Environment) -> Option<PathBuf> {
    let beside = own_directory().ok().into_iter();
    let path = environment.path.iter().flat_map(std::env::split_paths);
    beside
        .chain(path)
        .filter(|directory| directory.is_absolute())
        .map(|dir| dir.join(PROGRAM))
        .find(|p| p.is_file())
}

fn own_directory() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?.canonicalize()?;
    Ok(own.parent().map(Path::to_owned).unwrap_or_default())
}
