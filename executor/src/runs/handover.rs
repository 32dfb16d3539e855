//! Runs of one operation: what one hands to the plan that continues it, the hand-over of the platform, and its return when the later
//! run rolls back to where it began. So an operation rolls back through its runs as it came, each by its own journal.
//!
//! Each hand-over is one record in the earlier run's journal. Everything before it can be repeated and everything after it
//! follows from it, so a crash at any point is mended when one of the two runs is taken up again.

use std::collections::BTreeMap;

use switchback_model::journal::{Journal, Side};
use switchback_schemas::{
    HopId, RunId,
    journal::{At, Captured, End, Event, Record},
    name::Label,
    plan::{ExpiresEarlier, Parent, Plan},
    report::{CarriedHop, CarryOver},
};

use super::handle::RunHandle;
use crate::{
    load::{Done, load, of_run, replayed, unreportable},
    machine::{RunState, left_suspended},
    report::{self, cleared},
    runtime::RunError,
    store::{Store, StoreError, claims},
};

/// What a run hands to the plan that continues it, with what it was handed itself.
pub async fn carry_over(store: &dyn Store, run: &RunId) -> Done<CarryOver> {
    let mut chain = Vec::new();
    let mut next = Some(run.clone());
    while let Some(run) = next {
        let (index, journal) = load(store, &run).await?;
        next = index.plan.parent.as_ref().map(|parent| parent.run.clone());
        if chain.iter().any(|(earlier, _, _)| *earlier == run) {
            return Err(RunError::Bug(format!("run {run} continues itself")));
        }
        chain.push((run, index, journal));
    }
    let mut carried: Option<CarryOver> = None;
    for (run, index, journal) in chain.iter().rev() {
        let own = report::carry_over(index, journal).map_err(unreportable(run))?;
        carried = Some(match carried {
            Some(earlier) => joined(earlier, own),
            None => own,
        });
    }
    carried.ok_or_else(|| StoreError::NoSuchRun(run.clone()).into())
}

/// What a run hands on, with what it was handed itself.
fn joined(earlier: CarryOver, own: CarryOver) -> CarryOver {
    let CarryOver { mut captures, mut applied, mut hops, .. } = earlier;
    for (step, made) in own.captures {
        captures.entry(step).or_default().extend(made);
    }
    // What this run began again tells nothing any more, unless it was seen done.
    applied.retain(|step, _| !own.began.contains(step));
    applied.extend(own.applied);
    for hop in &mut hops {
        let moved = |later: &CarriedHop| later.whole && later.id.moves_same(&hop.id);
        hop.whole |= own.hops.iter().any(moved);
    }
    hops.extend(own.hops);
    CarryOver { captures, applied, hops, ..own }
}

/// The run of a plan takes over from the run that the plan continues.
pub(super) async fn take_over(
    handle: RunHandle<'_>,
    (parent, under_trust): (&Parent, bool),
    carried: &CarryOver,
) -> Done<()> {
    let RunHandle { store, run, .. } = handle;
    let refuse = |why: &str| RunError::Parent { run: parent.run.clone(), why: why.to_owned() };
    let (index, journal) = load(store, &parent.run).await?;
    let earlier = replayed(&index, &parent.run, &journal)?;
    if index.plan.platform.trust.is_some() && !under_trust {
        return Err(refuse("it began under a trust, and a plan under none does not continue it"));
    }
    match &earlier.state().superseded {
        Some(by) if by == run => return Ok(()),
        Some(by) => return Err(refuse(&format!("it was continued by {by} already"))),
        None if earlier.state().is_over() => return Err(refuse("it has ended")),
        None => {}
    }
    for captured in carried.captures.values().flat_map(BTreeMap::values) {
        if let Captured::Artifact { digest, .. } = captured {
            let bytes = store.artifact(&parent.run, digest).await?;
            store.put_artifact(run, &bytes).await?;
        }
    }
    let earlier = handle.of(&parent.run).take().await?;
    if earlier.journal().head.prev != parent.journal_head || index.digest != parent.plan {
        return Err(refuse("it has moved on since the plan was made; observe and plan again"));
    }
    earlier.append(vec![Event::Superseded { by: run.clone() }]).await
}

/// If a run that continues another one rolled back to where it began, the platform is the earlier run's again.
pub(super) async fn give_back(handle: RunHandle<'_>) -> Done<()> {
    let RunHandle { store, run, .. } = handle;
    let (index, journal) = load(store, run).await?;
    let Some(parent) = &index.plan.parent else { return Ok(()) };
    let later = replayed(&index, run, &journal)?;
    if !went_back(later.state(), &index.plan, &store.side(run).await?) {
        return Ok(());
    }
    // Until what it had left open was cleared, the platform was nobody's.
    let free = matches!(later.state().ended, Some((End::RolledBackSuspended, _)));
    if free && taken_since(store, [run, &parent.run], &index.plan.platform.name, &journal).await? {
        return Ok(());
    }
    let (before, journal) = load(store, &parent.run).await?;
    let earlier = replayed(&before, &parent.run, &journal)?;
    if earlier.state().ended.is_none() && earlier.state().superseded.as_ref() == Some(run) {
        // First the claim, which is nobody's until the record says that the earlier run goes on. Whoever took the platform in
        // between keeps it; the earlier run is told so when it acts.
        let _taken = claims::take(store, &before.plan.platform.name, &parent.run).await?;
        let returned = Event::Returned { from: run.clone(), lost: lost(parent, later.state()) };
        handle.of(&parent.run).take().await?.append(vec![returned]).await?;
    }
    Ok(())
}

/// Whether another run than these took the platform since one ended: its work is not to be rolled back past.
async fn taken_since(store: &dyn Store, but: [&RunId; 2], platform: &Label, ended: &Journal) -> Done<bool> {
    let end = ended.records.iter().rev().find(|record| matches!(record.event, Event::Done { .. }));
    let Some(end) = end.map(|record| record.at) else { return Ok(false) };
    for run in store.runs().await?.into_iter().filter(|run| !but.contains(&run)) {
        // Nobody knows what one did that cannot be read.
        let Ok((index, journal)) = load(store, &run).await else { return Ok(true) };
        let took = |record: &Record| matches!(record.event, Event::Claimed {}) && record.at >= end;
        if index.plan.platform.name == *platform && journal.records.iter().any(took) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The same, asked for the earlier run: a process may have died between the end of the later run and the return.
pub(super) async fn get_back(handle: RunHandle<'_>) -> Done<()> {
    let RunHandle { store, run, .. } = handle;
    let Some(journal) = store.journal(run).await? else { return Ok(()) };
    let index = of_run(store, run, None).await?;
    if let Some(by) = &replayed(&index, run, &journal)?.state().superseded {
        give_back(handle.of(by)).await?;
    }
    Ok(())
}

/// The run that has the platform again, since the one that continued it rolled back to where it began.
pub async fn returned_to(store: &dyn Store, run: &RunId) -> Done<Option<RunId>> {
    let (index, _) = load(store, run).await?;
    let Some(parent) = &index.plan.parent else { return Ok(None) };
    let (before, journal) = load(store, &parent.run).await?;
    let last = journal.records.iter().rev().find_map(|record| match &record.event {
        Event::Returned { from, .. } => Some(from == run),
        Event::Superseded { .. } => Some(false),
        _ => None,
    });
    let over = replayed(&before, &parent.run, &journal)?.state().is_over();
    Ok((last == Some(true) && !over).then(|| parent.run.clone()))
}

/// Rollbacks of earlier runs that a later one ended, or was told of itself. What was begun once counts, also when it was undone.
fn lost(parent: &Parent, state: &RunState) -> BTreeMap<HopId, String> {
    let begun = |closing: &&ExpiresEarlier| {
        state.task(&At::forward(&closing.at)).is_some_and(|task| task.attempts > 0)
    };
    let own = parent.expires.iter().filter(begun).map(|closing| (closing.hop.clone(), closing.why.clone()));
    state.lost.clone().into_iter().chain(own).collect()
}

/// Back where it began, with nothing of its own left open: a suspension that it had to leave open was cleared by name.
fn went_back(state: &RunState, plan: &Plan, side: &Side) -> bool {
    let clear = match &state.ended {
        Some((End::RolledBack, _)) => true,
        Some((End::RolledBackSuspended, _)) => {
            let cleared = cleared(side);
            left_suspended(plan, state).iter().all(|suspension| cleared.contains(&suspension.id.as_str()))
        }
        _ => false,
    };
    clear && state.returns(plan)
}
