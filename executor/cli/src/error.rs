//! Why a command could not do what it was asked, and how it ends with it.

use std::{io, path::PathBuf};

use switchback_executor::{
    ports,
    runtime::RunError,
    store::{AppendError, StoreError},
};
use switchback_face::{Exit, documents::DocumentError, terminal::Failure};
use switchback_kube::ConnectError;
use switchback_programs::{ResolveError, WebError};
use switchback_twin::{TwinError, WorldError};

use crate::twin::ControlError;

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
    /// What was asked about is not known, or what was asked for cannot be.
    #[error("{0}")]
    Unknown(String),
    /// The operating system did not give what every command needs.
    #[error("the command cannot start")]
    Start(#[source] io::Error),
    /// There is nowhere to keep runs.
    #[error("there is no directory for runs: name one with --store, or set HOME")]
    NoStore,
    /// The store would be gone after the job.
    #[error(
        "CI is set, and {0}: the journal, and with it the way back, would be gone with this machine; name a directory \
         that outlives the job with --store, or say --local-state-ok"
    )]
    Ephemeral(String),
    /// No kubeconfig was found.
    #[error("there is no kubeconfig; name one with --kubeconfig")]
    NoKubeconfig,
    /// There is no client.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The platform did not answer what was asked.
    #[error("{what}: {failure}")]
    Platform { what: String, failure: ports::Failure },
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There is no client for probes.
    #[error(transparent)]
    Web(#[from] WebError),
    /// There is no lock.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The kubeconfig could not be copied.
    #[error("no private copy of {} can be written", path.display())]
    Copy {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The twin's control endpoints.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The twin.
    #[error(transparent)]
    Twin(#[from] TwinError),
    /// The world.
    #[error("{} cannot be used", path.display())]
    World {
        path: PathBuf,
        #[source]
        source: WorldError,
    },
    /// A program that is part of this one's work is not there, or failed.
    #[error("{program} {what}")]
    Program { program: String, what: String },
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Run(RunError::Store(error))
    }
}

impl Error {
    /// A failure of the platform, with what was asked of it.
    pub(crate) fn platform(what: impl Into<String>) -> impl FnOnce(ports::Failure) -> Self {
        move |failure| Self::Platform { what: what.into(), failure }
    }
}

impl Failure for Error {
    fn unwritten(source: io::Error) -> Self {
        Self::Write(source)
    }

    fn head(&self) -> String {
        match self {
            Self::Run(error) => format!("{}: {error}", error.code()),
            other => other.to_string(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Run(
                RunError::Claimed { .. }
                | RunError::Append(AppendError::Fenced { .. })
                | RunError::Store(StoreError::Leased(_) | StoreError::ClaimMoved(_)),
            ) => Exit::Busy,
            Self::Run(RunError::Bug(_)) => Exit::Bug,
            Self::Program { .. } => Exit::Unavailable,
            _ => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_is_told_that_it_is_busy() {
        let run = switchback_schemas::RunId::new("r-1").unwrap();
        assert_eq!(Error::from(StoreError::Leased(run.clone())).exit(), Exit::Busy);
        assert_eq!(Error::from(StoreError::NoSuchRun(run)).exit(), Exit::Failed);
    }

    #[test]
    fn an_error_has_its_code_and_says_nothing_twice() {
        let run = switchback_schemas::RunId::new("r-1").unwrap();
        let text = Error::from(StoreError::NoSuchRun(run)).chain().to_string();
        assert!(text.starts_with("SB") && text.ends_with("there is no run r-1"), "{text}");
    }
}
