//! Where runs stand. Only looks.

use jiff::Timestamp;
use switchback_schemas::{
    RunId,
    journal::BackScope,
    report::{Report, RunState},
};

use crate::{
    load::{Done, load, replayed, unreportable},
    report::{self, Leftovers},
    store::Store,
};

/// The account of a run.
pub async fn status(store: &dyn Store, run: &RunId) -> Done<Report> {
    let (index, journal) = load(store, run).await?;
    report::report(&index, &journal).map_err(unreportable(run))
}

/// What a run left behind, without what the janitor cleared since.
pub async fn leftovers(store: &dyn Store, run: &RunId) -> Done<Leftovers> {
    let (index, journal) = load(store, run).await?;
    let mut left = report::leftovers(&index, &journal).map_err(unreportable(run))?;
    let side = store.side(run).await?;
    left.without(&report::cleared(&side));
    Ok(left)
}

/// All runs with where they stand. One that cannot be read does not hide the others.
pub async fn list(store: &dyn Store) -> Done<Vec<(RunId, Done<Report>)>> {
    let mut all = Vec::new();
    for run in store.runs().await? {
        let report = status(store, &run).await;
        all.push((run, report));
    }
    Ok(all)
}

/// Runs that may go on now: parked ones whose time has come or to which somebody said something, those that are over and were asked
/// to go back or to be closed.
pub async fn due(store: &dyn Store, now: Timestamp) -> Done<Vec<RunId>> {
    let mut due = Vec::new();
    for run in store.runs().await? {
        let Ok((index, journal)) = load(store, &run).await else { continue };
        let Ok(mut machine) = replayed(&index, &run, &journal) else { continue };
        let side = store.side(&run).await?;
        let heard = usize::try_from(machine.state().heard).unwrap_or(usize::MAX);
        let said = side.len() > heard;
        machine.hear(side);
        let state = machine.state();
        let reopened = state.is_over() && !machine.stays_over();
        let waits = state.parked.as_ref().is_some_and(|(_, wake)| wake.is_some_and(|wake| wake <= now));
        if reopened
            || !state.is_over() && (waits || (said && (state.parked.is_some() || state.hold.is_some())))
        {
            due.push(run);
        }
    }
    Ok(due)
}

/// Savepoints to which a run can be rolled back now, or why not: from the latest savepoint to the first.
pub async fn rollback_targets(
    store: &dyn Store,
    run: &RunId,
    now: Timestamp,
) -> Done<Vec<(BackScope, Option<String>)>> {
    let (index, journal) = load(store, run).await?;
    let machine = replayed(&index, run, &journal)?;
    let scopes = machine.state().reached.iter().rev().cloned().map(BackScope::Savepoint);
    Ok(scopes.map(|scope| (scope.clone(), machine.obstacle(&scope, now))).collect())
}

/// Whether a report says that nothing more will happen.
pub fn is_over(report: &Report) -> bool {
    matches!(report.state, RunState::Ended { .. } | RunState::Superseded { .. })
}
