//! What operators ask of a run. It acts when its process next looks, or when it is next taken up.

use switchback_schemas::{
    journal::{Approval, Identified, SideEntry, SideKind},
    plan::ApprovalScope,
    report::AwaitedApproval,
};

use super::{handle::RunHandle, handover};
use crate::{
    load::{Done, load, replayed},
    runtime::RunError,
    store::StoreError,
};

/// Asks a run to pause, continue, retry, roll back or be abandoned, or adds a note.
pub async fn request(handle: RunHandle<'_>, by: Identified, says: SideKind) -> Done<()> {
    let RunHandle { store, clock, run, .. } = handle;
    handover::get_back(handle).await?;
    let (index, journal) = load(store, run).await?;
    // Large, and held over the wait below.
    let mut machine = Box::new(replayed(&index, run, &journal)?);
    let side = store.side(run).await?;
    // It would take a place that was heard already, and would not be.
    let cut = side.cut(machine.state().heard).filter(|_| !matches!(says, SideKind::Approve { .. }));
    if let Some(cut) = cut {
        let what = format!("{cut}: nothing more can be heard");
        return Err(StoreError::Said { run: run.clone(), what }.into());
    }
    machine.hear(side);
    let refuse = |why: String| Err(RunError::NotAllowed { run: run.clone(), why });
    let state = machine.state();
    let still = match &says {
        SideKind::Rollback { .. } => state.is_complete() || state.is_closed(),
        SideKind::Cleanup { .. } => state.may_clean_up(),
        SideKind::Approve { approval } => approval.scope == ApprovalScope::Cleanup {} && state.may_clean_up(),
        _ => false,
    };
    if state.is_over() && !still {
        return refuse(match &state.superseded {
            Some(by) => {
                format!(
                    "was continued by run {by}: after that one is rolled back to its start, this one continues"
                )
            }
            None if state.is_closed() => "is cleaned up".to_owned(),
            None => "has ended; make a new plan".to_owned(),
        });
    }
    let now = clock.now();
    match &says {
        SideKind::Retry { step, .. } if index.plan.step(step).is_none() => {
            return refuse(format!("has no step {step}"));
        }
        SideKind::Rollback { scope, .. } => {
            if let Some(obstacle) = machine.obstacle(scope, now) {
                return refuse(format!("cannot roll back there: {obstacle}"));
            }
        }
        // What is being removed goes on; it was decided when that began.
        SideKind::Cleanup { .. } if state.cleanup.is_some() && !state.is_over() => {}
        SideKind::Cleanup { .. } if !state.is_over() => {
            return refuse("has not ended: cleanup comes after its end".to_owned());
        }
        SideKind::Cleanup { early, .. } => {
            if let Some(obstacle) = machine.obstacle_to_cleanup(*early, now) {
                return refuse(format!("cannot be cleaned up now: {obstacle}"));
            }
        }
        _ => {}
    }
    Ok(store.say(&SideEntry { run: run.clone(), at: now, by, says }).await?)
}

/// Approves something of a run, or overrides a gate; who has approved that by now. What would not count is refused, and not written.
pub async fn approve(handle: RunHandle<'_>, approval: Approval) -> Done<AwaitedApproval> {
    let RunHandle { store, clock, run, .. } = handle;
    handover::get_back(handle).await?;
    let (index, journal) = load(store, run).await?;
    let mut machine = Box::new(replayed(&index, run, &journal)?);
    machine.hear(store.side(run).await?);
    // That a run is over says more than what is wrong with the approval.
    let counts = !machine.state().is_over() || approval.scope == ApprovalScope::Cleanup {};
    if let Some(void) = machine.void(&approval, clock.now()).filter(|_| counts) {
        return Err(RunError::Approval { run: run.clone(), void: Box::new(void) });
    }
    let scope = approval.scope.clone();
    request(handle, approval.by.clone(), SideKind::Approve { approval }).await?;
    machine.hear(store.side(run).await?);
    Ok(machine.awaited(&scope, clock.now()))
}
