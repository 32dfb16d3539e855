//! What can go wrong between "Go is installed" and "the cluster is ready".

use std::{io, path::PathBuf, process::ExitStatus};

use crate::{access::KUBECONFIG, toolchain::BIN};

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to build the programs with, and nobody said where they are.
    #[error("Go is not installed and {BIN} is not set: the real-cluster suite was not run")]
    GoMissing,
    /// The directory the caller named does not hold every program.
    #[error("{BIN} is {}, which does not hold: {}", dir.display(), programs.join(", "))]
    BinIncomplete {
        /// The directory.
        dir: PathBuf,
        /// Names of the programs that are not there.
        programs: Vec<&'static str>,
    },
    /// The cache does not hold every program yet.
    #[error("not built yet: {} (run `cluster build`)", modules.join(", "))]
    NotBuilt {
        /// The modules under `tests/cluster/go` whose programs are missing.
        modules: Vec<&'static str>,
    },
    /// No place to keep the programs.
    #[error(
        "none of SWITCHBACK_CACHE, XDG_CACHE_HOME and HOME is set: there is no place to keep the programs"
    )]
    NoCache,
    /// `go build` said no.
    #[error("go build of {module} ended with {status}:\n{output}")]
    GoBuild {
        /// The module under `tests/cluster/go`.
        module: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote.
        output: String,
    },
    /// A go.mod no longer requires what its program's version is read from.
    #[error("go.mod of {module} has no readable requirement for {path}")]
    GoMod {
        /// The module under `tests/cluster/go`.
        module: &'static str,
        /// The requirement that was looked for.
        path: &'static str,
    },
    /// A file or directory could not be used.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No free port could be had.
    #[error("cannot bind a port on 127.0.0.1")]
    Port(#[source] io::Error),
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A program could not be started.
    #[error("cannot start {program}")]
    Spawn {
        /// Its name or path.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// A controller that reads from fixed paths cannot be given a root directory of its own.
    #[error("no root directory of its own for the GPU Operator, whose suite was not run: {detail}")]
    NoRootDirectory {
        /// What `chroot` wrote to stderr.
        detail: String,
    },
    /// A program of the cluster ended while the cluster was coming up.
    #[error("{program} ended with {status}; the end of {}:\n{tail}", log.display())]
    Died {
        /// Its name.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The end of that file.
        tail: String,
    },
    /// A part of the cluster did not become ready in time.
    #[error("{what}: not ready after {seconds} s (logs in {}): {detail}", dir.display())]
    Late {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        seconds: u64,
        /// Where the logs are.
        dir: PathBuf,
        /// The last answer.
        detail: String,
    },
    /// kubectl or helm answered with an error.
    #[error("{command} ended with {status}: {stderr}")]
    Client {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to stderr.
        stderr: String,
    },
    /// The directory already holds a running cluster.
    #[error("a cluster is running in {} (stop it with `cluster down --dir {}`)", dir.display(), dir.display())]
    AlreadyRunning {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory holds no cluster.
    #[error("no cluster was started in {}", dir.display())]
    NotRunning {
        /// The directory.
        dir: PathBuf,
    },
    /// The record of running programs could not be read.
    #[error("cannot read {}", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// A test was run without a cluster.
    #[error("{KUBECONFIG} is not set: run the suite as `cluster test -- ...`")]
    NoAccess,
}

impl Error {
    /// For `map_err`: says what was tried on which path.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
