//! What follows a failure, decided at plan time from the price of the rollback.

use std::collections::{BTreeMap, BTreeSet};

use switchback_model::Graph;
use switchback_schemas::{
    Diagnostic, HopId, StepId, codes,
    manifest::OnFailure,
    plan::{Disruption, FailureAction, FailurePolicy, Plan, RollbackStep, Step, Undo, UndoKind},
};

use crate::findings::Findings;

/// What a rollback costs.
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
    /// Whether something rolls back that can do so only once, and only until a time.
    pub only_once: bool,
}

impl Price {
    /// The price of undoing some steps, of which one may be named more than once. The order of a rollback does not change what it
    /// costs.
    pub fn of<'plan>(steps: impl IntoIterator<Item = &'plan Step>, undoing: &Undoing<'plan>) -> Self {
        let mut price = Self::default();
        let mut counted: BTreeSet<&StepId> = BTreeSet::new();
        for step in steps {
            if matches!(step.undo, Undo::Irreversible { .. }) {
                price.commits.push(step.id.clone());
            }
            for undo in undoing.get(&step.id).into_iter().flatten().filter(|undo| counted.insert(&undo.id)) {
                price.disruption = price.disruption.max(Some(undo.work.disruption));
                price.loses.extend(undo.loses.iter().cloned());
                price.needs_capacity |= undo.needs_capacity;
                price.only_once |= undo.kind == UndoKind::Window;
            }
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
        if self.only_once {
            return Some("it can be undone only once, and only until a time".to_owned());
        }
        match self.disruption {
            Some(Disruption::Drain) => Some("it moves workloads off nodes".to_owned()),
            Some(Disruption::Outage) => Some("it causes an outage".to_owned()),
            Some(Disruption::None | Disruption::Restart) | None => None,
        }
    }
}

/// Rollback steps, by the steps that they undo.
type Undoing<'plan> = BTreeMap<&'plan StepId, Vec<&'plan RollbackStep>>;

/// What a manifest asks for, by hop.
pub type Wishes = BTreeMap<HopId, (Option<OnFailure>, Option<switchback_schemas::Label>)>;

/// Decides the failure action of every step.
pub fn decide(plan: &mut Plan, graph: &Graph, wishes: &Wishes, approved: bool, findings: &Findings) {
    let reach = graph.reach();
    let undoing = plan.rollback_by_step();
    let mut hops: BTreeMap<&HopId, Vec<usize>> = BTreeMap::new();
    for (number, step) in plan.steps.iter().enumerate() {
        hops.entry(&step.hop).or_default().push(number);
    }
    let mut policies = vec![None; plan.steps.len()];
    for (hop, steps) in hops {
        let (wish, label) = wishes.get(hop).cloned().unwrap_or_default();
        let get = |number: &usize| plan.steps.get(*number);
        let whole = Price::of(steps.iter().filter_map(get), &undoing);
        if wish == Some(OnFailure::RollbackHop) && !approved {
            refuse_unapproved(&whole, label, findings);
        }
        let looks = steps.iter().filter_map(get).all(|step| matches!(step.undo, Undo::Unneeded { .. }));
        for number in &steps {
            let Some(step) = get(number) else { continue };
            // What comes after the step cannot have been started when it fails. A hop that is cheap as a whole is cheap
            // from anywhere in it.
            let started = || steps.iter().filter(|other| !reach.before(*number, **other)).filter_map(get);
            let back =
                if whole.too_dear().is_none() { whole.clone() } else { Price::of(started(), &undoing) };
            let own = Price::of([step], &undoing);
            let hold = |why: &str| FailurePolicy { action: FailureAction::Hold, why: why.to_owned() };
            let policy = match stays(step) {
                _ if looks => hold("nothing of the hop could be undone"),
                Some(why) if wish != Some(OnFailure::RollbackHop) => hold(why),
                _ => policy(wish, &back, &own, matches!(step.undo, Undo::Unneeded { .. })),
            };
            if let Some(slot) = policies.get_mut(*number) {
                *slot = Some(policy);
            }
        }
    }
    for (step, policy) in plan.steps.iter_mut().zip(policies) {
        step.on_failure = policy.unwrap_or_else(|| step.on_failure.clone());
    }
}

/// Why rolling back after a failure of a step would not take back what it did.
fn stays(step: &Step) -> Option<&'static str> {
    let moves = step.work.roll().is_some() && matches!(step.undo, Undo::Unneeded { .. });
    moves.then_some("nodes that moved stay, so an operator decides whether to continue or roll back")
}

/// A dear rollback is automatic only where the manifest says so *and* somebody approved the plan that says so.
fn refuse_unapproved(hop: &Price, label: Option<switchback_schemas::Label>, findings: &Findings) {
    let Some(why) = hop.too_dear() else { return };
    let message = format!("onFailure: rollback-hop would roll back without an operator, although {why}");
    findings.say(Diagnostic::error(codes::PLAN_WAY_BACK, message).at_all(label).help(
        "set approvals.beforeStart in the Platform, so that the approval covers it, or leave onFailure out",
    ));
}

fn policy(wish: Option<OnFailure>, hop: &Price, own: &Price, read_only: bool) -> FailurePolicy {
    let say = |action, why: String| FailurePolicy { action, why };
    match wish {
        Some(OnFailure::Hold) => return say(FailureAction::Hold, "the manifest says so".to_owned()),
        Some(OnFailure::RollbackHop) if hop.commits.is_empty() => {
            return say(FailureAction::RollbackHop, "the manifest says so".to_owned());
        }
        _ => {}
    }
    match (hop.too_dear(), own.too_dear()) {
        (None, _) if wish != Some(OnFailure::RollbackStep) => say(
            FailureAction::RollbackHop,
            "rolling back disrupts no more than a restart and loses nothing".to_owned(),
        ),
        (Some(why), None) if !read_only => say(
            FailureAction::RollbackStep,
            format!("undoing the step is cheap; rolling back the hop is not: {why}"),
        ),
        (None, None) => say(FailureAction::RollbackStep, "the manifest says so".to_owned()),
        (Some(why), _) | (None, Some(why)) => {
            say(FailureAction::Hold, format!("an operator decides about a rollback: {why}"))
        }
    }
}
