//! Why a command could not do what it was asked, apart from what diagnostics say.

use std::{io, path::PathBuf};

use switchback_face::{Exit, contract::Mismatch, documents::DocumentError, terminal::Failure};
use switchback_model::rollback_plan::NoPlan;
use switchback_schemas::codes::{self, Code};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The answer could not be written.
    #[error("the output cannot be written")]
    Write(#[source] io::Error),
    /// A file.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A value has no JSON.
    #[error("the answer cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// Nothing has the name that was given.
    #[error("{what}")]
    NoSuch { what: String, help: String },
    /// Something was not said that the command needs.
    #[error("{what}")]
    Missing { what: &'static str, help: &'static str },
    /// The rollback cannot be written as a plan.
    #[error("the rollback cannot be written as a plan of its own")]
    NoPlan(#[from] NoPlan),
    /// Something of our own is wrong.
    #[error("{0}")]
    Bug(String),
    /// The other command is not there.
    #[error("`{command}` is carried out by {program}, which is neither beside this command nor on PATH")]
    NotInstalled { command: String, program: &'static str },
    /// The other command cannot be started.
    #[error("{} cannot be started", path.display())]
    Start {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The other command is of another release.
    #[error("{} does not fit this command", path.display())]
    Release {
        path: PathBuf,
        #[source]
        source: Mismatch,
    },
}

impl Failure for Error {
    fn unwritten(source: io::Error) -> Self {
        Self::Write(source)
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NotInstalled { .. } | Self::Start { .. } | Self::Release { .. } => Exit::Unavailable,
            Self::Json(_) | Self::Bug(_) => Exit::Bug,
            Self::Write(_)
            | Self::Document(_)
            | Self::NoSuch { .. }
            | Self::Missing { .. }
            | Self::NoPlan(_) => Exit::Failed,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Write(_) => codes::COMMAND_OUTPUT,
            Self::Document(error) => error.code(),
            Self::Json(_) | Self::Bug(_) => codes::BUG,
            Self::NoSuch { .. } => codes::COMMAND_NO_SUCH,
            Self::Missing { .. } => codes::COMMAND_MISSING,
            Self::NoPlan(_) => codes::PLAN_WAY_BACK,
            Self::NotInstalled { .. } | Self::Start { .. } | Self::Release { .. } => codes::PLATFORM_PROGRAM,
        }
    }

    fn help(&self) -> String {
        match self {
            Self::NoSuch { help, .. } => help.clone(),
            Self::Missing { help, .. } => (*help).to_owned(),
            Self::NotInstalled { .. } => "install it, for example with `cargo install --path executor/cli`; \
                                          `switchback help` lists what this command does by itself"
                .to_owned(),
            Self::Start { .. } | Self::Release { .. } => "install both commands from one release".to_owned(),
            Self::Json(_) | Self::Bug(_) => "please report it with this message".to_owned(),
            Self::Document(error) => error.help().to_owned(),
            Self::Write(_) => "make room, or send the output elsewhere".to_owned(),
            Self::NoPlan(_) => "name another --at or --to; without -o the rollback is only shown".to_owned(),
        }
    }
}
