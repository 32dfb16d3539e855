//! What follows a failure, decided at plan time from the price of the way back.

use std::collections::{BTreeMap, BTreeSet};

use switchback_model::{Graph, schedule, way_back};
use switchback_schemas::{
    Diagnostic, StepId, codes,
    manifest::OnFailure,
    plan::{Disruption, FailureAction, FailurePolicy, Plan, Savepoint, Undo},
};

use crate::findings::Findings;

/// What a way back costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// The worst that it does to workloads.
    pub disruption: Option<Disruption>,
    /// What is lost.
    pub loses: Vec<String>,
    /// Whether it needs nodes beyond those that are there.
    pub needs_capacity: bool,
    /// Steps that cannot be undone.
    pub commits: Vec<StepId>,
}

impl Price {
    /// The price of undoing some steps.
    pub fn of(plan: &Plan, graph: &Graph, started: &BTreeSet<StepId>, to: &Savepoint) -> Self {
        let way = way_back(plan, graph, started, to);
        let mut price = Self { commits: way.commits.clone(), ..Self::default() };
        for (_, undo) in way.undo_steps(plan) {
            price.disruption = price.disruption.max(Some(undo.disruption));
            price.loses.extend(undo.loses.iter().cloned());
            price.needs_capacity |= undo.needs_capacity;
        }
        price
    }

    /// Why it is too dear to be paid without a person, or `None`.
    pub fn too_dear(&self) -> Option<String> {
        if let Some(step) = self.commits.first() {
            return Some(format!("{step} cannot be undone"));
        }
        if let Some(loss) = self.loses.first() {
            return Some(format!("it loses {loss}"));
        }
        if self.needs_capacity {
            return Some("it needs nodes beyond those that are there".to_owned());
        }
        match self.disruption {
            Some(Disruption::Drain) => Some("it moves workloads off nodes".to_owned()),
            Some(Disruption::Outage) => Some("it takes a service away".to_owned()),
            Some(Disruption::None | Disruption::Restart) | None => None,
        }
    }
}

/// What a manifest asks for, by hop.
pub type Wishes = BTreeMap<StepId, (Option<OnFailure>, Option<switchback_schemas::Label>)>;

/// Decides the failure action of every step.
pub fn decide(plan: &mut Plan, graph: &Graph, wishes: &Wishes, approved: bool, findings: &Findings) {
    let policies: Vec<FailurePolicy> = plan
        .steps
        .iter()
        .map(|step| {
            let (wish, label) = wishes.get(&step.hop).cloned().unwrap_or_default();
            let hop = of_hop(plan, graph, &step.id);
            let own = of_step(plan, graph, &step.id);
            if wish == Some(OnFailure::RollbackHop) && !approved {
                refuse_unapproved(&hop, label, findings);
            }
            policy(wish, &hop, &own, matches!(step.undo, Undo::ReadOnly { .. }))
        })
        .collect();
    for (step, policy) in plan.steps.iter_mut().zip(policies) {
        step.on_failure = policy;
    }
}

/// A dear way back is automatic only where the manifest says so *and* somebody approved the plan that says so.
fn refuse_unapproved(hop: &Price, label: Option<switchback_schemas::Label>, findings: &Findings) {
    let Some(why) = hop.too_dear() else { return };
    let message = format!("onFailure: rollback-hop would go back without a person, although {why}");
    findings.say(Diagnostic::error(codes::PLAN_WAY_BACK, message).at_all(label).help(
        "set approvals.beforeStart in the Platform, so that the approval covers it, or leave onFailure out",
    ));
}

fn policy(wish: Option<OnFailure>, hop: &Price, own: &Price, read_only: bool) -> FailurePolicy {
    let say = |action, why: String| FailurePolicy { action, why };
    match wish {
        Some(OnFailure::Hold) => return say(FailureAction::Hold, "the manifest asks for it".to_owned()),
        Some(OnFailure::RollbackHop) if hop.commits.is_empty() => {
            return say(FailureAction::RollbackHop, "the manifest asks for it".to_owned());
        }
        _ => {}
    }
    match (hop.too_dear(), own.too_dear()) {
        (None, _) if wish != Some(OnFailure::RollbackStep) => say(
            FailureAction::RollbackHop,
            "going back disrupts no more than a restart and loses nothing".to_owned(),
        ),
        (Some(why), None) if !read_only => say(
            FailureAction::RollbackStep,
            format!("undoing the step is cheap; going back the whole hop is not: {why}"),
        ),
        (None, None) => say(FailureAction::RollbackStep, "the manifest asks for it".to_owned()),
        (Some(why), _) | (None, Some(why)) => {
            say(FailureAction::Hold, format!("going back is for a person to decide: {why}"))
        }
    }
}

/// The price of undoing the hop of a step, when the step fails.
fn of_hop(plan: &Plan, graph: &Graph, id: &StepId) -> Price {
    let Some(hop) = plan.step(id).map(|step| &step.hop) else { return Price::default() };
    let inside = |step: &StepId| plan.step(step).is_some_and(|step| step.hop == *hop);
    let started = schedule::started_when_failing(graph, plan, id).into_iter().filter(inside).collect();
    Price::of(plan, graph, &started, &nowhere(plan))
}

/// The price of undoing the step alone.
fn of_step(plan: &Plan, graph: &Graph, id: &StepId) -> Price {
    let by = match plan.step(id).map(|step| &step.undo) {
        Some(Undo::CoveredBy { step, .. }) => step,
        _ => id,
    };
    Price::of(plan, graph, &BTreeSet::from([by.clone()]), &nowhere(plan))
}

/// A savepoint that keeps nothing.
fn nowhere(plan: &Plan) -> Savepoint {
    let first = plan.savepoints.first().cloned();
    let id =
        first.map_or_else(|| switchback_schemas::name::SavepointId::sanitized("start"), |first| first.id);
    Savepoint { id, title: String::new(), frontier: Vec::new() }
}
