//! Why a command could not do what it was asked, apart from what diagnostics say.

use std::{io, path::PathBuf};

use switchback_face::{Exit, contract::Mismatch, documents::DocumentError, terminal::Failure};

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
    /// What was asked about is not known.
    #[error("{0}")]
    Unknown(String),
    /// The other command is not there.
    #[error(
        "`{command}` is done by {program}, which is neither beside this command nor on PATH; install it, for example \
         with `cargo install --path executor/cli`, or run `switchback help` for what this command does by itself"
    )]
    NotInstalled { command: String, program: &'static str },
    /// The other command cannot be started.
    #[error("{} cannot be started", path.display())]
    Start {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The other command is of another release.
    #[error("{} does not fit this command; install both from one release", path.display())]
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
            Self::Write(_) | Self::Document(_) | Self::Json(_) | Self::Unknown(_) => Exit::Failed,
        }
    }
}
