//! When steps are expected to begin and to end, windows and freezes included, people and full platforms not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use switchback_schemas::{
    Seconds, StepId,
    journal::Way,
    plan::{Action, GateKind, Plan, Step},
    report::{Report, StepReport, StepStatus},
};

use crate::{
    graph::Graph,
    group::Room,
    windows::{Parts, UnknownZone, Windows, later},
};

/// What is known of a step that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// When it began.
    pub began: Timestamp,
    /// When it ended, verified; absent while it is under way.
    pub ended: Option<Timestamp>,
}

/// When a step is expected to begin and to end, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// When it begins.
    pub begins: Timestamp,
    /// When it ends.
    pub ends: Timestamp,
}

/// When every step of a plan is expected to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    steps: BTreeMap<StepId, Expected>,
    begun: BTreeSet<StepId>,
    room: Room,
    /// The first step for which no window has room, within a year.
    pub stuck: Option<StepId>,
}

impl Forecast {
    /// A step; absent where it waits for one that never finds room.
    pub fn of(&self, step: &StepId) -> Option<Expected> {
        self.steps.get(step).copied()
    }

    /// Whether a step has begun, and is not only expected to.
    pub fn has_begun(&self, step: &StepId) -> bool {
        self.begun.contains(step)
    }

    /// What has to fit into a window, as a run of the plan asks for it.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// From the begin of the first of some steps to the end of the last; absent if one of them never runs.
    pub fn span<'a>(&self, steps: impl IntoIterator<Item = &'a StepId>) -> Option<Expected> {
        steps.into_iter().map(|step| self.of(step)).try_fold(None::<Expected>, |span, step| {
            let step = step?;
            Some(Some(match span {
                None => step,
                Some(span) => {
                    Expected { begins: span.begins.min(step.begins), ends: span.ends.max(step.ends) }
                }
            }))
        })?
    }
}

/// What a run's account says about its steps.
pub fn ran(report: &Report) -> BTreeMap<StepId, Ran> {
    let forward = report.steps.iter().filter(|step| step.at.way == Way::Forward && step.at.item.is_none());
    let over = |status| matches!(status, StepStatus::Done | StepStatus::Skipped | StepStatus::RolledBack);
    let of = |step: &StepReport| {
        let ended = step.ended.filter(|_| over(step.status));
        Some((step.at.step.clone(), Ran { began: step.started?, ended }))
    };
    forward.filter(|step| step.status != StepStatus::NotStarted).filter_map(of).collect()
}

/// Steps of a run that may have changed something and are not undone.
pub fn standing(report: &Report) -> BTreeSet<StepId> {
    let changed = |step: &&StepReport| {
        let status = step.status;
        let counts = !matches!(status, StepStatus::NotStarted | StepStatus::Skipped | StepStatus::RolledBack);
        step.at.way == Way::Forward && counts
    };
    report.steps.iter().filter(changed).map(|step| step.at.step.clone()).collect()
}

/// Forecasts a run that begins, or goes on, at an instant. Steps run as soon as what they need is done and, where a gate
/// says so, a window has room; as many at once as there are.
pub fn forecast(
    plan: &Plan,
    graph: &Graph,
    from: Timestamp,
    ran: &BTreeMap<StepId, Ran>,
) -> Result<Forecast, UnknownZone> {
    let (windows, freezes) = (Windows::forward(&plan.windows)?, Windows::freezes(&plan.windows)?);
    let room = Room::of(plan, graph);
    let mut forecast = Forecast { begun: ran.keys().cloned().collect(), ..Forecast::default() };
    for number in graph.order().iter().copied() {
        let Some(step) = plan.steps.get(number) else { continue };
        if let Some(Ran { began, ended }) = ran.get(&step.id) {
            let ends = ended.unwrap_or_else(|| later(*began, step.work.estimate.expected).max(from));
            forecast.steps.insert(step.id.clone(), Expected { begins: *began, ends });
            continue;
        }
        let needed = graph.needs(number).filter_map(|need| plan.steps.get(need));
        let ready = needed
            .map(|need| forecast.of(&need.id).map(|expected| expected.ends))
            .try_fold(from, |latest, ends| Some(latest.max(ends?)));
        let Some(ready) = ready else { continue };
        let gates = || step.gates.iter().filter_map(|gate| plan.gate(gate)).map(|gate| &gate.kind);
        let ready = gates().filter_map(not_before).fold(ready, Timestamp::max);
        let by_window = gates().any(|kind| matches!(kind, GateKind::Window(_)));
        let windows = if by_window { &windows } else { &freezes };
        match run(step, (room.forward(number), room.batch(number)), ready, windows) {
            Some(expected) => {
                forecast.steps.insert(step.id.clone(), expected);
            }
            None => {
                forecast.stuck.get_or_insert_with(|| step.id.clone());
            }
        }
    }
    forecast.room = room;
    Ok(forecast)
}

fn not_before(gate: &GateKind) -> Option<Timestamp> {
    match gate {
        GateKind::NotBefore(at) => Some(*at),
        _ => None,
    }
}

/// A step that begins where there is room for it, and a roll's batches after it where there is room for them.
fn run(
    step: &Step,
    (needed, batch): (Seconds, Seconds),
    ready: Timestamp,
    windows: &Windows<'_>,
) -> Option<Expected> {
    let begins = windows.first(ready, needed)?.begins;
    let ends = match &step.work.action {
        Action::Effect(_) => later(begins, step.work.estimate.expected),
        Action::Roll(roll) => {
            let each =
                roll.recipe.iter().map(|recipe| recipe.work.estimate.expected).sum::<Seconds>() + roll.soak;
            windows.spread(begins, Parts { whole: step.work.estimate.expected, each, least: batch })?
        }
    };
    Some(Expected { begins, ends })
}
