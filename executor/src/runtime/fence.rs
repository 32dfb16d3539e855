//! The fence: no effect starts unless the platform says that it is this process's run which holds it.
//!
//! Two runners with stores of their own see each other by the claim that the platform keeps; so do two processes that each have
//! a copy of one store. A write of the claim is a compare-and-swap that also says how far the journal is, so a check and an
//! anchor are one request.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use switchback_model::journal::Head;
use switchback_schemas::{
    Digest, RunId,
    journal::{Class, Evidence},
    name::Label,
};

use super::RunError;
use crate::{
    env::uptime,
    ports::{ClaimPort, Failure, KeptClaim, PlatformClaim},
    store::{Store, claims},
};

/// How often a write of the claim is tried again when another one came in between.
const TRIES: usize = 3;

/// Where a platform keeps the claim on it, and how far a look at it is trusted.
#[derive(Clone)]
pub struct PlatformClaims {
    /// Where it is kept.
    pub port: Arc<dyn ClaimPort>,
    /// Where this process keeps journals: for people, and to tell one store from another.
    pub store: String,
    /// How long a check is believed. Real time, which also passes while the machine sleeps.
    pub good_for: Duration,
    /// How long a process that takes a run over waits before it acts, where it cannot know that the other is dead: longer than a
    /// check is believed and a request lasts.
    pub takeover: Duration,
}

impl PlatformClaims {
    /// With the usual times.
    pub fn new(port: Arc<dyn ClaimPort>, store: String) -> Self {
        Self { port, store, good_for: Duration::from_secs(10), takeover: Duration::from_mins(1) }
    }
}

/// Who is working, and on what.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) platform: Label,
    pub(super) run: RunId,
    /// The run that this one continues: it hands its platform over.
    pub(super) parent: Option<RunId>,
    pub(super) plan: Digest,
    pub(super) holder: String,
}

/// What a look at the claim came to, where nobody else has it.
pub(super) enum Held {
    /// It is this process's.
    Ours,
    /// It cannot be read or written.
    Unreadable(Failure),
}

impl Held {
    /// Logs why nothing could be said on the platform.
    pub(super) fn warn(&self, what: &str) {
        if let Self::Unreadable(failure) = self {
            tracing::warn!(%failure, "{what}");
        }
    }
}

/// Keeps the claim of one process on one run.
pub(super) struct Fence {
    claims: Option<PlatformClaims>,
    owner: Owner,
    mine: Option<KeptClaim>,
    /// When it was last written, by [`uptime`].
    checked: Option<Duration>,
}

impl Fence {
    pub(super) fn new(claims: Option<PlatformClaims>, owner: Owner) -> Self {
        Self { claims, owner, mine: None, checked: None }
    }

    /// Whether this process wrote the claim.
    pub(super) fn holds(&self) -> bool {
        self.mine.is_some()
    }

    /// Holds the platform for an effect that is about to start: believes a look of just now, else writes the claim.
    pub(super) async fn hold(
        &mut self,
        store: &dyn Store,
        (epoch, head): (u64, &Head),
        now: Timestamp,
    ) -> Result<Held, RunError> {
        let Some(claims) = &self.claims else { return Ok(Held::Ours) };
        let fresh = self.checked.is_some_and(|at| uptime().saturating_sub(at) < claims.good_for);
        if fresh { Ok(Held::Ours) } else { self.anchor(store, (epoch, head), now).await }
    }

    /// Writes the claim, with how far the journal is.
    pub(super) async fn anchor(
        &mut self,
        store: &dyn Store,
        at: (u64, &Head),
        now: Timestamp,
    ) -> Result<Held, RunError> {
        self.write(store, at, now, false).await
    }

    /// Lets the platform go, since the run is over. Where that cannot be said, the claim gives way to other runs of this store only.
    pub(super) async fn release(
        &mut self,
        store: &dyn Store,
        at: (u64, &Head),
        now: Timestamp,
    ) -> Result<Held, RunError> {
        self.write(store, at, now, true).await
    }

    async fn write(
        &mut self,
        store: &dyn Store,
        (epoch, head): (u64, &Head),
        now: Timestamp,
        ended: bool,
    ) -> Result<Held, RunError> {
        let Some(claims) = self.claims.clone() else { return Ok(Held::Ours) };
        let mut expected = self.mine.clone();
        let (mut looked, mut cautious) = (expected.is_some(), false);
        for _ in 0..TRIES {
            let since = expected.as_ref().and_then(|kept| kept.claim.as_ref());
            let since = since.filter(|claim| claim.run == self.owner.run).map_or(now, |claim| claim.since);
            let claim = PlatformClaim {
                run: self.owner.run.clone(),
                plan: self.owner.plan,
                epoch,
                holder: self.owner.holder.clone(),
                store: claims.store.clone(),
                since,
                renewed: now,
                anchor: head.clone(),
                ended,
            };
            if looked {
                match claims.port.write(expected.as_ref(), &claim).await {
                    Ok(Some(kept)) => {
                        if cautious {
                            tokio::time::sleep(claims.takeover).await;
                        }
                        self.checked = Some(uptime());
                        self.mine = Some(kept);
                        return Ok(Held::Ours);
                    }
                    Ok(None) => {}
                    Err(failure) => return Ok(Held::Unreadable(failure)),
                }
            }
            let found = match claims.port.read().await {
                Ok(found) => found,
                Err(failure) => return Ok(Held::Unreadable(failure)),
            };
            if let Some(other) = found.as_ref().and_then(|kept| kept.claim.as_ref()) {
                self.may_replace(store, other, &claim).await?;
                // A lease in one store proves that the other process is dead. One with a store of its own may still believe its last
                // look, and have a request under way.
                let same = other.run == claim.run && !other.ended;
                cautious = self.mine.is_none() && same && other.store != claim.store;
            }
            looked = true;
            expected = found;
        }
        let evidence = Evidence::line("the claim on the platform is being written by others");
        Ok(Held::Unreadable(Failure { class: Class::Conflict, evidence }))
    }

    /// Whether a claim that is there gives way to this one.
    async fn may_replace(
        &self,
        store: &dyn Store,
        other: &PlatformClaim,
        ours: &PlatformClaim,
    ) -> Result<(), RunError> {
        if other.run == ours.run {
            let taken_over = other.epoch > ours.epoch
                || (other.epoch == ours.epoch
                    && (&other.holder, &other.store) != (&ours.holder, &ours.store));
            return if taken_over { Err(RunError::TakenOver(Box::new(other.clone()))) } else { Ok(()) };
        }
        if gives_way(store, other, self.owner.parent.as_ref()).await? {
            return Ok(());
        }
        let platform = self.owner.platform.clone();
        Err(RunError::ClaimedOutside { platform, claim: Box::new(other.clone()) })
    }
}

/// Whether the run of a claim gives way: it is over, or it hands its platform to the one that continues it.
async fn gives_way(
    store: &dyn Store,
    other: &PlatformClaim,
    parent: Option<&RunId>,
) -> Result<bool, RunError> {
    Ok(other.ended || parent == Some(&other.run) || claims::is_over(store, &other.run).await?)
}

/// Refuses a run before anything is called: the platform is another run's, or it has seen more of this run than its journal here.
/// A claim that cannot be read refuses nothing yet; no effect starts before it can.
pub(crate) async fn may_start(
    claims: Option<&PlatformClaims>,
    store: &dyn Store,
    (platform, run, parent): (&Label, &RunId, Option<&RunId>),
) -> Result<(), RunError> {
    let Some(claims) = claims else { return Ok(()) };
    let Ok(Some(KeptClaim { claim: Some(claim), .. })) = claims.port.read().await else { return Ok(()) };
    if claim.run != *run {
        return if gives_way(store, &claim, parent).await? {
            Ok(())
        } else {
            Err(RunError::ClaimedOutside { platform: platform.clone(), claim: Box::new(claim) })
        };
    }
    let reaches = store.journal(run).await?.is_some_and(|journal| journal.reaches(&claim.anchor));
    if reaches { Ok(()) } else { Err(RunError::JournalBehind(Box::new(claim))) }
}
