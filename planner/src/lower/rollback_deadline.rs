//! Whether each rollback can be taken in time, and what would help where it cannot.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use jiff::{Timestamp, tz::TimeZone};
use switchback_model::{
    Graph,
    decide::{self, RollbackTimes, Stand},
    forecast::{Forecast, forecast},
    rollback_order::Rollbacks,
    windows::{Windows, between, later},
};
use switchback_schemas::{
    Diagnostic, HopId, Label, Seconds, StepId, codes,
    plan::{Action, Effect, EksEffect, HelmEffect, Hop, Need, Plan, PlanBody, RollbackStep, Step, Work},
};

use crate::findings::Findings;

/// Upgrades of one release after which Helm has dropped the revision from before the first of them: it keeps ten.
const REVISIONS: usize = 9;
/// Days of the week.
const WEEK: u64 = 7;

/// Says where a rollback would not be there when it is needed. `places` are where manifests ask for hops.
pub fn check(plan: &Plan, graph: &Graph, places: &BTreeMap<HopId, Label>, findings: &Findings) {
    revisions(plan, findings);
    let Ok(back) = Windows::back(&plan.windows) else { return };
    let Some(ways) = Ways::of(plan, graph, back) else { return };
    for hop in &plan.hops {
        let Some(late) = ways.late(&hop.id) else { continue };
        let message = match late.times.decide_by {
            _ if late.times.stand == Stand::Expired => format!(
                "rollback of {} has expired when the hop is verified, at {} if the run starts at {}: it expires {} ({})",
                hop.id, late.verified, plan.inputs.as_of, late.times.expires_at, late.times.why
            ),
            Some(by) => format!(
                "rollback of {} has to start by {by}, and the hop is verified at {} if the run starts at {}; it expires {} ({})",
                hop.id, late.verified, plan.inputs.as_of, late.times.expires_at, late.times.why
            ),
            None => format!(
                "no rollback window has room for the rollback of {} before it expires at {} ({})",
                hop.id, late.times.expires_at, late.times.why
            ),
        };
        let remedies = ways.remedies(hop);
        let help = match remedies.as_slice() {
            [] => "nothing that was tried would help: rollback windows around the clock, another weekday, nodes that stay behind".to_owned(),
            remedies => format!("what would help: {}", remedies.join("; or ")),
        };
        let place = places.get(&hop.id).cloned();
        findings.say(Diagnostic::warning(codes::PLAN_WAY_BACK, message).at_all(place).help(help));
    }
}

/// A rollback that has to begin before its hop is verified.
struct Late {
    verified: Timestamp,
    times: RollbackTimes,
}

struct Ways<'a> {
    plan: &'a Plan,
    graph: &'a Graph,
    back: Windows<'a>,
    rollbacks: Rollbacks<'a>,
    /// Numbers of the steps of each hop.
    steps: BTreeMap<&'a HopId, Vec<usize>>,
    /// If the run may begin at the plan's instant.
    forecast: Forecast,
    /// If it may begin on another day within a week; looked at when something needs help.
    days: OnceCell<Vec<(Timestamp, Forecast)>>,
}

impl<'a> Ways<'a> {
    fn of(plan: &'a Plan, graph: &'a Graph, back: Windows<'a>) -> Option<Self> {
        let mut steps: BTreeMap<&HopId, Vec<usize>> = BTreeMap::new();
        for (number, step) in plan.steps.iter().enumerate() {
            steps.entry(&step.hop).or_default().push(number);
        }
        let forecast = forecast(plan, graph, plan.inputs.as_of, &BTreeMap::new()).ok()?;
        let rollbacks = Rollbacks::of(plan, graph);
        Some(Self { plan, graph, back, rollbacks, steps, forecast, days: OnceCell::new() })
    }

    fn days(&self) -> &[(Timestamp, Forecast)] {
        self.days.get_or_init(|| {
            let days = (1..WEEK).map(|day| later(self.plan.inputs.as_of, Seconds(day * 86_400)));
            let on = |day| Some((day, forecast(self.plan, self.graph, day, &BTreeMap::new()).ok()?));
            days.filter_map(on).collect()
        })
    }

    /// When a hop is verified, and the times of its rollback.
    fn times(&self, hop: &HopId, forecast: &Forecast, back: &Windows<'_>) -> Option<Late> {
        let steps = self.steps.get(hop)?;
        let ids = steps.iter().filter_map(|number| self.plan.steps.get(*number)).map(|step| &step.id);
        let verified = forecast.span(ids)?.ends;
        let way = self.rollbacks.of_hop(steps);
        Some(Late { verified, times: decide::times(self.plan, &way, forecast, back, verified)? })
    }

    fn late(&self, hop: &HopId) -> Option<Late> {
        self.times(hop, &self.forecast, &self.back).filter(|late| late.times.stand != Stand::Open)
    }

    /// How long one can decide after a hop is verified, and until when.
    fn helps(&self, hop: &HopId, forecast: &Forecast, back: &Windows<'_>) -> Option<(Seconds, Timestamp)> {
        let found = self.times(hop, forecast, back).filter(|found| found.times.stand == Stand::Open)?;
        let by = found.times.decide_by?;
        Some((between(found.verified, by), by))
    }

    /// What was tried and helps, and by how much.
    fn remedies(&self, hop: &Hop) -> Vec<String> {
        let mut remedies = Vec::new();
        if !self.back.is_always()
            && let Some((left, by)) = self.helps(&hop.id, &self.forecast, &Windows::always())
        {
            remedies.push(format!(
                "rollback windows around the clock, with which decide-by becomes {by}, {left} after the hop is verified"
            ));
        }
        let days = self.days().iter();
        let best = days.filter_map(|(day, forecast)| Some((self.helps(&hop.id, forecast, &self.back)?, day)));
        if let Some(((left, by), day)) = best.max_by_key(|((left, _), _)| *left) {
            let day = day.to_zoned(TimeZone::UTC);
            remedies.push(format!(
                "to begin on {}, with which decide-by becomes {by}, {left} after the hop is verified",
                day.strftime("%A, %Y-%m-%d")
            ));
        }
        remedies.extend(self.bake(hop));
        remedies
    }

    /// The remedy of leaving nodes a minor behind for a while, if the control plane then rolls back in time.
    fn bake(&self, hop: &Hop) -> Option<String> {
        let minor = hop.from.as_ref()?;
        let undoing = self.plan.rollback_by_step();
        let back =
            |step: &Step| undoing.get(&step.id).into_iter().flatten().map(|undo| (undo.place(), &undo.work));
        let moves = |step: &&Step| {
            let own = back(step).filter(|(place, _)| *place == Some(&step.id)).map(|(_, work)| work);
            let control_plane =
                matches!(&step.work.action, Action::Effect(Effect::Eks(EksEffect::UpdateCluster(_))));
            step.hop == hop.id
                && !control_plane
                && (moves_nodes(&step.work) || own.into_iter().any(moves_nodes))
        };
        let mut nodes: BTreeSet<&StepId> =
            self.plan.steps.iter().filter(moves).map(|step| &step.id).collect();
        let own = || self.plan.steps.iter().filter(|step| step.hop == hop.id);
        // What is looked at between them is of nodes that are not there then.
        let needed: BTreeSet<&StepId> = own()
            .filter(|step| nodes.contains(&step.id))
            .flat_map(|step| &step.needs)
            .map(|need| &need.step)
            .collect();
        let between: Vec<&StepId> = own()
            .filter(|step| step.work.only_looks() && needed.contains(&step.id))
            .filter(|step| step.needs.iter().any(|need| nodes.contains(&need.step)))
            .map(|step| &step.id)
            .collect();
        nodes.extend(between);
        let control_plane = |step: &Step| {
            matches!(&step.work.action, Action::Effect(Effect::Eks(EksEffect::UpdateCluster(_))))
        };
        if nodes.is_empty() || !own().any(control_plane) {
            return None;
        }
        let plan = without(self.plan, &nodes);
        let graph = Graph::of(&plan).ok()?;
        let stay = Ways::of(&plan, &graph, self.back.clone())?;
        let (left, by) = stay.helps(&hop.id, &stay.forecast, &self.back)?;
        let last = !self
            .plan
            .hops
            .iter()
            .rev()
            .take_while(|other| other.id != hop.id)
            .any(|other| other.id.component() == hop.id.component());
        let how = if last { "`bake`, or `nodes: stay`" } else { "`bake`" };
        Some(format!(
            "a bake with nodes at {minor} until {by}, which leaves {left} in which the control plane is rolled back without them ({how})"
        ))
    }
}

/// Whether work moves nodes, which roll back before their control plane.
fn moves_nodes(work: &Work) -> bool {
    match &work.action {
        Action::Roll(_) => true,
        Action::Effect(effect) => matches!(
            effect,
            Effect::Eks(
                EksEffect::UpdateNodegroup(_) | EksEffect::ScaleNodegroup(_) | EksEffect::CreateNodegroup(_)
            )
        ),
    }
}

/// A plan without some of its steps; what needed one of them needs what that one needed.
fn without(plan: &Plan, gone: &BTreeSet<&StepId>) -> Plan {
    let needs = |step: &Step| {
        let mut found: BTreeMap<&StepId, &Need> = BTreeMap::new();
        let mut left: Vec<&Need> = step.needs.iter().collect();
        while let Some(need) = left.pop() {
            match plan.step(&need.step).filter(|step| gone.contains(&step.id)) {
                Some(through) => left.extend(&through.needs),
                None => drop(found.insert(&need.step, need)),
            }
        }
        found.into_values().cloned().collect()
    };
    let kept = plan.steps.iter().filter(|step| !gone.contains(&step.id));
    let steps = kept.map(|step| Step { needs: needs(step), ..step.clone() }).collect();
    // What moves nodes back has none to move.
    let stays = |undo: &&RollbackStep| {
        undo.place().is_some_and(|place| !gone.contains(place)) && undo.work.roll().is_none()
    };
    let rollback = plan.rollback.iter().filter(stays).cloned().collect();
    let body = PlanBody { hops: plan.hops.clone(), steps, rollback };
    Plan { body, ..plan.clone() }
}

/// A release that is upgraded too often in one plan has lost the revision to which the first hop rolls back.
fn revisions(plan: &Plan, findings: &Findings) {
    let mut upgrades: BTreeMap<_, Vec<&StepId>> = BTreeMap::new();
    for step in &plan.steps {
        if let Action::Effect(Effect::Helm(effect @ (HelmEffect::Upgrade(_) | HelmEffect::Install(_)))) =
            &step.work.action
        {
            upgrades.entry(effect.release()).or_default().push(&step.id);
        }
    }
    for (release, steps) in upgrades.into_iter().filter(|(_, steps)| steps.len() > REVISIONS) {
        let message = format!(
            "release {release} is upgraded {} times, and Helm keeps ten revisions: the revision to roll back to would be deleted",
            steps.len()
        );
        findings.say(
            Diagnostic::error(codes::PLAN_WAY_BACK, message)
                .help(format!("move it at most {REVISIONS} hops in one plan, then plan again")),
        );
    }
}
