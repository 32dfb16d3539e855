//! Why a command could not do what it was asked, apart from what diagnostics say.

use std::{io, path::PathBuf};

use switchback_face::{Exit, SafeText, contract::Mismatch};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The answer could not be written.
    #[error("the output cannot be written")]
    Write(#[source] io::Error),
    /// A file could not be written.
    #[error("{} cannot be written", path.display())]
    WriteFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file could not be read.
    #[error("{} cannot be read", path.display())]
    ReadFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file is not the document that was expected.
    #[error("{} cannot be used: {why}", path.display())]
    Document { path: PathBuf, why: String },
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

impl Error {
    /// The error and what caused it, on one line.
    pub(crate) fn chain(&self) -> SafeText {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        SafeText::line(&text, 2_000)
    }

    /// How the command ends with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NotInstalled { .. } | Self::Start { .. } | Self::Release { .. } => Exit::Unavailable,
            Self::Write(_)
            | Self::WriteFile { .. }
            | Self::ReadFile { .. }
            | Self::Document { .. }
            | Self::Json(_)
            | Self::Unknown(_) => Exit::Failed,
        }
    }
}
