//! The claim on a platform, kept on the platform itself, so that runners whose stores do not know of each other do.

use async_trait::async_trait;
use jiff::Timestamp;
use switchback_model::journal::Head;
use switchback_schemas::{Digest, RunId};

use super::Failure;

/// Which run holds a platform, and how far it is known to have got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformClaim {
    /// The run.
    pub run: RunId,
    /// The digest of its plan.
    pub plan: Digest,
    /// The epoch of the process that works on the run. Whoever takes the run over raises it.
    pub epoch: u64,
    /// Host and process, for people.
    pub holder: String,
    /// Where the run's journal is kept, for people and to tell one store from another.
    pub store: String,
    /// Since when the run holds the platform.
    pub since: Timestamp,
    /// When its process last wrote this.
    pub renewed: Timestamp,
    /// How far its journal was then. A journal that does not reach it is an old copy, one that does not lie on it another.
    pub anchor: Head,
    /// Whether the run is over. What it left is kept: an old copy of its journal must not be carried on.
    pub ended: bool,
}

/// What is kept on the platform, as it was read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptClaim {
    /// The claim; absent where what is kept claims nothing, such as what was restored with a backup of another cluster.
    pub claim: Option<PlatformClaim>,
    /// A write that names it fails if another came in between.
    pub version: String,
}

/// Where a platform keeps the claim on it. Each write is a compare-and-swap.
#[async_trait]
pub trait ClaimPort: Send + Sync {
    /// What is kept, if anything is.
    async fn read(&self) -> Result<Option<KeptClaim>, Failure>;

    /// Puts a claim in the place of what was read. `None` when another write came in between, and then nothing was written.
    async fn write(
        &self,
        expected: Option<&KeptClaim>,
        claim: &PlatformClaim,
    ) -> Result<Option<KeptClaim>, Failure>;
}
