//! What a reviewer wants to know about a plan before reading its steps. Views render it and compute nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;
use switchback_schemas::{
    HopId, Seconds, StepId,
    plan::{
        Disruption, ExpiresAt, FailureAction, GateKind, Hop, Plan, PointOfNoReturn, Roll, Savepoint, Step,
        Undo, UntestedState,
    },
};

use crate::{
    Graph, RollbackOrder,
    decide::{self, RollbackTimes},
    forecast::{Expected, Forecast, forecast},
    rollback_order::{Rollbacks, rollback_order},
    schedule,
    windows::Windows,
};

/// A plan in figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Its hops, in order.
    pub hops: Vec<HopSummary>,
    /// How many steps it has, rolls among them.
    pub steps: usize,
    /// How many of them are rolls of nodes.
    pub rolls: usize,
    /// How many approvals it needs.
    pub approvals: usize,
    /// How many suspensions it opens.
    pub suspensions: usize,
    /// Steps that move workloads off nodes, in an order in which they can run.
    pub drains: Vec<StepId>,
    /// Steps that make a service unavailable, in an order in which they can run.
    pub outages: Vec<StepId>,
    /// How many workloads need a decision before their node moves.
    pub undecided: usize,
    /// The expected length of its longest chain, without waiting for windows and people.
    pub takes: Seconds,
    /// For each state outside of what was tested, how long it is expected to last, from the begin of the hop into it to the end
    /// of the hop out of it; absent where it stays.
    pub untested: Vec<Option<Seconds>>,
    /// The longest chain of steps.
    pub chain: Vec<StepId>,
    /// When it is expected to run if it begins at the instant for which it was made, as soon as a window is open; absent where
    /// no window ever has room.
    pub expected: Option<Expected>,
    /// The first step for which no window has room.
    pub stuck: Option<StepId>,
}

/// A hop in figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HopSummary {
    /// The hop.
    pub hop: Hop,
    /// How many steps it has.
    pub steps: usize,
    /// The expected length of its longest chain.
    pub takes: Seconds,
    /// The worst that it does to workloads.
    pub disruption: Disruption,
    /// Rolling back from its end to where it began.
    pub back: RollbackSummary,
    /// Points of no return that its steps cross.
    pub points: Vec<PointOfNoReturn>,
    /// When it is expected to run.
    pub expected: Option<Expected>,
}

impl HopSummary {
    /// The last day of support of the version before it, if the hop is expected to begin after that day.
    pub fn late(&self) -> Option<Date> {
        let begins = self.expected?.begins.to_zoned(TimeZone::UTC).date();
        self.hop.leave_by.filter(|day| *day < begins)
    }
}

/// A rollback in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackSummary {
    /// How many undo steps.
    pub steps: usize,
    /// The undo steps, in an order in which they can run.
    pub order: Vec<StepId>,
    /// The expected length of their longest chain.
    pub takes: Seconds,
    /// The worst that it does to workloads; absent when there is nothing to undo.
    pub disruption: Option<Disruption>,
    /// What is lost.
    pub loses: Vec<String>,
    /// Whether it needs nodes beyond those that are there.
    pub needs_capacity: bool,
    /// Steps that cannot be undone.
    pub commits: Vec<StepId>,
    /// What ends it, as text; empty while the run's claim is held.
    pub expires: Vec<String>,
    /// When it ends, and by when one has to decide, as far as that is expected.
    pub times: Option<RollbackTimes>,
    /// Whether any failure in the hop rolls back by itself, the whole way.
    pub automatic: bool,
}

/// Summarises a plan.
pub fn summary(plan: &Plan, graph: &Graph) -> Summary {
    let mut inside: BTreeMap<&HopId, Vec<usize>> = BTreeMap::new();
    for (number, step) in plan.steps.iter().enumerate() {
        inside.entry(&step.hop).or_default().push(number);
    }
    let mut points: BTreeMap<&HopId, Vec<PointOfNoReturn>> = BTreeMap::new();
    for point in &plan.points {
        if let Some(step) = plan.step(&point.step) {
            points.entry(&step.hop).or_default().push(point.clone());
        }
    }
    let forecast = expected(plan, graph);
    let rollbacks = Rollbacks::of(plan, graph);
    let of = |hop: &Hop| {
        let steps = inside.get(&hop.id).map(Vec::as_slice).unwrap_or_default();
        let points = points.get(&hop.id).cloned().unwrap_or_default();
        of_hop(plan, graph, (&forecast, &rollbacks), hop, steps, points)
    };
    let rolls = plan.steps.iter().filter(|step| roll(step).is_some()).count();
    let asks = |kind: &GateKind| matches!(kind, GateKind::Approval(_));
    let disrupting = |disruption: Disruption| {
        let steps = graph.order().iter().filter_map(|number| plan.steps.get(*number));
        steps.filter(|step| step.work.disruption == disruption).map(|step| step.id.clone()).collect()
    };
    let hops: Vec<HopSummary> = plan.hops.iter().map(of).collect();
    let lasts = |state: &UntestedState| {
        let place = |id: &HopId| hops.iter().position(|hop| hop.hop.id == *id);
        let first = state.enters.as_ref().and_then(place).unwrap_or_default();
        let last = place(state.leaves.as_ref()?)?;
        Some(hops.get(first..=last)?.iter().map(|hop| hop.takes).sum())
    };
    Summary {
        untested: plan.untested.iter().map(lasts).collect(),
        steps: plan.steps.len(),
        rolls,
        approvals: plan.gates.iter().filter(|gate| asks(&gate.kind)).count(),
        suspensions: plan.suspensions.len(),
        drains: disrupting(Disruption::Drain),
        outages: disrupting(Disruption::Outage),
        undecided: undecided(plan),
        takes: schedule::critical_path(plan, graph, graph.order()),
        chain: schedule::longest_chain(plan, graph),
        expected: forecast.span(plan.steps.iter().map(|step| &step.id)),
        stuck: forecast.stuck.clone(),
        hops,
    }
}

fn undecided(plan: &Plan) -> usize {
    let all = plan.standing.iter().flat_map(|standing| &standing.workloads);
    all.filter(|workload| workload.needs_a_decision()).count()
}

/// When a plan is expected to run, if it begins at the instant for which it was made. Zones that are not known are the business
/// of who reads the manifests; without them nothing is expected.
pub fn expected(plan: &Plan, graph: &Graph) -> Forecast {
    forecast(plan, graph, plan.inputs.as_of, &BTreeMap::new()).unwrap_or_default()
}

/// The steps of every hop, in an order in which they can run; what is free goes by id. One pass over the plan: who goes through its
/// hops must not go through all of its steps for each.
pub fn steps_by_hop<'plan>(plan: &'plan Plan, graph: &Graph) -> BTreeMap<&'plan HopId, Vec<&'plan Step>> {
    let hop = |number: usize| plan.steps.get(number).map(|step| &step.hop);
    let inside = |number: usize| move |other: &usize| hop(*other) == hop(number);
    let mut lacking: Vec<usize> =
        (0..plan.steps.len()).map(|number| graph.needs(number).filter(inside(number)).count()).collect();
    let mut free: BTreeSet<usize> =
        lacking.iter().enumerate().filter(|(_, lacking)| **lacking == 0).map(|(number, _)| number).collect();
    let mut hops: BTreeMap<&HopId, Vec<&Step>> = BTreeMap::new();
    while let Some(number) = free.pop_first() {
        if let Some(step) = plan.steps.get(number) {
            hops.entry(&step.hop).or_default().push(step);
        }
        for next in graph.dependants(number).filter(inside(number)) {
            if let Some(lacking) = lacking.get_mut(next) {
                *lacking = lacking.saturating_sub(1);
                if *lacking == 0 {
                    free.insert(next);
                }
            }
        }
    }
    hops
}

/// The roll of a step, if it is one.
pub fn roll(step: &Step) -> Option<&Roll> {
    step.work.roll()
}

/// Whether a step changes nothing by itself.
pub fn only_looks(step: &Step) -> bool {
    step.work.only_looks()
}

/// The savepoint before a hop: that of the hop before, or the state before the run.
pub fn savepoint_before<'plan>(plan: &'plan Plan, hop: &HopId) -> Option<&'plan Savepoint> {
    let number = plan.hops.iter().position(|candidate| candidate.id == *hop)?;
    match number.checked_sub(1) {
        Some(before) => plan.savepoint(&plan.hops.get(before)?.savepoint),
        None => plan.initial_savepoint(),
    }
}

fn of_hop(
    plan: &Plan,
    graph: &Graph,
    (forecast, rollbacks): (&Forecast, &Rollbacks<'_>),
    hop: &Hop,
    steps: &[usize],
    points: Vec<PointOfNoReturn>,
) -> HopSummary {
    let inside = || steps.iter().filter_map(|number| plan.steps.get(*number));
    let automatic = inside().all(|step| step.on_failure.action == FailureAction::RollbackHop);
    let way = rollbacks.of_hop(steps);
    let expected = forecast.span(inside().map(|step| &step.id));
    let at = expected.map_or(plan.inputs.as_of, |expected| expected.ends);
    HopSummary {
        hop: hop.clone(),
        steps: steps.len(),
        takes: schedule::critical_path(plan, graph, &graph.sorted(steps.iter().copied())),
        disruption: inside().map(|step| step.work.disruption).max().unwrap_or(Disruption::None),
        back: RollbackSummary { automatic, ..of_rollback(plan, &way, forecast, at) },
        points,
        expected,
    }
}

/// A rollback in figures, looked at from an instant.
pub fn of_rollback(plan: &Plan, way: &RollbackOrder, forecast: &Forecast, at: Timestamp) -> RollbackSummary {
    let windows = Windows::back(&plan.windows).ok();
    let mut summary = RollbackSummary {
        times: windows.and_then(|windows| decide::times(plan, way, forecast, &windows, at)),
        steps: way.steps.len(),
        order: way.steps.iter().map(|back| back.step.clone()).collect(),
        takes: schedule::takes(plan, way),
        commits: way.commits.clone(),
        ..RollbackSummary::default()
    };
    for undo in way.rollback_steps(plan) {
        summary.disruption = summary.disruption.max(Some(undo.work.disruption));
        summary.loses.extend(undo.loses.iter().cloned());
        summary.needs_capacity |= undo.needs_capacity;
        for expiry in &undo.expires {
            let at = match &expiry.at {
                ExpiresAt::Instant(instant) => format!("at {instant}"),
                ExpiresAt::After(length) => format!("{length} after its step"),
                ExpiresAt::Start(step) => format!("when {step} starts"),
            };
            let text = format!("{at}: {}", expiry.why);
            if !summary.expires.contains(&text) {
                summary.expires.push(text);
            }
        }
    }
    summary.loses.sort();
    summary.loses.dedup();
    summary
}

/// Every rollback step, as it may have been started when `step` fails.
pub fn rollback_from(plan: &Plan, graph: &Graph, step: &StepId, to: &Savepoint) -> RollbackOrder {
    let started = schedule::started_when_failing(graph, plan, step);
    // What comes later in the plan's own order cannot have been started: hops follow each other.
    let reached = plan.step(step).and_then(|step| plan.hops.iter().position(|hop| hop.id == step.hop));
    let may = |id: &StepId| {
        let hop = plan.step(id).and_then(|step| plan.hops.iter().position(|hop| hop.id == step.hop));
        hop <= reached && !matches!(plan.step(id).map(|step| &step.undo), Some(Undo::Unneeded { .. }))
    };
    rollback_order(plan, graph, &started.into_iter().filter(may).collect(), to)
}
