//! What a command line does to runs.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use switchback_model::{
    journal::{Head, Journal, Line},
    lint,
};
use switchback_schemas::{
    Digest, RunId, Severity, StepId,
    format::Document,
    journal::{Approval, BackScope, Captured, Event, Identified, SideEntry, SideKind},
    plan::{Parent, Plan},
    report::{CarryOver, Report, RunState},
};

use crate::{
    env::Clock,
    janitor,
    machine::{Index, Machine, Settings},
    report::{self, Leftovers, ReportError},
    runtime::{Ended, RunError, Runtime, Stop, View},
    store::{NewRun, Store, StoreError, claims},
};

type Done<T> = Result<T, RunError>;

/// The run of a plan. One plan has one run, so starting it twice resumes it; a plan of a later observation has other bytes.
pub fn run_id(plan: &Digest) -> Done<RunId> {
    RunId::new(format!("r-{}", plan.short(12))).map_err(|error| RunError::Bug(error.to_string()))
}

fn indexed(bytes: &[u8]) -> Done<Arc<Index>> {
    let plan = Plan::from_json(bytes)?;
    let index = Index::new(Arc::new(plan), Digest::of(bytes));
    index.map(Arc::new).map_err(|error| RunError::Bug(format!("the plan is no DAG: {error}")))
}

fn told(run: &RunId) -> impl FnOnce(ReportError) -> RunError + '_ {
    move |error| match error {
        ReportError::Illegal(source) => RunError::Illegal { run: run.clone(), source: Box::new(source) },
        ReportError::NoHeader => RunError::Bug(format!("run {run}: {error}")),
    }
}

async fn known(store: &dyn Store, run: &RunId) -> Done<(Arc<Index>, Journal)> {
    let journal = store.journal(run).await?.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
    let index = indexed(&store.plan(run).await?)?;
    Ok((index, journal))
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
        Some(parent) => Some(heir(store, parent).await?),
        None => None,
    };
    let operation = inherited.as_ref().map_or(run, |carried| &carried.operation);
    let new = new.map(|plan| header(&index, run, operation, plan, runtime.clock.now())).transpose()?;
    let leased = store.take(run, new).await?;
    let mut machine = replayed(&index, run, &leased.journal)?;
    if let (Some(parent), Some(carried)) = (&index.plan.parent, inherited) {
        if !over {
            take_over(runtime, run, parent, &carried).await?;
        }
        machine.inherit(carried.captures);
    }
    let mut machine = with_settings(machine, runtime.settings);
    machine.hear(store.side(run).await?);
    runtime.carry_on(run, leased, machine, stop, view).await
}

/// The machine of a run that has this journal, with what earlier runs of its operation captured.
pub(crate) async fn folded(store: &dyn Store, run: &RunId, journal: &Journal) -> Done<Machine> {
    let index = indexed(&store.plan(run).await?)?;
    let mut machine = replayed(&index, run, journal)?;
    if let Some(parent) = &index.plan.parent {
        machine.inherit(heir(store, parent).await?.captures);
    }
    Ok(machine)
}

fn replayed(index: &Arc<Index>, run: &RunId, journal: &Journal) -> Done<Machine> {
    if let Some(Event::Header { plan, .. }) = journal.records.first().map(|record| &record.event)
        && *plan != index.digest
    {
        return Err(RunError::OtherPlan { run: run.clone(), plan: *plan });
    }
    let illegal = |source| RunError::Illegal { run: run.clone(), source: Box::new(source) };
    report::replay(index, journal, Settings::default()).map_err(illegal)
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

/// What the run that a plan continues hands over.
async fn heir(store: &dyn Store, parent: &Parent) -> Done<CarryOver> {
    carry_over(store, &parent.run).await
}

/// The hand-over: one record in the older run's journal. Everything before it can be repeated, everything after it
/// follows from it, so a crash at any point is mended by applying the plan again.
async fn take_over(runtime: &Runtime, run: &RunId, parent: &Parent, carried: &CarryOver) -> Done<()> {
    let store = &*runtime.store;
    let refuse = |why: &str| RunError::Parent { run: parent.run.clone(), why: why.to_owned() };
    let (index, journal) = known(store, &parent.run).await?;
    let state = replayed(&index, &parent.run, &journal)?;
    match &state.state().superseded {
        Some(by) if by == run => return Ok(()),
        Some(by) => return Err(refuse(&format!("it was continued by {by} already"))),
        None if state.state().is_over() => return Err(refuse("it has ended")),
        None => {}
    }
    for captured in carried.captures.values().flat_map(BTreeMap::values) {
        if let Captured::Artifact { digest, .. } = captured {
            let bytes = store.artifact(&parent.run, digest).await?;
            store.put_artifact(run, &bytes).await?;
        }
    }
    let mut leased = store.take(&parent.run, None).await?;
    if leased.journal.head.prev != parent.journal_head || index.digest != parent.plan {
        return Err(refuse("it has moved on since the plan was made; observe and plan again"));
    }
    let epoch = state.state().epoch.saturating_add(1);
    let (now, expected) = (runtime.clock.now(), leased.journal.head.next);
    let events = [Event::Epoch { holder: runtime.holder.clone() }, Event::Superseded { by: run.clone() }];
    let lines: Result<Vec<Line>, _> =
        events.into_iter().map(|event| leased.journal.head.line(epoch, now, event)).collect();
    let lines = lines.map_err(|error| RunError::Bug(error.to_string()))?;
    leased.log.append(expected, epoch, &lines).await?;
    Ok(())
}

/// What a run hands to the plan that continues it, with what it was handed itself.
pub async fn carry_over(store: &dyn Store, run: &RunId) -> Done<CarryOver> {
    let mut chain = Vec::new();
    let mut next = Some(run.clone());
    while let Some(run) = next {
        let (index, journal) = known(store, &run).await?;
        next = index.plan.parent.as_ref().map(|parent| parent.run.clone());
        if chain.iter().any(|(earlier, _, _)| *earlier == run) {
            return Err(RunError::Bug(format!("run {run} continues itself")));
        }
        chain.push((run, index, journal));
    }
    let mut captures: BTreeMap<StepId, BTreeMap<String, Captured>> = BTreeMap::new();
    let mut carried = None;
    for (run, index, journal) in chain.iter().rev() {
        let over = report::carry_over(index, journal, std::mem::take(&mut captures)).map_err(told(run))?;
        captures = over.captures.clone();
        carried = Some(over);
    }
    carried.ok_or_else(|| StoreError::NoSuchRun(run.clone()).into())
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
        return refuse(if state.is_closed() { "is closed" } else { "is over" }.to_owned());
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
