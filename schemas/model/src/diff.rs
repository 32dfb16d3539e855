//! What changes between two plans, by step id. No text: `switchback-face` renders it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use switchback_schemas::{
    StepId,
    plan::{Hop, Mark, Plan, PointOfNoReturn, PolicyRule, RollbackStep, Step},
};

use crate::permissions::{Statement, of_plan, policy, roles};

/// The difference of two plans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanDiff {
    /// Whether what would be done differs.
    pub effects_changed: bool,
    /// Whether what approvals bind to differs.
    pub review_changed: bool,
    /// Hops that were added, removed or changed.
    pub hops: Vec<(Mark, Hop)>,
    /// Steps, by id.
    pub steps: Vec<StepDiff>,
    /// Points of no return that were added, removed or moved.
    pub points: Vec<(Mark, PointOfNoReturn)>,
    /// Parts of the plan beside its steps that changed: gates, suspensions, pools, classes, windows.
    pub parts: Vec<Aspect>,
}

/// One step that was added, removed, changed or moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepDiff {
    /// The step.
    pub id: StepId,
    /// Its title, the newer one.
    pub title: String,
    /// How it changed.
    pub mark: Mark,
    /// What about it changed; empty for added and removed steps.
    pub aspects: Vec<Aspect>,
}

/// One aspect of something that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Aspect {
    /// Its name: `action`, `needs`, `undo`, `verify`, ….
    pub name: &'static str,
    /// Before.
    pub before: Value,
    /// After.
    pub after: Value,
}

impl PlanDiff {
    /// Whether nothing changed that a person would review.
    pub fn is_empty(&self) -> bool {
        self.hops.is_empty() && self.steps.is_empty() && self.points.is_empty() && self.parts.is_empty()
    }
}

/// Compares two plans.
pub fn diff(old: &Plan, new: &Plan) -> PlanDiff {
    PlanDiff {
        effects_changed: old.digests.effects != new.digests.effects,
        review_changed: old.digests.review != new.digests.review,
        hops: by_key(&old.hops, &new.hops, |hop| hop.id.as_str().to_owned()),
        steps: steps(old, new),
        points: by_key(&old.points, &new.points, |line| line.id.as_str().to_owned()),
        parts: [
            aspect("gates", &old.gates, &new.gates),
            aspect("suspensions", &old.suspensions, &new.suspensions),
            aspect("savepoints", &old.savepoints, &new.savepoints),
            aspect("pools", &old.pools, &new.pools),
            aspect("workload classes", &old.classes, &new.classes),
            aspect("windows", &old.windows, &new.windows),
            aspect("blind spots", &old.blind_spots, &new.blind_spots),
            aspect("platform", &old.platform, &new.platform),
            aspect("permissions", &permissions(old), &permissions(new)),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// What the credentials must allow, as few rules: what was added to them is seen without the steps.
fn permissions(plan: &Plan) -> (BTreeMap<String, Vec<PolicyRule>>, Vec<Statement>) {
    let needed = of_plan(plan);
    let place = |namespace: Option<String>| namespace.unwrap_or_else(|| "everywhere".to_owned());
    let roles = roles(needed.keys()).into_iter().map(|(namespace, rules)| (place(namespace), rules));
    (roles.collect(), policy(needed.keys()))
}

fn by_key<T: Clone + PartialEq>(old: &[T], new: &[T], key: impl Fn(&T) -> String) -> Vec<(Mark, T)> {
    let before: BTreeMap<String, &T> = old.iter().map(|item| (key(item), item)).collect();
    let after: BTreeMap<String, &T> = new.iter().map(|item| (key(item), item)).collect();
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mark = |key: &String| match (before.get(key), after.get(key)) {
        (Some(old), Some(new)) if old == new => None,
        (_, Some(new)) if before.contains_key(key) => Some((Mark::Change, (*new).clone())),
        (_, Some(new)) => Some((Mark::Add, (*new).clone())),
        (Some(old), None) => Some((Mark::Remove, (*old).clone())),
        (None, None) => None,
    };
    keys.into_iter().filter_map(mark).collect()
}

fn steps(old: &Plan, new: &Plan) -> Vec<StepDiff> {
    let before: BTreeMap<&StepId, &Step> = old.steps.iter().map(|step| (&step.id, step)).collect();
    let after: BTreeMap<&StepId, &Step> = new.steps.iter().map(|step| (&step.id, step)).collect();
    let (undone_before, undone_after) = (old.rollback_by_step(), new.rollback_by_step());
    let ids: BTreeSet<&StepId> = before.keys().chain(after.keys()).copied().collect();
    let compare = |id: &StepId| {
        let whole = |step: &Step, mark| StepDiff {
            id: id.clone(),
            title: step.work.title.clone(),
            mark,
            aspects: Vec::new(),
        };
        match (before.get(id), after.get(id)) {
            (Some(old), Some(new)) => {
                let mut aspects = aspects(old, new);
                let undo = |step: &Step, by: Option<&Vec<&RollbackStep>>| {
                    (step.undo.clone(), by.into_iter().flatten().copied().cloned().collect::<Vec<_>>())
                };
                let (old, to) = (undo(old, undone_before.get(id)), undo(new, undone_after.get(id)));
                aspects.extend(aspect("undo", &old, &to));
                (!aspects.is_empty()).then(|| StepDiff { aspects, ..whole(new, Mark::Change) })
            }
            (None, Some(new)) => Some(whole(new, Mark::Add)),
            (Some(old), None) => Some(whole(old, Mark::Remove)),
            (None, None) => None,
        }
    };
    ids.into_iter().filter_map(compare).collect()
}

fn aspects(old: &Step, new: &Step) -> Vec<Aspect> {
    [
        aspect("title", &old.work.title, &new.work.title),
        aspect("hop", &old.hop, &new.hop),
        aspect("target", &old.target, &new.target),
        aspect("action", &old.work.action, &new.work.action),
        aspect("needs", &old.needs, &new.needs),
        aspect("done when", &old.work.done_when, &new.work.done_when),
        aspect("verify", &old.work.verify, &new.work.verify),
        aspect("disruption", &old.work.disruption, &new.work.disruption),
        aspect("tier", &old.tier, &new.tier),
        aspect("on failure", &old.on_failure, &new.on_failure),
        aspect("gates", &old.gates, &new.gates),
        aspect("captures", &old.work.captures, &new.work.captures),
        aspect("retry", &old.work.retry, &new.work.retry),
        aspect("timeout", &old.work.timeout, &new.work.timeout),
        aspect("changes", &old.changes, &new.changes),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn aspect<T: Serialize + PartialEq>(name: &'static str, old: &T, new: &T) -> Option<Aspect> {
    let json = |value: &T| serde_json::to_value(value).unwrap_or(Value::Null);
    (old != new).then(|| Aspect { name, before: json(old), after: json(new) })
}
