//! What a command line does to runs.

use std::sync::Arc;

use jiff::Timestamp;
use switchback_model::{
    journal::{Head, Journal, Line},
    lint,
};
use switchback_schemas::{
    Digest, RunId, Severity,
    format::Document,
    journal::{Approval, BackScope, End, Event, Identified, SideEntry, SideKind},
    plan::Plan,
    report::{Report, RunState},
};

use crate::{
    env::Clock,
    handover, janitor,
    known::{Done, indexed, known, replayed, told},
    machine::{Index, Machine, Rest, Settings},
    report::{self, Leftovers},
    runtime::{Ended, RunError, Runtime, Stop, View},
    store::{NewRun, Store, claims},
};

/// The run of a plan. One plan has one run, so starting it twice resumes it; a plan of a later observation has other bytes.
pub fn run_id(plan: &Digest) -> Done<RunId> {
    RunId::new(format!("r-{}", plan.short(12))).map_err(|error| RunError::Bug(error.to_string()))
}

/// Starts the run of a plan, or takes it up where it is, and carries it on until it comes to rest.
///
/// The plan is checked, drivers are looked for and targets prove who they are before anything is called; the platform is
/// claimed before the first effect.
pub async fn open_or_resume(
    runtime: &Runtime,
    plan: &[u8],
    stop: &Stop,
    view: &mut View<'_>,
) -> Done<(RunId, Ended)> {
    let index = indexed(plan)?;
    let findings: Vec<_> =
        lint::lint(&index.plan).into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    if !findings.is_empty() {
        return Err(RunError::Lint(findings));
    }
    let missing = runtime.drivers.missing(&index.plan);
    if !missing.is_empty() {
        return Err(RunError::NoDriver(missing));
    }
    let run = run_id(&index.digest)?;
    let ended = carry_on(runtime, &run, index, Some(plan), stop, view).await?;
    Ok((run, ended))
}

/// Takes up a run by its name, from the plan that is kept with it.
pub async fn resume(runtime: &Runtime, run: &RunId, stop: &Stop, view: &mut View<'_>) -> Done<Ended> {
    let (index, _) = known(&*runtime.store, run).await?;
    carry_on(runtime, run, index, None, stop, view).await
}

async fn carry_on(
    runtime: &Runtime,
    run: &RunId,
    index: Arc<Index>,
    new: Option<&[u8]>,
    stop: &Stop,
    view: &mut View<'_>,
) -> Done<Ended> {
    let store = &*runtime.store;
    handover::get_back(store, &*runtime.clock, &runtime.holder, run).await?;
    let over = match store.journal(run).await? {
        Some(journal) => {
            let mut machine = replayed(&index, run, &journal)?;
            machine.hear(store.side(run).await?);
            machine.stays_over()
        }
        None => false,
    };
    if !over {
        may_claim(store, &index.plan, run).await?;
        runtime.prove(&index.plan).await?;
    }
    let inherited = match &index.plan.parent {
        Some(parent) => Some(handover::carry_over(store, &parent.run).await?),
        None => None,
    };
    let operation = inherited.as_ref().map_or(run, |carried| &carried.operation);
    let new = new.map(|plan| header(&index, run, operation, plan, runtime.clock.now())).transpose()?;
    let leased = store.take(run, new).await?;
    let mut machine = replayed(&index, run, &leased.journal)?;
    if let (Some(parent), Some(carried)) = (&index.plan.parent, inherited) {
        if !over {
            handover::take_over(runtime, run, parent, &carried).await?;
        }
        machine.inherit(carried);
    }
    let mut machine = with_settings(machine, runtime.settings);
    machine.hear(store.side(run).await?);
    let ended = runtime.carry_on(run, leased, machine, stop, view).await?;
    if ended == Ended::Rest(Rest::Ended(End::Unwound)) {
        handover::give_back(store, &*runtime.clock, &runtime.holder, run).await?;
    }
    Ok(ended)
}

/// The machine of a run that has this journal, with what earlier runs of its operation captured.
pub(crate) async fn folded(store: &dyn Store, run: &RunId, journal: &Journal) -> Done<Machine> {
    let index = indexed(&store.plan(run).await?)?;
    let mut machine = replayed(&index, run, journal)?;
    if let Some(parent) = &index.plan.parent {
        machine.inherit(handover::carry_over(store, &parent.run).await?);
    }
    Ok(machine)
}

fn with_settings(mut machine: Machine, settings: Settings) -> Machine {
    machine.set(settings);
    machine
}

fn header(index: &Index, run: &RunId, operation: &RunId, plan: &[u8], now: Timestamp) -> Done<NewRun> {
    let event = Event::Header {
        format: Document::Journal.current(),
        run: run.clone(),
        operation: operation.clone(),
        platform: index.plan.platform.name.clone(),
        plan: index.digest,
        review: index.plan.digests.review,
    };
    let first: Line =
        Head::default().line(0, now, event).map_err(|error| RunError::Bug(error.to_string()))?;
    Ok(NewRun { plan: plan.to_vec(), first })
}

/// Whether nobody else has the platform, or the one that this plan continues.
async fn may_claim(store: &dyn Store, plan: &Plan, run: &RunId) -> Done<()> {
    let platform = &plan.platform.name;
    match claims::holder(store, platform).await? {
        Some(by) if by != *run && plan.parent.as_ref().is_none_or(|parent| parent.run != by) => {
            Err(RunError::Claimed { platform: platform.clone(), by })
        }
        _ => Ok(()),
    }
}

/// The account of a run.
pub async fn status(store: &dyn Store, run: &RunId) -> Done<Report> {
    let (index, journal) = known(store, run).await?;
    report::report(&index, &journal).map_err(told(run))
}

/// What a run left behind, without what the janitor cleared since.
pub async fn leftovers(store: &dyn Store, run: &RunId) -> Done<Leftovers> {
    let (index, journal) = known(store, run).await?;
    let mut left = report::leftovers(&index, &journal).map_err(told(run))?;
    let side = store.side(run).await?;
    left.without(&janitor::cleared(&side));
    Ok(left)
}

/// All runs with where they stand. One that cannot be read does not hide the others.
pub async fn runs(store: &dyn Store) -> Done<Vec<(RunId, Done<Report>)>> {
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
        let Ok((index, journal)) = known(store, &run).await else { continue };
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

/// Says something to a run: pause, continue, retry, roll back, abandon, a note. It acts when its process next looks, or when
/// it is next taken up.
pub async fn say(
    store: &dyn Store,
    clock: &dyn Clock,
    run: &RunId,
    by: Identified,
    says: SideKind,
) -> Done<()> {
    handover::get_back(store, clock, "a command that speaks to the run", run).await?;
    let (index, journal) = known(store, run).await?;
    let mut machine = replayed(&index, run, &journal)?;
    machine.hear(store.side(run).await?);
    let refuse = |why: String| Err(RunError::NotAllowed { run: run.clone(), why });
    let state = machine.state();
    let still = match &says {
        SideKind::Rollback { .. } => state.is_complete() || state.is_closed(),
        SideKind::Close { .. } | SideKind::Approve { .. } => state.may_close(),
        _ => false,
    };
    if state.is_over() && !still {
        return refuse(match &state.superseded {
            Some(by) => {
                format!("was continued by run {by}: when that one is back where it began, this one goes on")
            }
            None if state.is_closed() => "is closed".to_owned(),
            None => "is over".to_owned(),
        });
    }
    let now = clock.now();
    match &says {
        SideKind::Retry { step, .. } if index.plan.step(step).is_none() => {
            return refuse(format!("has no step {step}"));
        }
        SideKind::Rollback { scope, .. } => {
            if let Some(obstacle) = machine.obstacle(scope, now) {
                return refuse(format!("cannot go back there: {obstacle}"));
            }
        }
        // What is being removed goes on; it was decided when that began.
        SideKind::Close { .. } if state.closing.is_some() && !state.is_over() => {}
        SideKind::Close { .. } if !state.is_over() => {
            return refuse("is not over: what it keeps is removed after its end".to_owned());
        }
        SideKind::Close { early, .. } => {
            if let Some(obstacle) = machine.obstacle_to_close(*early, now) {
                return refuse(format!("cannot be closed now: {obstacle}"));
            }
        }
        SideKind::Approve { approval } if approval.review != index.plan.digests.review => {
            return refuse(
                "has another review digest: what was approved is not what would be done".to_owned(),
            );
        }
        _ => {}
    }
    Ok(store.say(&SideEntry { run: run.clone(), at: now, by, says }).await?)
}

/// Approves something of a run, or overrides a gate.
pub async fn approve(store: &dyn Store, clock: &dyn Clock, run: &RunId, approval: Approval) -> Done<()> {
    say(store, clock, run, approval.by.clone(), SideKind::Approve { approval }).await
}

/// Ways back of a run that can be taken now, or why not: from the latest savepoint to the first.
pub async fn ways_back(
    store: &dyn Store,
    run: &RunId,
    now: Timestamp,
) -> Done<Vec<(BackScope, Option<String>)>> {
    let (index, journal) = known(store, run).await?;
    let machine = replayed(&index, run, &journal)?;
    let scopes = machine.state().reached.iter().rev().cloned().map(BackScope::Savepoint);
    Ok(scopes.map(|scope| (scope.clone(), machine.obstacle(&scope, now))).collect())
}

/// Whether a report says that nothing more will happen.
pub fn is_over(report: &Report) -> bool {
    matches!(report.state, RunState::Ended { .. } | RunState::Superseded { .. })
}
