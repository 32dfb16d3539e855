//! The account of a run, folded from its journal over its plan.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use switchback_model::{
    decide::{self, RollbackTimes},
    forecast,
    journal::{Journal, Side},
    rollback_order,
    windows::Windows,
    work::worked,
};
use switchback_schemas::{
    RunId, Seconds, StepId,
    format::Document,
    journal::{At, Captured, End, Event, Residue, RollbackScope, SideKind, Way},
    name::{Label, SavepointId},
    plan::{Action, Hop, Plan, Retention, Roll, Savepoint, Stale, Step, Suspension},
    report::{
        CaptureName, CarriedHop, CarryOver, ExpiringRollback, LeftSuspended, Report, Retained,
        RunState as Stands, StepReport, StepStatus,
    },
};

use crate::machine::{
    Illegal, Index, Machine, Phase, RunState, Settings, Task, left_suspended, residue, standing, step_of,
};

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The journal tells an impossible story.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The journal has no header, or no savepoint has a name.
    #[error("the file does not start like a journal")]
    NoHeader,
}

/// A machine with every record of a journal.
pub fn replay(
    index: &std::sync::Arc<Index>,
    journal: &Journal,
    settings: Settings,
) -> Result<Machine, Illegal> {
    let mut machine = Machine::of(std::sync::Arc::clone(index), settings);
    journal.records.iter().try_for_each(|record| machine.apply(record))?;
    Ok(machine)
}

/// The account of a run.
pub fn report(index: &std::sync::Arc<Index>, journal: &Journal) -> Result<Report, ReportError> {
    let machine = replay(index, journal, Settings::default())?;
    let state = machine.state();
    let (Some(run), Some(first), Some(last)) = (state.run.clone(), state.began, state.last) else {
        return Err(ReportError::NoHeader);
    };
    let plan = &index.plan;
    let left = match &state.ended {
        Some((_, residue)) => residue.clone(),
        None => residue(plan, state),
    };
    let mut report = Report {
        format: Document::Report.current(),
        run,
        platform: plan.platform.name.clone(),
        plan: index.digest,
        started: first,
        last,
        state: stands(state),
        rollback: state.back.as_ref().map(|back| back.why.clone()),
        savepoint: savepoint(state)?,
        steps: steps(index, state, &worked(&journal.records)),
        left_suspended: left_suspended(plan, state).iter().map(|suspension| suspension.id.clone()).collect(),
        approvals: state.approvals.clone(),
        awaited: Vec::new(),
        residue: left,
        worse: state.census.worse.clone(),
        retained: retained(plan, state),
        expiring: Vec::new(),
    };
    report.expiring = expiring(index, state, &report);
    // One that has closed, or for which something is missing, is none.
    let taken = |to: &SavepointId| machine.obstacle(&RollbackScope::Savepoint(to.clone()), last).is_none();
    report.expiring.retain(|way| taken(&way.to));
    Ok(report)
}

/// Rollbacks that are open and known to close, to where the run has been; a run that ended otherwise than complete takes none. What
/// is still to come is taken as if the run went on at once.
fn expiring(index: &Index, state: &RunState, report: &Report) -> Vec<ExpiringRollback> {
    let plan = &index.plan;
    let over = state.ended.as_ref().is_some_and(|(end, _)| *end != End::Complete);
    // What can expire is ordered once for each savepoint: the one account here that grows with hops times steps.
    let expires = plan.rollback.iter().any(|undo| !undo.expires.is_empty());
    if over || state.superseded.is_some() || !expires {
        return Vec::new();
    }
    let ran = forecast::ran(report);
    let forecast = forecast::forecast(plan, &index.graph, report.last, &ran).unwrap_or_default();
    let Ok(windows) = Windows::back(&plan.windows) else { return Vec::new() };
    let standing = forecast::standing(report);
    let reached = |id: &SavepointId| id.as_str() == "start" || state.reached.contains(id);
    let savepoints = plan.savepoints.iter().rev().filter(|savepoint| reached(&savepoint.id));
    let way = |savepoint: &Savepoint| {
        let way = rollback_order(plan, &index.graph, &standing, savepoint);
        let times = decide::times(plan, &way, &forecast, &windows, report.last)?;
        let RollbackTimes { expires_at, why, step, decide_by, .. } = times;
        way.is_open().then(|| ExpiringRollback { to: savepoint.id.clone(), decide_by, expires_at, why, step })
    };
    savepoints.filter_map(way).collect()
}

/// What a run hands to the plan that continues it, of its own.
pub(crate) fn carry_over(index: &std::sync::Arc<Index>, journal: &Journal) -> Result<CarryOver, ReportError> {
    let machine = replay(index, journal, Settings::default())?;
    let state = machine.state();
    let (Some(run), Some(operation)) = (state.run.clone(), state.operation.clone()) else {
        return Err(ReportError::NoHeader);
    };
    let mut captures: BTreeMap<StepId, BTreeMap<String, Captured>> = BTreeMap::new();
    for (at, task) in state.tasks.iter().filter(|(at, _)| at.item.is_none() && at.way == Way::Forward) {
        if !task.captured.is_empty() {
            captures.entry(at.step.clone()).or_default().extend(task.captured.clone());
        }
    }
    let can_be_undone = |step: &StepId| !index.rollback_of(step).is_empty() && state.is_started(step);
    let done = index.plan.steps.iter().map(|step| &step.id);
    let done = done.filter(|step| state.phase(&At::forward(step)) == Phase::Done && can_be_undone(step));
    Ok(CarryOver {
        hops: begun(index, state, &run),
        run,
        operation,
        plan: index.digest,
        journal_head: journal.head.prev.clone(),
        savepoint: savepoint(state)?,
        captures,
        applied: applied(index, state),
        left_suspended: left_suspended(&index.plan, state)
            .into_iter()
            .map(|open| left(index, open))
            .collect(),
        done: done.cloned().collect(),
        began: state.started().into_iter().collect(),
    })
}

/// When the steps were applied, and not undone, that tell old nodes from new ones.
fn applied(index: &Index, state: &RunState) -> BTreeMap<StepId, Timestamp> {
    let tells = |step: &Step| match &step.work.action {
        Action::Roll(Roll { stale: Stale::BornBefore(step), .. }) => Some(step.clone()),
        _ => None,
    };
    let instant = |step: StepId| {
        let applied = state.task(&At::forward(&step))?.applied?;
        state.is_started(&step).then_some((step, applied))
    };
    index.plan.steps.iter().filter_map(tells).filter_map(instant).collect()
}

/// Hops that were begun and are not taken back.
fn begun(index: &Index, state: &RunState, run: &RunId) -> Vec<CarriedHop> {
    let (mut begun, mut lacking) = (BTreeSet::new(), BTreeSet::new());
    for step in &index.plan.steps {
        if state.is_started(&step.id) {
            begun.insert(&step.hop);
        }
        let undone = state.undone.contains(&step.id);
        if undone || !state.phase(&At::forward(&step.id)).is_finished() {
            lacking.insert(&step.hop);
        }
    }
    let carried = |hop: &Hop| CarriedHop {
        id: hop.id.clone(),
        run: run.clone(),
        from: hop.from.clone(),
        whole: !lacking.contains(&hop.id),
    };
    index.plan.hops.iter().filter(|hop| begun.contains(&hop.id)).map(carried).collect()
}

/// A suspension as the plan that continues a run has to know it.
fn left(index: &Index, suspension: &Suspension) -> LeftSuspended {
    let closing = index.plan.step(&suspension.resume).map(|step| step.work.captures_used());
    LeftSuspended {
        id: suspension.id.clone(),
        title: suspension.title.clone(),
        held: suspension.held.clone(),
        puts_back: closing
            .unwrap_or_default()
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(|(step, name)| CaptureName { step, name })
            .collect(),
        resume_command: suspension.resume_command.clone(),
    }
}

/// What a run left behind that somebody may have to clean up after an accident.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LeftBehind {
    /// Suspensions that are in force: name, owner, closing command.
    pub suspensions: Vec<(Label, String, String)>,
    /// Nodes of a batch that were touched and neither replaced nor let go, by name.
    pub nodes: Vec<String>,
    /// Calls of which nobody knows whether they happened.
    pub in_doubt: Vec<At>,
    /// Everything else that was left.
    pub residue: Vec<Residue>,
    /// Steps among it that can be taken back one by one, and now.
    pub alone: Vec<StepId>,
}

impl LeftBehind {
    /// Takes out what was cleared, by its name.
    pub(crate) fn without(&mut self, cleared: &[&str]) {
        self.suspensions.retain(|(suspension, _, _)| !cleared.contains(&suspension.as_str()));
        self.nodes.retain(|node| !cleared.contains(&node.as_str()));
        self.residue.retain(|left| !cleared.iter().any(|name| left.is_named(name)));
    }

    /// Steps that are not undone.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &StepId> {
        self.residue.iter().filter_map(|left| match left {
            Residue::Work { at, .. } if at.way == Way::Forward && at.item.is_none() => Some(&at.step),
            _ => None,
        })
    }
}

/// Names of what was cleared already.
pub(crate) fn cleared(side: &Side) -> Vec<&str> {
    let names = side.said().filter_map(|entry| match &entry.says {
        SideKind::Cleared { what, .. } => Some(what.as_str()),
        _ => None,
    });
    names.collect()
}

/// What a run left behind.
pub(crate) fn left_behind(machine: &Machine) -> LeftBehind {
    let (plan, state) = (machine.plan(), machine.state());
    // A look that nobody heard of changed nothing.
    let looks = |at: &At| at.item.is_none() && plan.step(&at.step).is_some_and(|step| step.work.only_looks());
    let doubtful = |task: &Task| matches!(task.phase, Phase::Called | Phase::InDoubt | Phase::Asked);
    let open = left_suspended(plan, state);
    let nodes = state.touched_nodes(plan).into_iter().map(|(_, item)| item.name.clone());
    // A step that suspends is told of by its suspension.
    let suspends = |at: &At| open.iter().any(|suspension| At::forward(&suspension.suspend) == *at);
    let mut left = residue(plan, state);
    left.retain(|left| match left {
        Residue::Suspended { .. } | Residue::Node { .. } => false,
        Residue::Work { at, .. } => !suspends(at),
        Residue::Abandoned { .. } | Residue::ClaimTaken { .. } => true,
    });
    LeftBehind {
        suspensions: open.iter().map(|b| (b.id.clone(), b.owner.clone(), b.resume_command.clone())).collect(),
        nodes: nodes.collect(),
        in_doubt: state
            .tasks
            .iter()
            .filter(|(at, task)| doubtful(task) && !looks(at))
            .map(|(at, _)| at.clone())
            .collect(),
        residue: left,
        alone: Vec::new(),
    }
}

/// What steps that are done have put up, and neither an undo nor closing has taken down.
fn retained(plan: &Plan, state: &RunState) -> Vec<Retained> {
    let one = |(left, until): (&Retention, Timestamp)| Retained {
        until,
        what: left.what.clone(),
        why: left.why.clone(),
        step: left.step.clone(),
    };
    let mut kept: Vec<Retained> = standing(plan, state).into_iter().map(one).collect();
    kept.sort();
    kept
}

fn savepoint(state: &RunState) -> Result<SavepointId, ReportError> {
    // Before the first savepoint is written down, a run is where it began.
    let start = || SavepointId::new("start").map_err(|_| ReportError::NoHeader);
    state.savepoint().cloned().map_or_else(start, Ok)
}

fn stands(state: &RunState) -> Stands {
    if let Some((end, _)) = &state.ended {
        Stands::Ended { end: *end }
    } else if let Some(by) = &state.superseded {
        Stands::Superseded { by: by.clone() }
    } else if let Some((waits_for, wake_at)) = &state.parked {
        Stands::Parked { waits_for: waits_for.clone(), wake_at: *wake_at }
    } else if let Some(hold) = &state.hold {
        Stands::Held { why: hold.why.clone() }
    } else {
        Stands::Running {}
    }
}

fn steps(index: &Index, state: &RunState, worked: &BTreeMap<At, Seconds>) -> Vec<StepReport> {
    let mut reports = Vec::new();
    let one = |at: &At, title| StepReport { worked: worked.get(at).copied(), ..one(state, at, title) };
    let mut others: BTreeMap<&StepId, Vec<&At>> = BTreeMap::new();
    for at in state.tasks.keys().filter(|at| at.item.is_some() || at.way != Way::Forward) {
        if let Some(step) = step_of(&index.plan, at) {
            others.entry(&step.id).or_default().push(at);
        }
    }
    for step in &index.plan.steps {
        reports.push(one(&At::forward(&step.id), step.work.title.clone()));
        for at in others.remove(&step.id).unwrap_or_default() {
            let node = state.item(at).map(|item| item.name.as_str());
            let undo = index.plan.rollback_step(&at.step).filter(|_| at.way == Way::Rollback);
            let own = undo.map_or(&step.work.title, |undo| &undo.work.title);
            let title = match node {
                Some(_) => own.clone(),
                None if at.way == Way::Cleanup => cleanup_title(&index.plan, step),
                None => format!("undo: {own}"),
            };
            reports.push(StepReport { node: node.map(str::to_owned), ..one(at, title) });
        }
    }
    reports
}

/// What the removal of a step's retained resource does.
fn cleanup_title(plan: &Plan, step: &Step) -> String {
    let left = plan.retentions.iter().find(|left| left.step == step.id);
    left.map_or_else(|| step.work.title.clone(), |left| left.removal.title.clone())
}

fn one(state: &RunState, at: &At, title: String) -> StepReport {
    let task = state.task(at);
    let undone = at.way == Way::Forward && state.undone.contains(&at.step);
    let gone = at.item.as_ref().is_some_and(|item| {
        let roll = At { item: None, ..at.clone() };
        state.roll(&roll).is_some_and(|roll| roll.gone.contains(&item.key))
    });
    let status = match state.phase(at) {
        Phase::Done | Phase::Skipped => {
            if undone && state.task(at).is_some_and(Task::may_have_acted) {
                StepStatus::RolledBack
            } else if state.phase(at) == Phase::Skipped {
                StepStatus::Skipped
            } else {
                StepStatus::Done
            }
        }
        _ if gone => StepStatus::Gone,
        phase if undone && phase != Phase::New => StepStatus::RolledBack,
        Phase::New => StepStatus::NotStarted,
        Phase::Called | Phase::Applied | Phase::Again | Phase::Rolling => StepStatus::Running,
        Phase::Blocked | Phase::LeftSuspended => StepStatus::Blocked,
        Phase::InDoubt | Phase::Asked => StepStatus::InDoubt,
        Phase::Failed | Phase::Stopped | Phase::Unproven => StepStatus::Failed,
    };
    StepReport {
        at: at.clone(),
        title,
        node: None,
        status,
        started: task.map(|task| task.began),
        ended: task.map(|task| task.last),
        worked: None,
        attempts: task.map_or(0, |task| task.attempts),
        evidence: task.map(|task| task.evidence.clone()).unwrap_or_default(),
    }
}

/// How long a run took, from its first record to its last.
pub fn length(report: &Report) -> Seconds {
    Seconds(u64::try_from(report.last.duration_since(report.started).as_secs()).unwrap_or(0))
}

/// Lines of a journal for people: when, what, where.
pub fn timeline(journal: &Journal) -> Vec<(jiff::Timestamp, &Event)> {
    journal.records.iter().map(|record| (record.at, &record.event)).collect()
}
