//! Taking back what a dead process or a lost run still holds: the lease of a run, the claim on a platform.
//!
//! A lease is let go by the operating system when its process ends, so to take it proves that the process is dead or no
//! longer the one who may write. A new epoch is written then: a process that was only cut off, on a file system whose
//! locks do not reach it, finds its journal grown and stops.

use switchback_schemas::{
    RunId,
    journal::{End, Event, Identified, Residue, SideEntry, SideKind},
    name::Label,
};

use super::handle::RunHandle;
use crate::{
    load::Done,
    machine::{residue, who},
    ports::PlatformClaim,
    runtime::{RunError, Runtime},
    store::{StoreError, claims},
};

/// What a claim was taken back from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reclaimed {
    /// A run that was not over; it is abandoned now, and this is what it left.
    Abandoned(RunId, Vec<Residue>),
    /// A run that ended, or of which the store knows nothing.
    Nobody(RunId),
    /// A run whose journal cannot be read.
    Unreadable(RunId, String),
}

/// Releases the lease of a run whose process is proven dead: takes it, writes a new epoch and why, and lets go. Says who held
/// it last. Refused while a process works on the run.
pub async fn release_lease(handle: RunHandle<'_>, by: &Identified, reason: &str) -> Done<String> {
    let held = handle.take().await?;
    if held.machine.state().is_over() {
        let why = "has ended: no process holds it".to_owned();
        return Err(RunError::NotAllowed { run: handle.run.clone(), why });
    }
    let holders = held.journal().records.iter().rev().filter_map(|record| match &record.event {
        Event::Epoch { holder, .. } => Some(holder.clone()),
        _ => None,
    });
    let last = holders.into_iter().next().unwrap_or_else(|| "nobody".to_owned());
    let text = format!("the lease of {last} was released by {}: {reason}", who(by));
    let mut events = vec![Event::Noted { text }];
    // What it waits for is as it was: a run that was parked stays parked.
    let parked = held.machine.state().parked.clone();
    events.extend(parked.map(|(waits_for, wake_at)| Event::Parked { waits_for, wake_at }));
    held.append(events).await?;
    Ok(last)
}

/// Takes back the claim on a platform. A run that is not over is abandoned by it, which its journal says; it must have no
/// process. One that cannot be read is left as it is, and why its claim was taken is kept beside the claims.
pub async fn release_claim(
    runtime: &Runtime,
    platform: &Label,
    by: &Identified,
    reason: &str,
) -> Done<Option<Reclaimed>> {
    let store = &*runtime.store;
    let Some(named) = store.claim(platform).await? else { return Ok(None) };
    let holder = match claims::holder(store, platform).await {
        Ok(holder) => holder,
        // A lease is taken before a journal is read, so this also says that no process has it.
        Err(
            error @ (StoreError::Format { .. } | StoreError::Corrupt { .. } | StoreError::Content { .. }),
        ) => {
            if matches!(store.take(&named, None).await, Err(StoreError::Leased(_))) {
                return Err(StoreError::Leased(named).into());
            }
            return give_back(
                runtime,
                platform,
                &named,
                by,
                reason,
                Reclaimed::Unreadable(named.clone(), error.to_string()),
            )
            .await;
        }
        Err(error) => return Err(error.into()),
    };
    let Some(run) = holder else {
        return give_back(runtime, platform, &named, by, reason, Reclaimed::Nobody(named.clone())).await;
    };
    let held = runtime.handle(&run).take().await?;
    let state = held.machine.state();
    let mut left = residue(held.machine.plan(), state);
    left.insert(0, Residue::ClaimTaken { by: who(by), reason: reason.to_owned() });
    // As when a run is taken up, calls that the dead process left open are in doubt.
    let mut events: Vec<Event> = state.lost_calls(|_| false).collect();
    events.push(Event::Done { end: End::Abandoned, residue: left.clone() });
    held.append(events).await?;
    give_back(runtime, platform, &named, by, reason, Reclaimed::Abandoned(run, left)).await
}

/// Takes back the claim that a platform keeps on itself, of the run that is named or whose journal is kept here; why is kept beside
/// the claims. That run is told so before its next effect. `None` where nothing holds the platform.
pub async fn release_platform_claim(
    runtime: &Runtime,
    (platform, run): (&Label, Option<&RunId>),
    by: &Identified,
    reason: &str,
) -> Done<Option<PlatformClaim>> {
    let Some(claims) = &runtime.claims else { return Ok(None) };
    let unreadable = |failure| RunError::ClaimUnreadable { platform: platform.clone(), failure };
    let Some(kept) = claims.port.read().await.map_err(unreadable)? else { return Ok(None) };
    let Some(claim) = kept.claim.clone().filter(|claim| !claim.ended) else { return Ok(None) };
    if run != Some(&claim.run) && claim.store != claims.store {
        return Err(RunError::ClaimedOutside { platform: platform.clone(), claim: Box::new(claim) });
    }
    let text = format!("the claim of run {} on {platform} was released: {reason}", claim.run);
    let says = SideKind::Note { text };
    let entry = SideEntry { run: claim.run.clone(), at: runtime.clock.now(), by: by.clone(), says };
    runtime.store.note_claim(platform, &entry).await?;
    // A process that still works on the run finds an epoch that is not its own.
    let epoch = claim.epoch.saturating_add(1);
    let released = PlatformClaim { ended: true, epoch, holder: who(by), renewed: entry.at, ..claim.clone() };
    match claims.port.write(Some(&kept), &released).await.map_err(unreadable)? {
        Some(_) => Ok(Some(claim)),
        None => Err(StoreError::ClaimMoved(platform.clone()).into()),
    }
}

async fn give_back(
    runtime: &Runtime,
    platform: &Label,
    named: &RunId,
    by: &Identified,
    reason: &str,
    from: Reclaimed,
) -> Done<Option<Reclaimed>> {
    let store = &*runtime.store;
    let text = format!("the claim on {platform} was released: {reason}");
    let entry = SideEntry {
        run: named.clone(),
        at: runtime.clock.now(),
        by: by.clone(),
        says: SideKind::Note { text },
    };
    // Why comes first: a claim that is gone without a word would be worse than one that is explained and still there.
    store.note_claim(platform, &entry).await?;
    store.swap_claim(platform, Some(named), None).await?;
    Ok(Some(from))
}
