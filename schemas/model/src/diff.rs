//! What changes between two plans. Hops are held against each other by what they move, so that another target is a change of fields and
//! not other steps. No text: `switchback-face` renders it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use switchback_schemas::{
    HopId, StepId,
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
    pub hops: Vec<HopDiff>,
    /// Steps, by id.
    pub steps: Vec<StepDiff>,
    /// Points of no return that were added, removed or moved.
    pub points: Vec<(Mark, PointOfNoReturn)>,
    /// Parts of the plan beside its steps that changed: gates, suspensions, pools, classes, windows.
    pub parts: Vec<Aspect>,
}

/// One hop that was added, removed or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HopDiff {
    /// The hop, the newer one.
    pub hop: Hop,
    /// How it changed.
    pub mark: Mark,
    /// What about it changed, beside its steps; empty for added and removed hops.
    pub aspects: Vec<Aspect>,
}

/// One step that was added, removed, changed or moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepDiff {
    /// The step, by its newer id.
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
    let names = Renamed::between(old, new);
    PlanDiff {
        effects_changed: old.digests.effects != new.digests.effects,
        review_changed: old.digests.review != new.digests.review,
        hops: hops(old, new, &names),
        steps: steps(old, new, &names),
        points: points(old, new, &names),
        parts: [
            names.aspect("gates", &old.gates, &new.gates),
            names.aspect("suspensions", &old.suspensions, &new.suspensions),
            names.aspect("savepoints", &old.savepoints, &new.savepoints),
            names.aspect("pools", &old.pools, &new.pools),
            names.aspect("workload classes", &old.classes, &new.classes),
            names.aspect("windows", &old.windows, &new.windows),
            names.aspect("blind spots", &old.blind_spots, &new.blind_spots),
            names.aspect("platform", &old.platform, &new.platform),
            names.aspect("permissions", &permissions(old), &permissions(new)),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// Ids of the older plan that the newer one has under another name, because the hop goes to another version.
struct Renamed {
    hops: BTreeMap<HopId, HopId>,
    /// Hops, steps, rollback steps and savepoints.
    all: BTreeMap<String, String>,
}

impl Renamed {
    /// Pairs hops of one component and instance: those to one version first, then the others in their order.
    fn between(old: &Plan, new: &Plan) -> Self {
        let is_in = |plan: &Plan, id: &HopId| plan.hops.iter().any(|hop| hop.id == *id);
        let mut free: Vec<&Hop> = new.hops.iter().filter(|hop| !is_in(old, &hop.id)).collect();
        let (mut hops, mut all) = (BTreeMap::new(), BTreeMap::new());
        for before in old.hops.iter().filter(|hop| !is_in(new, &hop.id)) {
            let Some(at) = free.iter().position(|after| after.id.moves_same(&before.id)) else { continue };
            let after = free.remove(at);
            all.insert(before.id.to_string(), after.id.to_string());
            all.insert(before.savepoint.to_string(), after.savepoint.to_string());
            hops.insert(before.id.clone(), after.id.clone());
        }
        let mut names = Self { hops, all };
        let rollback = old.rollback.iter().filter_map(|step| Some((&step.id, &old.step(step.place()?)?.hop)));
        for (id, hop) in old.steps.iter().map(|step| (&step.id, &step.hop)).chain(rollback) {
            let step = names.step(id, hop);
            if step != *id {
                names.all.insert(id.to_string(), step.to_string());
            }
        }
        names
    }

    /// A step's id as the newer plan would write it.
    fn step(&self, id: &StepId, hop: &HopId) -> StepId {
        let renamed = self.hops.get(hop).zip(hop.part(id));
        renamed.map_or_else(|| id.clone(), |(hop, part)| hop.step(part))
    }

    /// What is said in the older plan, with the names that the newer one has for it.
    fn value<T: Serialize>(&self, old: &T) -> Value {
        let mut value = json(old);
        self.rename(&mut value);
        value
    }

    fn rename(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(name) = self.all.get(text) {
                    text.clone_from(name);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.rename(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn aspect<T: Serialize + PartialEq>(&self, name: &'static str, old: &T, new: &T) -> Option<Aspect> {
        if self.all.is_empty() && old == new {
            return None;
        }
        let (before, after) = (self.value(old), json(new));
        (before != after).then_some(Aspect { name, before, after })
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// What the credentials must allow, as few rules: what was added to them is seen without the steps.
fn permissions(plan: &Plan) -> (BTreeMap<String, Vec<PolicyRule>>, Vec<Statement>) {
    let needed = of_plan(plan);
    let place = |namespace: Option<String>| namespace.unwrap_or_else(|| "everywhere".to_owned());
    let roles = roles(needed.keys()).into_iter().map(|(namespace, rules)| (place(namespace), rules));
    (roles.collect(), policy(needed.keys()))
}

/// What both have under one key, and what only one of them has, sorted by key.
fn paired<'a, K: Ord, T>(
    old: impl Iterator<Item = (K, &'a T)>,
    new: impl Iterator<Item = (K, &'a T)>,
) -> BTreeMap<K, (Option<&'a T>, Option<&'a T>)> {
    let mut pairs: BTreeMap<K, (Option<&T>, Option<&T>)> =
        old.map(|(key, item)| (key, (Some(item), None))).collect();
    for (key, item) in new {
        pairs.entry(key).or_default().1 = Some(item);
    }
    pairs
}

/// The one of a pair that is shown, and whether it was added, removed or both plans have it.
fn marked<'a, T>(pair: (Option<&'a T>, Option<&'a T>)) -> Option<(Mark, &'a T)> {
    match pair {
        (Some(_), Some(new)) => Some((Mark::Change, new)),
        (None, Some(new)) => Some((Mark::Add, new)),
        (Some(old), None) => Some((Mark::Remove, old)),
        (None, None) => None,
    }
}

fn hops(old: &Plan, new: &Plan, names: &Renamed) -> Vec<HopDiff> {
    let before = old.hops.iter().map(|hop| (names.hops.get(&hop.id).unwrap_or(&hop.id), hop));
    let pairs = paired(before, new.hops.iter().map(|hop| (&hop.id, hop)));
    let compare = |pair: (Option<&Hop>, Option<&Hop>)| {
        let (mark, hop) = marked(pair)?;
        let aspects = match pair {
            (Some(old), Some(new)) => hop_aspects(old, new, names),
            _ => Vec::new(),
        };
        let same = mark == Mark::Change && aspects.is_empty();
        (!same).then(|| HopDiff { hop: hop.clone(), mark, aspects })
    };
    pairs.into_values().filter_map(compare).collect()
}

fn hop_aspects(old: &Hop, new: &Hop, names: &Renamed) -> Vec<Aspect> {
    let aspects = [
        names.aspect("from", &old.from, &new.from),
        names.aspect("to", old.id.to(), new.id.to()),
        names.aspect("basis", &old.basis, &new.basis),
        names.aspect("after", &old.after, &new.after),
        names.aspect("leave by", &old.leave_by, &new.leave_by),
        names.aspect("savepoint", &old.savepoint, &new.savepoint),
    ];
    aspects.into_iter().flatten().collect()
}

fn points(old: &Plan, new: &Plan, names: &Renamed) -> Vec<(Mark, PointOfNoReturn)> {
    let before = old.points.iter().map(|point| (&point.id, point));
    let pairs = paired(before, new.points.iter().map(|point| (&point.id, point)));
    let same = |pair: &(Option<&PointOfNoReturn>, Option<&PointOfNoReturn>)| matches!(pair, (Some(old), Some(new)) if names.value(old) == json(new));
    let changed = pairs.into_values().filter(|pair| !same(pair)).filter_map(marked);
    changed.map(|(mark, point)| (mark, point.clone())).collect()
}

fn steps(old: &Plan, new: &Plan, names: &Renamed) -> Vec<StepDiff> {
    let before = old.steps.iter().map(|step| (names.step(&step.id, &step.hop), step));
    let pairs = paired(before, new.steps.iter().map(|step| (step.id.clone(), step)));
    let (undone_before, undone_after) = (old.rollback_by_step(), new.rollback_by_step());
    let compare = |(id, pair): (StepId, (Option<&Step>, Option<&Step>))| {
        let (mark, step) = marked(pair)?;
        let aspects = match pair {
            (Some(old), Some(new)) => {
                let undo = |step: &Step, by: &BTreeMap<&StepId, Vec<&RollbackStep>>| {
                    let by = by.get(&step.id).into_iter().flatten();
                    (step.undo.clone(), by.copied().cloned().collect::<Vec<_>>())
                };
                let undo = names.aspect("undo", &undo(old, &undone_before), &undo(new, &undone_after));
                aspects(old, new, names).into_iter().chain(undo).collect()
            }
            _ => Vec::new(),
        };
        let same = mark == Mark::Change && aspects.is_empty();
        (!same).then(|| StepDiff { id, title: step.work.title.clone(), mark, aspects })
    };
    pairs.into_iter().filter_map(compare).collect()
}

fn aspects(old: &Step, new: &Step, names: &Renamed) -> Vec<Aspect> {
    [
        names.aspect("title", &old.work.title, &new.work.title),
        names.aspect("hop", &old.hop, &new.hop),
        names.aspect("target", &old.target, &new.target),
        names.aspect("action", &old.work.action, &new.work.action),
        names.aspect("needs", &old.needs, &new.needs),
        names.aspect("done when", &old.work.done_when, &new.work.done_when),
        names.aspect("verify", &old.work.verify, &new.work.verify),
        names.aspect("disruption", &old.work.disruption, &new.work.disruption),
        names.aspect("tier", &old.tier, &new.tier),
        names.aspect("on failure", &old.on_failure, &new.on_failure),
        names.aspect("gates", &old.gates, &new.gates),
        names.aspect("captures", &old.work.captures, &new.work.captures),
        names.aspect("retry", &old.work.retry, &new.work.retry),
        names.aspect("timeout", &old.work.timeout, &new.work.timeout),
        names.aspect("changes", &old.changes, &new.changes),
    ]
    .into_iter()
    .flatten()
    .collect()
}
