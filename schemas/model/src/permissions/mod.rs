//! What the executor's credentials must allow, for all that a plan does, verifies, reads, captures and rolls back.
//!
//! Nobody writes permissions down: they follow from effects, conditions and captures, so a step cannot need one that is not
//! listed. Each function here says what a driver calls for one of them; `tests/wire/real.rs` runs an example on a real API server
//! under the roles alone, and `tests/wire/cloud.rs` compares the actions of AWS with what the twin was asked for.

mod aws;
mod helm;
mod kube;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use switchback_schemas::{
    StepId,
    name::Label,
    plan::{Condition, Effect, Gate, GateKind, Plan, Step, Work},
};

pub use rules::{Statement, policy, roles};

/// One call that the executor's credentials must allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Permission {
    /// At the API server of the cluster.
    Rbac(Rbac),
    /// At AWS.
    Iam(Iam),
}

/// What RBAC has to allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rbac {
    /// In one namespace, or everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// On what.
    pub on: On,
    /// The verb, such as `patch`.
    pub verb: String,
}

/// What a verb of RBAC is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum On {
    /// Objects of a resource.
    Resource {
        /// The API group; empty for the core group.
        group: String,
        /// The resource in the plural, with a subresource after `/`.
        resource: String,
        /// One object; absent for all of them.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A path that is no resource.
    Url(String),
}

/// What IAM has to allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Iam {
    /// The action, such as `eks:UpdateClusterVersion`.
    pub action: String,
    /// An ARN, a pattern of ARNs, or `*`.
    pub resource: String,
}

/// Permissions of a plan, each with the steps that need it; none for what every run needs, to prove which platform it is on.
pub fn of_plan(plan: &Plan) -> BTreeMap<Permission, BTreeSet<StepId>> {
    let mut all: BTreeMap<Permission, BTreeSet<StepId>> = BTreeMap::new();
    let mut proof = Needs::of(plan);
    proof.identity();
    all.extend(proof.with_roles().into_iter().map(|permission| (permission, BTreeSet::new())));
    let mut add = |id: &StepId, needs: BTreeSet<Permission>| {
        for permission in needs {
            all.entry(permission).or_default().insert(id.clone());
        }
    };
    for step in &plan.steps {
        add(&step.id, of_gates(plan, step));
    }
    for suspension in &plan.suspensions {
        // Whether it still holds is watched as long as it is open; whether it may be closed is asked on every rollback.
        let mut needs = Needs::of(plan);
        needs.condition(&suspension.held);
        needs.condition(&suspension.safe_to_resume);
        add(&suspension.suspend, needs.with_roles());
    }
    for (id, work) in plan.works() {
        add(id, of_work(plan, work));
    }
    all
}

/// Permissions of a step itself and of its gates, not of its rollback.
pub fn of_forward(plan: &Plan, step: &Step) -> BTreeSet<Permission> {
    of_work(plan, &step.work).into_iter().chain(of_gates(plan, step)).collect()
}

fn of_gates(plan: &Plan, step: &Step) -> BTreeSet<Permission> {
    let mut needs = Needs::of(plan);
    for Gate { kind, .. } in plan.gates.iter().filter(|gate| step.gates.contains(&gate.id)) {
        if let GateKind::Check(condition) = kind {
            needs.condition(condition);
        }
    }
    needs.with_roles()
}

fn of_work(plan: &Plan, work: &Work) -> BTreeSet<Permission> {
    let mut needs = Needs::of(plan);
    for condition in work.conditions() {
        needs.condition(condition);
    }
    for inside in work.all() {
        inside.captures.iter().for_each(|capture| needs.capture(&capture.what));
        if inside.roll().is_some() {
            needs.members();
        }
    }
    for effect in work.effects() {
        match effect {
            Effect::Kube(effect) => needs.kube_effect(effect),
            Effect::Helm(effect) => needs.helm_effect(effect),
            Effect::Eks(effect) => needs.eks_effect(effect),
            Effect::Rds(effect) => needs.rds_effect(effect),
            // What a command calls by itself nobody knows.
            Effect::Command(_) | Effect::Notify(_) | Effect::Wait(_) => {}
        }
    }
    needs.with_roles()
}

/// Permissions that were met.
struct Needs<'plan> {
    plan: &'plan Plan,
    found: BTreeSet<Permission>,
    /// Targets whose roles are taken on for it.
    aws: BTreeSet<&'plan Label>,
}

impl<'plan> Needs<'plan> {
    fn of(plan: &'plan Plan) -> Self {
        Self { plan, found: BTreeSet::new(), aws: BTreeSet::new() }
    }

    fn condition(&mut self, condition: &Condition) {
        for leaf in condition.leaves() {
            match leaf {
                Condition::Kube(condition) => self.kube_condition(condition),
                Condition::Cloud(condition) => self.cloud_condition(condition),
                Condition::Web(condition) => self.web_condition(condition),
                Condition::All(_) | Condition::Any(_) | Condition::Command(_) => {}
            }
        }
    }
}
