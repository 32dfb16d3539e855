//! Where runs stand. Only looks.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;
use switchback_model::trust::{Of, Trusted, Unsigned};
use switchback_schemas::{
    Digest, RunId, StepId,
    journal::{Approval, Captured, End, Event, RollbackScope, SideKind, WaitsFor},
    report::{AwaitedApproval, Report, RunState},
};

use super::single::{self, Single};
use crate::{
    load::{Done, load, of_run, replayed, unreportable},
    report::{self, LeftBehind},
    runtime::RunError,
    store::Store,
};

/// The account of a run.
pub async fn status(store: &dyn Store, run: &RunId) -> Done<Report> {
    let (index, journal) = load(store, run).await?;
    report::report(&index, &journal).map_err(unreportable(run))
}

/// The trust under which a run began, if its plan names one, and the digest of that plan.
pub async fn trust(store: &dyn Store, run: &RunId) -> Done<Option<(Arc<Trusted>, Digest)>> {
    let index = of_run(store, run, None).await?;
    Ok(index.trust.clone().map(|trust| (trust, index.digest)))
}

/// Approvals that counted, from the journal alone; whether the signature holds, where the plan names a trust.
pub async fn approved(store: &dyn Store, run: &RunId) -> Done<Vec<(Approval, Option<Result<(), Unsigned>>)>> {
    let (index, journal) = load(store, run).await?;
    let approvals = journal.records.into_iter().filter_map(|record| match record.event {
        Event::Approved { approval } => Some(approval),
        _ => None,
    });
    let held =
        |approval: &Approval| {
            index.plan.platform.trust.as_ref()?;
            Some(index.trust.as_ref().map_or(Err(Unsigned::Unkept), |trust| {
                trust.proves(Of { run, plan: &index.digest }, approval)
            }))
        };
    Ok(approvals.map(|approval| (approval.clone(), held(&approval))).collect())
}

/// Approvals that a run is parked for, with who has given them.
pub async fn awaited(store: &dyn Store, run: &RunId, now: Timestamp) -> Done<Vec<AwaitedApproval>> {
    let (index, journal) = load(store, run).await?;
    let mut machine = replayed(&index, run, &journal)?;
    machine.hear(store.side(run).await?);
    let waits = machine.state().parked.as_ref().map(|(waits, _)| waits.as_slice()).unwrap_or_default();
    let scopes = waits.iter().filter_map(|waits| match waits {
        WaitsFor::Approval { scope } => Some(scope),
        _ => None,
    });
    Ok(scopes.map(|scope| machine.awaited(scope, now)).collect())
}

/// What a run left behind, without what the janitor cleared since.
pub async fn left_behind(store: &dyn Store, run: &RunId) -> Done<LeftBehind> {
    let (index, journal) = load(store, run).await?;
    let machine = replayed(&index, run, &journal)?;
    let mut left = report::left_behind(&machine);
    let side = store.side(run).await?;
    let cleared = report::cleared(&side);
    left.without(&cleared);
    let alone = |step: &StepId| matches!(single::of(&machine, step, &cleared), Some(Single::Now(_)));
    left.alone = left.unfinished().filter(|step| alone(step)).cloned().collect();
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

/// Runs by whether they may go on now.
#[derive(Debug, Default)]
pub struct Due {
    /// Those that may.
    pub runs: Vec<RunId>,
    /// Those of which nobody can tell, and why.
    pub unread: Vec<(RunId, RunError)>,
}

/// Runs that may go on now: parked ones whose time has come or to which somebody said something, those that are over and were asked
/// to roll back or to be closed. One that cannot be read does not stop the others.
pub async fn due(store: &dyn Store, now: Timestamp) -> Done<Due> {
    let mut all = Due::default();
    for run in store.runs().await? {
        match is_due(store, &run, now).await {
            Ok(true) => all.runs.push(run),
            Ok(false) => {}
            Err(error) => all.unread.push((run, error)),
        }
    }
    Ok(all)
}

async fn is_due(store: &dyn Store, run: &RunId, now: Timestamp) -> Done<bool> {
    let (index, journal) = load(store, run).await?;
    let mut machine = replayed(&index, run, &journal)?;
    let side = store.side(run).await?;
    let heard = usize::try_from(machine.state().heard).unwrap_or(usize::MAX);
    let said = side.places.len() > heard;
    machine.hear(side);
    let state = machine.state();
    if state.is_over() {
        return Ok(!machine.stays_over());
    }
    let waits = state.parked.as_ref().is_some_and(|(_, wake)| wake.is_some_and(|wake| wake <= now));
    Ok(waits || (said && (state.parked.is_some() || state.hold.is_some())))
}

/// Savepoints to which a run can be rolled back now, or why not: from the latest savepoint to the first.
pub async fn rollback_targets(
    store: &dyn Store,
    run: &RunId,
    now: Timestamp,
) -> Done<Vec<(RollbackScope, Option<String>)>> {
    let (index, journal) = load(store, run).await?;
    let machine = replayed(&index, run, &journal)?;
    let scopes = machine.state().reached.iter().rev().cloned().map(RollbackScope::Savepoint);
    Ok(scopes.map(|scope| (scope.clone(), machine.obstacle(&scope, now))).collect())
}

/// What the steps of a run captured, by step and name. Objects lie beside the journal and are left out.
pub async fn captured(store: &dyn Store, run: &RunId) -> Done<BTreeMap<(StepId, String), Value>> {
    let (index, journal) = load(store, run).await?;
    let machine = replayed(&index, run, &journal)?;
    let plan = machine.plan();
    let forward = plan.steps.iter().map(|step| (&step.id, &step.work));
    let back = plan.rollback.iter().map(|step| (&step.id, &step.work));
    let all = forward
        .chain(back)
        .flat_map(|(id, work)| work.captures.iter().map(move |capture| (id, &capture.name)));
    let scalar = |(id, name): (&StepId, &String)| match machine.captured(id, name, None) {
        Some(Captured::Scalar(value)) => Some(((id.clone(), name.clone()), value.clone())),
        _ => None,
    };
    Ok(all.filter_map(scalar).collect())
}

/// Whether a report says that nothing more will happen.
pub fn is_over(report: &Report) -> bool {
    matches!(report.state, RunState::Ended { .. } | RunState::Superseded { .. })
}

/// Whether a run rests where an operator asked it to: paused, or where a rollback ends that was asked for. A failure that
/// came after the request is none.
pub async fn rests_as_requested(store: &dyn Store, run: &RunId) -> Done<bool> {
    let (_, journal) = load(store, run).await?;
    let side = store.side(run).await?;
    let (mut back, mut rests) = (None, false);
    for (record, next) in journal.records.iter().zip(journal.records.iter().skip(1).map(Some).chain([None])) {
        // What acts on a request is followed by the record that it was heard.
        let request = match next.map(|next| &next.event) {
            Some(Event::Heard { entries }) => {
                usize::try_from(*entries).ok().and_then(|n| side.places.get(n.checked_sub(1)?)?.as_ref().ok())
            }
            _ => None,
        };
        match (&record.event, request.map(|entry| &entry.says)) {
            (Event::TurnedToRollback { scope, .. }, Some(SideKind::Rollback { .. })) => back = Some(scope),
            // Going on after a hold leaves what was asked for as it was.
            (Event::TurnedToRollback { .. }, Some(SideKind::Continue { .. })) => rests = false,
            (Event::TurnedToRollback { .. } | Event::TurnedForward { .. }, _) => {
                (back, rests) = (None, false);
            }
            (Event::Held { at, .. }, request) => {
                let undone = |scope: &&RollbackScope| matches!((scope, at), (RollbackScope::Step(step), Some(at)) if at.step == *step);
                rests = matches!(request, Some(SideKind::Pause { .. })) || back.as_ref().is_some_and(undone);
            }
            (Event::Done { end, .. }, _) => rests = *end == End::RolledBack && back.is_some(),
            _ => {}
        }
    }
    Ok(rests)
}
