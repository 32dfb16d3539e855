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
use switchback_schemas::{
    codes::{self, Code},
    journal::Class,
};
#[cfg(feature = "twin")]
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
    /// Nothing has the name that was given.
    #[error("{what}")]
    NoSuch { what: String, help: String },
    /// There is no run that could be meant.
    #[error("{what}")]
    NoRun { what: &'static str, help: &'static str },
    /// More than one run could be meant.
    #[error("{what}")]
    Ambiguous { what: String, runs: String },
    /// Something was not said that the command needs.
    #[error("{what}")]
    Missing { what: &'static str, help: &'static str },
    /// The operating system did not give what every command needs.
    #[error("the command cannot start")]
    Start(#[source] io::Error),
    /// There is nowhere to keep runs.
    #[error("there is no directory for runs")]
    NoStore,
    /// The store would be gone after the job.
    #[error("CI is set, and {0}: the journal, and with it the rollback, would be gone with this machine")]
    Ephemeral(String),
    /// No kubeconfig was found.
    #[error("there is no kubeconfig")]
    NoKubeconfig,
    /// The kubeconfig that was found or named.
    #[error(transparent)]
    Kubeconfig(DocumentError),
    /// There is no client.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The platform did not answer what was asked.
    #[error("{what}: {failure}")]
    Platform { what: String, failure: ports::Failure },
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The plan is not the one that was approved.
    #[error("{what}")]
    Unapproved { what: String },
    /// Nothing could be signed.
    #[error("the approval is not signed: {why}")]
    Sign { why: String },
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
    #[cfg(feature = "twin")]
    #[error(transparent)]
    Twin(#[from] TwinError),
    /// The world.
    #[cfg(feature = "twin")]
    #[error("{} cannot be used", path.display())]
    World {
        path: PathBuf,
        #[source]
        source: WorldError,
    },
    /// A program that is part of this one's work is not there, or failed.
    #[cfg(feature = "twin")]
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

    fn exit(&self) -> Exit {
        match self {
            Self::Run(
                RunError::Claimed { .. }
                | RunError::ClaimedOutside { .. }
                | RunError::TakenOver(_)
                | RunError::Append(AppendError::Fenced { .. })
                | RunError::Store(StoreError::Leased(_) | StoreError::ClaimMoved(_)),
            ) => Exit::Busy,
            Self::Run(RunError::Bug(_)) | Self::Json(_) => Exit::Bug,
            #[cfg(feature = "twin")]
            Self::Program { .. } => Exit::Unavailable,
            _ => Exit::Failed,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Write(_) => codes::COMMAND_OUTPUT,
            Self::Document(error) => error.code(),
            Self::Json(_) => codes::BUG,
            Self::NoSuch { .. } => codes::COMMAND_NO_SUCH,
            Self::NoRun { .. } => codes::RUN_NO_SUCH,
            Self::Ambiguous { .. } => codes::COMMAND_AMBIGUOUS,
            Self::Missing { .. } | Self::NoStore => codes::COMMAND_MISSING,
            Self::Start(_) | Self::Copy { .. } | Self::Web(_) => codes::COMMAND_SYSTEM,
            Self::Ephemeral(_) => codes::RUN_EPHEMERAL_STORE,
            Self::NoKubeconfig | Self::Kubeconfig(_) | Self::Connect(_) => codes::PLATFORM_KUBECONFIG,
            Self::Platform { failure, .. } => of_failure(failure),
            Self::Run(error) => error.code(),
            Self::Sign { .. } | Self::Unapproved { .. } => codes::RUN_APPROVAL,
            Self::Resolve(ResolveError::OtherObservation { .. }) => codes::PLAN_LOCK_STALE,
            Self::Resolve(ResolveError::Chart { .. }) => codes::PLATFORM_CHART,
            Self::Control(_) => codes::PLATFORM_TWIN,
            #[cfg(feature = "twin")]
            Self::Twin(_) | Self::World { .. } => codes::PLATFORM_TWIN,
            #[cfg(feature = "twin")]
            Self::Program { .. } => codes::PLATFORM_PROGRAM,
        }
    }

    fn help(&self) -> String {
        match self {
            Self::NoSuch { help, .. } => help.clone(),
            Self::NoRun { help, .. } | Self::Missing { help, .. } => (*help).to_owned(),
            Self::Ambiguous { runs, .. } => format!("name one with --run: {runs}"),
            Self::NoStore => "name one with --store, or set HOME".to_owned(),
            Self::Ephemeral(_) => {
                "name a directory that outlives the job with --store, or pass --local-state-ok".to_owned()
            }
            Self::NoKubeconfig => "name one with --kubeconfig".to_owned(),
            Self::Kubeconfig(_) | Self::Connect(_) => {
                "name another with --kubeconfig or --context".to_owned()
            }
            Self::Platform { failure, .. } if failure.class == Class::Denied => {
                "check the credentials; `switchback permissions PLAN` lists what a plan needs".to_owned()
            }
            Self::Platform { .. } => "check --kubeconfig, --context and the network".to_owned(),
            Self::Run(error) => error.help(),
            Self::Unapproved { .. } => "apply the plan that was reviewed, or have this one reviewed and signed".to_owned(),
            Self::Sign { .. } => {
                "name a key of somebody whom the trust names with --ssh-key, and have OpenSSH's ssh-keygen on PATH".to_owned()
            }
            Self::Resolve(ResolveError::OtherObservation { .. }) => "observe or plan again".to_owned(),
            Self::Resolve(ResolveError::Chart { .. }) => {
                "check the chart's repository or directory in the manifest, and the credentials for it"
                    .to_owned()
            }
            Self::Control(_) => "serve one with `switchback twin serve`".to_owned(),
            Self::Json(_) => "please report it with this message".to_owned(),
            Self::Document(error) => error.help().to_owned(),
            Self::Write(_) => "make room, or send the output elsewhere".to_owned(),
            Self::Start(_) => {
                "check the directory for temporary files (TMPDIR) and the limits on processes and files"
                    .to_owned()
            }
            Self::Copy { .. } => {
                "make room in the directory for temporary files, or name another with TMPDIR".to_owned()
            }
            Self::Web(_) => {
                "check the certificates that this machine trusts (SSL_CERT_FILE, SSL_CERT_DIR)".to_owned()
            }
            #[cfg(feature = "twin")]
            Self::Twin(_) => "name another --port or --dir, or leave them out".to_owned(),
            #[cfg(feature = "twin")]
            Self::World { .. } => {
                "check the file; fixtures/worlds/ of the checkout holds worlds to begin from".to_owned()
            }
            #[cfg(feature = "twin")]
            Self::Program { .. } => {
                "build both commands from one checkout: `cargo build --workspace --bins --locked`".to_owned()
            }
        }
    }
}

/// The code of something that could not be read from the platform.
fn of_failure(failure: &ports::Failure) -> Code {
    match failure.class {
        Class::Denied => codes::PLATFORM_FORBIDDEN,
        _ => codes::PLATFORM_UNREACHABLE,
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
        let text = Error::from(StoreError::NoSuchRun(run)).told();
        assert!(text.starts_with("error SB0510: there is no run r-1\n  help: "), "{text}");
    }
}
