//! Where runs are kept: a log with compare-and-swap batches, a side log, artifacts, a claim and a lease.
//!
//! The journal is the truth. A claim is only an index into it: one that names a run which ended, or which handed over, is
//! resolved by that run's journal ([`claims`]).

pub mod claims;
pub mod disk;
mod local;
pub mod sim;

use std::path::PathBuf;

use async_trait::async_trait;
use switchback_model::journal::{Corrupt, Journal, Line, Refused, Side};
use switchback_schemas::{Digest, RunId, format::Unreadable, journal::SideEntry, name::Label};

pub use local::LocalStore;

/// The journal of one run, open for writing by the one who holds its lease.
#[async_trait]
pub trait Log: Send {
    /// Makes a batch durable behind record number `expected - 1`, all of it or a beginning of it. After an error nothing
    /// more is accepted: the run is to be taken over anew.
    async fn append(&mut self, expected: u64, epoch: u64, batch: &[Line]) -> Result<(), AppendError>;

    /// The records from a number on.
    async fn read(&self, from: u64) -> Result<Vec<switchback_schemas::journal::Record>, StoreError>;
}

/// Why a batch is not known to be durable.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else wrote in between: this process is no longer the one who may.
    #[error("another process took the run over at record {found}; this one stops")]
    Fenced {
        /// The record number, or what stands in its place.
        found: String,
    },
    /// Nobody knows whether it is: a sync failed. It is never tried again on the same file.
    #[error("the journal may or may not have been written: {0}")]
    Unknown(#[source] std::io::Error),
    /// It is not, or not all of it.
    #[error("the journal cannot be written: {0}")]
    Failed(#[source] std::io::Error),
}

/// A run that is to be made.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The plan's bytes.
    pub plan: Vec<u8>,
    /// The journal's first record.
    pub first: Line,
}

/// A run whose lease is held. Dropping it lets go.
pub struct Leased {
    /// For appending.
    pub log: Box<dyn Log>,
    /// What the journal held when the lease was taken. A torn tail is cut off already.
    pub journal: Journal,
}

/// Keeps runs.
#[async_trait]
pub trait Store: Send + Sync {
    /// All runs, sorted.
    async fn runs(&self) -> Result<Vec<RunId>, StoreError>;

    /// The journal of a run as it is now, without its lease; `None` when there is no such run.
    async fn journal(&self, run: &RunId) -> Result<Option<Journal>, StoreError>;

    /// The bytes of a run's plan.
    async fn plan(&self, run: &RunId) -> Result<Vec<u8>, StoreError>;

    /// Takes the lease of a run and makes the run if it is not there and `new` says how.
    async fn take(&self, run: &RunId, new: Option<NewRun>) -> Result<Leased, StoreError>;

    /// What people said to a run, in order.
    async fn side(&self, run: &RunId) -> Result<Side, StoreError>;

    /// Adds to what people said. Needs no lease.
    async fn say(&self, entry: &SideEntry) -> Result<(), StoreError>;

    /// Keeps bytes beside a run's journal; durable when this comes back.
    async fn put_artifact(&self, run: &RunId, bytes: &[u8]) -> Result<Digest, StoreError>;

    /// Reads an artifact and verifies it.
    async fn artifact(&self, run: &RunId, digest: &Digest) -> Result<Vec<u8>, StoreError>;

    /// Platforms that have a claim.
    async fn claims(&self) -> Result<Vec<Label>, StoreError>;

    /// The run that a platform's claim names, whatever became of it.
    async fn claim(&self, platform: &Label) -> Result<Option<RunId>, StoreError>;

    /// Replaces a platform's claim if it is the expected one.
    async fn swap_claim(
        &self,
        platform: &Label,
        expected: Option<&RunId>,
        new: Option<&RunId>,
    ) -> Result<(), StoreError>;

    /// Writes down why a claim was taken back, beside the claims: the run that it named may be one that cannot be read.
    async fn note_claim(&self, platform: &Label, entry: &SideEntry) -> Result<(), StoreError>;

    /// Why claims were taken back, by platform and then in order.
    async fn claim_notes(&self) -> Result<Vec<SideEntry>, StoreError>;
}

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such run.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// Another process works on the run.
    #[error("another process is working on run {0}")]
    Leased(RunId),
    /// A claim changed in between, or is being changed.
    #[error("the claim of platform {0} is being changed by another process")]
    ClaimMoved(Label),
    /// Another release wrote the run.
    #[error("run {run}: {source}")]
    Format {
        /// The run.
        run: RunId,
        /// In which format.
        source: Unreadable,
    },
    /// A journal is damaged.
    #[error("run {run}: {source}")]
    Corrupt {
        /// The run.
        run: RunId,
        /// How.
        source: Corrupt,
    },
    /// Something that was said to a run cannot be read, or stands where nobody said it.
    #[error("run {run}: {what}")]
    Said {
        /// The run.
        run: RunId,
        /// What, and where.
        what: String,
    },
    /// What stands under a run's name is not what a run wrote there.
    #[error("run {run}: {what}")]
    Foreign {
        /// The run.
        run: RunId,
        /// What, and what is wrong with it.
        what: String,
    },
    /// An artifact is not what was kept.
    #[error("artifact {digest} of run {run} is damaged or missing")]
    Artifact {
        /// The run.
        run: RunId,
        /// Its digest.
        digest: Digest,
    },
    /// A file does not hold what it should.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The disk refused.
    #[error("{} cannot be read or written: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl StoreError {
    /// The journal of a run cannot be read.
    pub(crate) fn unread(run: &RunId, why: Refused) -> Self {
        let run = run.clone();
        match why {
            Refused::Format(source) => Self::Format { run, source },
            Refused::Damaged(source) => Self::Corrupt { run, source },
        }
    }
}
