//! Abandoning a run: it ends where it stands, lets its platform go, and what it leaves is listed.

use switchback_schemas::{
    RunId,
    journal::{Class, End, Event, Evidence, Identified, Residue, SideKind},
};

use super::commands::request;
use crate::{
    load::{Done, load},
    machine::{residue, who},
    ports::{Failure, PlatformClaim},
    runtime::{RunError, Runtime, may_start},
    store::{StoreError, claims},
};

/// What came of abandoning a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// It has ended.
    Ended {
        /// What it left.
        left: Vec<Residue>,
        /// Why the platform itself still says that the run holds it, if it does.
        unreleased: Option<Failure>,
    },
    /// A process works on it, and ends it when its calls have returned.
    ByItsProcess,
}

/// Abandons a run. Nothing is called on what it moved; the claim on its platform is released.
pub async fn abandon(runtime: &Runtime, run: &RunId, by: &Identified, reason: &str) -> Done<Abandoned> {
    let (store, handle) = (&*runtime.store, runtime.handle(run));
    let (index, _) = load(store, run).await?;
    let platform = &index.plan.platform.name;
    let parent = index.plan.parent.as_ref().map(|parent| &parent.run);
    // An old copy of its journal would list what the run left at another time.
    if let Err(behind @ RunError::JournalBehind(_)) =
        may_start(runtime.claims.as_ref(), store, (platform, run, parent)).await
    {
        return Err(behind);
    }
    request(handle, by.clone(), SideKind::Abandon { reason: reason.to_owned() }).await?;
    let held = match handle.take().await {
        Err(RunError::Store(StoreError::Leased(_))) => return Ok(Abandoned::ByItsProcess),
        held => held?,
    };
    let state = held.machine.state();
    let left = if let Some((_, left)) = &state.ended {
        // Its process was faster.
        left.clone()
    } else {
        let mut left = residue(held.machine.plan(), state);
        left.insert(0, Residue::Abandoned { by: who(by), reason: reason.to_owned() });
        // As when a run is taken up, calls that a dead process left open are in doubt.
        let mut events: Vec<Event> = state.lost_calls(|_| false).collect();
        events.push(Event::Done { end: End::Abandoned, residue: left.clone() });
        held.append(events).await?;
        left
    };
    claims::release(store, platform, run).await?;
    Ok(Abandoned::Ended { left, unreleased: let_go(runtime, run).await? })
}

/// Says on the platform that the run is over; why that cannot be said.
async fn let_go(runtime: &Runtime, run: &RunId) -> Done<Option<Failure>> {
    let Some(claims) = &runtime.claims else { return Ok(None) };
    let kept = match claims.port.read().await {
        Ok(Some(kept)) => kept,
        Ok(None) => return Ok(None),
        Err(failure) => return Ok(Some(failure)),
    };
    let Some(claim) = kept.claim.clone().filter(|claim| claim.run == *run && !claim.ended) else {
        return Ok(None);
    };
    let (_, journal) = load(&*runtime.store, run).await?;
    let ended = PlatformClaim {
        ended: true,
        // A process that still works on the run finds an epoch that is not its own.
        epoch: claim.epoch.saturating_add(1),
        holder: runtime.holder.clone(),
        renewed: runtime.clock.now(),
        anchor: journal.head,
        ..claim
    };
    Ok(match claims.port.write(Some(&kept), &ended).await {
        Ok(Some(_)) => None,
        Ok(None) => {
            let evidence = Evidence::line("the claim on the platform is being written by others");
            Some(Failure { class: Class::Conflict, evidence })
        }
        Err(failure) => Some(failure),
    })
}
