//! Whether each way back can be taken in time, and what would help where it cannot.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use switchback_model::{
    Graph,
    decide::{self, BackTimes, Stand},
    forecast::{Forecast, forecast},
    way_back,
    windows::{Windows, between, later},
};
use switchback_schemas::{
    Diagnostic, Label, Seconds, StepId, codes,
    plan::{Action, Effect, Plan},
};

use crate::findings::Findings;

/// Upgrades of one release after which Helm has dropped the revision from before the first of them: it keeps ten.
const REVISIONS: usize = 9;
/// Days of the week.
const WEEK: u64 = 7;

/// Says where a way back would not be there when it is needed. `places` are where manifests ask for hops.
pub fn check(plan: &Plan, graph: &Graph, places: &BTreeMap<StepId, Label>, findings: &Findings) {
    revisions(plan, findings);
    let Ok(back) = Windows::back(&plan.windows) else { return };
    let ways = Ways { plan, graph, back };
    for hop in &plan.hops {
        let Some(late) = ways.late(&hop.id, plan.inputs.as_of, &ways.back) else { continue };
        let message = match late.times.decide_by {
            _ if late.times.stand == Stand::Closed => format!(
                "the way back of {} is closed when the hop is verified, at {} if the run may begin at {}: it closes {} ({})",
                hop.id, late.verified, plan.inputs.as_of, late.times.closes_at, late.times.why
            ),
            Some(by) => format!(
                "the way back of {} has to begin by {by}, and the hop is verified at {} if the run may begin at {}; it closes {} ({})",
                hop.id, late.verified, plan.inputs.as_of, late.times.closes_at, late.times.why
            ),
            None => format!(
                "no rollback window has room for the way back of {} before it closes at {} ({})",
                hop.id, late.times.closes_at, late.times.why
            ),
        };
        let remedies = ways.remedies(&hop.id);
        let help = match remedies.as_slice() {
            [] => "neither wider rollback windows nor another weekday would help: split the plan before this hop".to_owned(),
            remedies => format!("what would help: {}", remedies.join("; or ")),
        };
        let place = places.get(&hop.id).cloned();
        findings.say(Diagnostic::warning(codes::PLAN_WAY_BACK, message).at_all(place).help(help));
    }
}

/// A way back that has to begin before its hop is verified.
struct Late {
    verified: Timestamp,
    times: BackTimes,
}

struct Ways<'a> {
    plan: &'a Plan,
    graph: &'a Graph,
    back: Windows<'a>,
}

impl Ways<'_> {
    fn steps(&self, hop: &StepId) -> Vec<usize> {
        let own = self.plan.steps.iter().enumerate().filter(|(_, step)| step.hop == *hop);
        own.map(|(number, _)| number).collect()
    }

    fn forecast(&self, from: Timestamp) -> Option<Forecast> {
        forecast(self.plan, self.graph, from, &BTreeMap::new()).ok()
    }

    /// When a hop is verified, and the times of its way back, if the run may begin at an instant.
    fn times(&self, hop: &StepId, from: Timestamp, back: &Windows<'_>) -> Option<Late> {
        let steps = self.steps(hop);
        let forecast = self.forecast(from)?;
        let ids = steps.iter().filter_map(|number| self.plan.steps.get(*number)).map(|step| &step.id);
        let verified = forecast.span(ids)?.ends;
        let way = way_back::of_hop(self.plan, self.graph, &steps);
        Some(Late { verified, times: decide::times(self.plan, &way, &forecast, back, verified)? })
    }

    fn late(&self, hop: &StepId, from: Timestamp, back: &Windows<'_>) -> Option<Late> {
        self.times(hop, from, back).filter(|late| late.times.stand != Stand::Open)
    }

    /// What was tried and helps.
    fn remedies(&self, hop: &StepId) -> Vec<String> {
        let mut remedies = Vec::new();
        let from = self.plan.inputs.as_of;
        let helps = |from, back: &Windows<'_>| {
            let found = self.times(hop, from, back)?;
            let by = found.times.decide_by.filter(|by| *by >= found.verified)?;
            Some(between(found.verified, by))
        };
        if !self.back.is_always()
            && let Some(left) = helps(from, &Windows::always())
        {
            remedies.push(format!("rollback windows at any time leave {left} to decide"));
        }
        let days = (1..WEEK).map(|day| later(from, Seconds(day * 86_400)));
        let best = days.filter_map(|day| Some((helps(day, &self.back)?, day))).max_by_key(|(left, _)| *left);
        if let Some((left, day)) = best {
            let day = day.to_zoned(TimeZone::UTC);
            remedies.push(format!("beginning on {} leaves {left} to decide", day.strftime("%A, %Y-%m-%d")));
        }
        if self.moves_nodes(hop) {
            remedies.push(
                "a bake while nodes stay a minor behind (`bake`, `nodes: stay`): the control plane then goes back without them"
                    .to_owned(),
            );
        }
        remedies
    }

    /// Whether nodes go back before what closes.
    fn moves_nodes(&self, hop: &StepId) -> bool {
        let steps = self.plan.steps.iter().filter(|step| step.hop == *hop);
        steps.into_iter().any(|step| match &step.action {
            Action::Roll(_) => true,
            Action::Effect(effect) => matches!(
                effect,
                Effect::EksUpdateNodegroup(_) | Effect::EksScaleNodegroup(_) | Effect::EksCreateNodegroup(_)
            ),
        })
    }
}

/// A release that is upgraded too often in one plan has lost the revision to which the first hop goes back.
fn revisions(plan: &Plan, findings: &Findings) {
    let mut upgrades: BTreeMap<_, Vec<&StepId>> = BTreeMap::new();
    for step in &plan.steps {
        if let Action::Effect(Effect::HelmUpgrade(upgrade)) = &step.action {
            upgrades.entry(&upgrade.release).or_default().push(&step.id);
        }
    }
    for (release, steps) in upgrades.into_iter().filter(|(_, steps)| steps.len() > REVISIONS) {
        let message = format!(
            "release {release} is upgraded {} times, and Helm keeps ten revisions: the one to go back to would be gone",
            steps.len()
        );
        findings.say(
            Diagnostic::error(codes::PLAN_WAY_BACK, message)
                .help(format!("move it at most {REVISIONS} hops in one plan, then plan again")),
        );
    }
}
