//! Every name leads somewhere, and is there once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_schemas::{
    StepId,
    name::Label,
    plan::{Effect, EksEffect, KubeEffect, Plan, RdsEffect, Roll},
};

pub(super) fn order_of_ids(plan: &Plan, say: &mut impl FnMut(String)) {
    for pair in plan.steps.windows(2) {
        if let [one, two] = pair
            && one.id >= two.id
        {
            say(format!("steps are not sorted by id: {} stands before {}", one.id, two.id));
        }
    }
}

/// No two steps make one object: the second would find the first one's, and take it for its own.
pub(super) fn makes_once(plan: &Plan, say: &mut impl FnMut(String)) {
    let mut makers: BTreeMap<(&Label, String), &StepId> = BTreeMap::new();
    for step in &plan.steps {
        for effect in step.work.effects() {
            let made = match effect {
                Effect::Eks(EksEffect::CreateNodegroup(create)) => {
                    (&create.target, format!("node group {}", create.nodegroup))
                }
                Effect::Rds(RdsEffect::Snapshot(snapshot)) => {
                    (&snapshot.target, format!("snapshot {}", snapshot.snapshot))
                }
                Effect::Kube(KubeEffect::Apply(apply)) => match job(&apply.object) {
                    Some(job) => (&step.target, job),
                    None => continue,
                },
                _ => continue,
            };
            let what = made.1.clone();
            if let Some(other) = makers.insert(made, &step.id) {
                say(format!("{other} and {} both make {what}", step.id));
            }
        }
    }
}

/// A Job: what is applied a second time is the same object for every other kind.
fn job(object: &Value) -> Option<String> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    (text("/kind") == Some("Job")).then(|| {
        let part = |pointer| text(pointer).unwrap_or_default();
        format!("Job {}/{}", part("/metadata/namespace"), part("/metadata/name"))
    })
}

pub(super) fn references(plan: &Plan, say: &mut impl FnMut(String)) {
    let hops: BTreeSet<_> = plan.hops.iter().map(|hop| &hop.id).collect();
    if hops.len() < plan.hops.len() {
        say("two hops have one id".to_owned());
    }
    let ids: BTreeSet<_> = plan.steps.iter().map(|step| &step.id).collect();
    let pools: BTreeSet<_> = plan.pools.iter().map(|pool| &pool.name).collect();
    let mut known = |what: &str, id: &StepId| {
        if !ids.contains(id) {
            say(format!("{what} names step {id}, which is not in the plan"));
        }
    };
    for savepoint in &plan.savepoints {
        savepoint.frontier.iter().for_each(|id| known(&format!("savepoint {}", savepoint.id), id));
    }
    for closing in plan.parent.iter().flat_map(|parent| &parent.expires) {
        known(&format!("the end of the rollback of {}", closing.hop), &closing.at);
    }
    for line in &plan.points {
        known(&format!("point of no return {}", line.id), &line.step);
    }
    for left in &plan.retentions {
        known(&left.what, &left.step);
    }
    for suspension in &plan.suspensions {
        known(&format!("suspension {}", suspension.id), &suspension.suspend);
        known(&format!("suspension {}", suspension.id), &suspension.resume);
    }
    let mut left_by = BTreeSet::new();
    for left in plan.retentions.iter().filter(|left| !left_by.insert(&left.step)) {
        say(format!("{} leaves more than one thing, {} among them", left.step, left.what));
    }
    let gates: BTreeSet<_> = plan.gates.iter().map(|gate| &gate.id).collect();
    for step in &plan.steps {
        if !hops.contains(&step.hop) {
            say(format!("{} belongs to hop {}, which is not in the plan", step.id, step.hop));
        }
        if step.hop.part(&step.id).is_none() {
            say(format!("{} is a step of hop {}, and its id does not begin with it", step.id, step.hop));
        }
        if !plan.platform.targets.contains_key(&step.target) {
            say(format!("{} acts on target {}, which the platform does not have", step.id, step.target));
        }
        for gate in step.gates.iter().filter(|gate| !gates.contains(gate)) {
            say(format!("{} waits for gate {gate}, which is not in the plan", step.id));
        }
    }
    for (id, roll) in plan.works().filter_map(|(id, work)| Some((id, work.roll()?))) {
        if !pools.contains(&roll.pool) {
            say(format!("{id} rolls pool {}, which is not in the plan", roll.pool));
        }
        recipe(id, roll, say);
    }
    let savepoints: BTreeSet<_> = plan.savepoints.iter().map(|savepoint| &savepoint.id).collect();
    for hop in plan.hops.iter().filter(|hop| !savepoints.contains(&hop.savepoint)) {
        say(format!("hop {} ends in savepoint {}, which is not in the plan", hop.id, hop.savepoint));
    }
}

/// A recipe names each step once, and each step needs earlier ones only, so it cannot hold a circle.
fn recipe(id: &StepId, roll: &Roll, say: &mut impl FnMut(String)) {
    let mut seen: BTreeSet<&Label> = BTreeSet::new();
    for part in &roll.recipe {
        for need in part.needs.iter().filter(|need| !seen.contains(need)) {
            say(format!("{id}: recipe step {} needs {need}, which does not come before it", part.name));
        }
        if !seen.insert(&part.name) {
            say(format!("{id}: two recipe steps are called {}", part.name));
        }
    }
    if roll.recipe.is_empty() || roll.max_passes == 0 {
        say(format!("{id}: a roll needs a recipe and at least one pass"));
    }
}
