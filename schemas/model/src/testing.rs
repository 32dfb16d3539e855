//! Small plans for tests.

use switchback_schemas::{
    Digest, HopId, Seconds, StepId,
    format::Document,
    name::{Label, SavepointId},
    plan::{
        Action, Condition, Digests, Effect, Estimate, FailureAction, FailurePolicy, Hop, HopBasis, Inputs,
        KubeApply, KubeEffect, Need, Plan, PlanBody, PlatformRef, RollbackStep, Savepoint, Step, Undo, Wait,
        Work,
    },
};

/// The hop of every step.
pub(crate) fn hop() -> HopId {
    "test/test@2".parse().expect("a hop")
}

/// The id of a step of the hop, by its part.
pub(crate) fn id(part: &str) -> StepId {
    hop().step(part)
}

/// A text without the hop in front of ids.
pub(crate) fn parts(text: &impl ToString) -> String {
    text.to_string().replace(&format!("{}/", hop()), "")
}

fn label(text: &str) -> Label {
    Label::new(text).expect("a label")
}

fn effect(name: &str) -> Action {
    let object = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "x", "name": name}});
    Action::Effect(Effect::Kube(KubeEffect::Apply(KubeApply { object, force: false })))
}

/// A step with the rollback step that undoes it, where its undo says so.
#[derive(Clone)]
pub(crate) struct Drawn {
    pub(crate) step: Step,
    pub(crate) rollback: RollbackStep,
}

impl std::ops::Deref for Drawn {
    type Target = Step;

    fn deref(&self) -> &Step {
        &self.step
    }
}

impl std::ops::DerefMut for Drawn {
    fn deref_mut(&mut self) -> &mut Step {
        &mut self.step
    }
}

fn work(title: String, name: &str, estimate: Estimate) -> Work {
    Work { timeout: Seconds(60), estimate, ..Work::new(title, effect(name)) }
}

pub(crate) fn rollback(name: &str, seconds: u64) -> RollbackStep {
    RollbackStep::inverse(id(name), work(format!("undo {name}"), name, Estimate::seconds(seconds, seconds)))
}

/// A step with an undo; `needs` are names of other steps.
pub(crate) fn step(name: &str, needs: &[&str]) -> Drawn {
    let need = |need: &&str| Need { step: id(need), why: format!("{name} after {need}"), source: None };
    let step = Step {
        id: id(name),
        hop: hop(),
        target: label("cluster"),
        work: work(name.to_owned(), name, Estimate::seconds(10, 20)),
        needs: needs.iter().map(need).collect(),
        undo: Undo::Rollback {},
        tier: None,
        on_failure: FailurePolicy { action: FailureAction::Hold, why: String::new() },
        gates: Vec::new(),
        changes: Vec::new(),
    };
    Drawn { step, rollback: rollback(name, 10) }
}

/// A step that changes nothing.
pub(crate) fn reading(name: &str, needs: &[&str]) -> Drawn {
    let until = Condition::All(Vec::new());
    let mut drawn = step(name, needs);
    drawn.work.action = Action::Effect(Effect::Wait(Wait { until }));
    drawn.undo = Undo::Unneeded { why: "it only reads".to_owned() };
    drawn
}

pub(crate) fn plan(mut drawn: Vec<Drawn>) -> Plan {
    drawn.sort_by(|a, b| a.id.cmp(&b.id));
    let undone = drawn.iter().filter(|drawn| drawn.undo == Undo::Rollback {});
    let rollback: Vec<RollbackStep> = undone.map(|drawn| drawn.rollback.clone()).collect();
    let steps: Vec<Step> = drawn.into_iter().map(|drawn| drawn.step).collect();
    let nothing = Digest::of("");
    let savepoint = |name: &str, frontier| Savepoint {
        id: SavepointId::new(name).expect("a savepoint id"),
        title: name.to_owned(),
        frontier,
    };
    let all = steps.iter().map(|step| step.id.clone()).collect();
    let mut plan = Plan {
        format: Document::Plan.current(),
        features: crate::lint::used_features(
            steps.iter().map(|step| &step.work).chain(rollback.iter().map(|step| &step.work)),
            &[],
        ),
        platform: PlatformRef {
            name: label("test"),
            targets: std::iter::once((
                label("cluster"),
                switchback_schemas::plan::Identity::Cluster { kube_system_uid: "u".to_owned(), eks: None },
            ))
            .collect(),
            trust: None,
            allow_asserted: true,
            quorum: 1,
        },
        parent: None,
        inputs: Inputs {
            manifests: nothing,
            inventory: nothing,
            observation: label("o1"),
            observed_at: jiff::Timestamp::UNIX_EPOCH,
            as_of: jiff::Timestamp::UNIX_EPOCH,
            lock: nothing,
            catalog: nothing,
            estimates: None,
        },
        digests: Digests { effects: nothing, review: nothing },
        body: PlanBody {
            hops: vec![Hop {
                id: hop(),
                from: Some("1".parse().expect("a version")),
                basis: HopBasis::Exact,
                after: Vec::new(),
                leave_by: None,
                savepoint: SavepointId::new("end").expect("a savepoint id"),
            }],
            steps,
            rollback,
        },
        later: Vec::new(),
        savepoints: vec![savepoint("start", Vec::new()), savepoint("end", all)],
        suspensions: Vec::new(),
        gates: Vec::new(),
        points: Vec::new(),
        pools: Vec::new(),
        classes: Vec::new(),
        standing: Vec::new(),
        outside: Vec::new(),
        releases: Vec::new(),
        windows: Vec::new(),
        channels: Vec::new(),
        untested: Vec::new(),
        blind_spots: Vec::new(),
        notices: Vec::new(),
        retentions: Vec::new(),
        sources: std::collections::BTreeMap::default(),
    };
    plan.digests = crate::digests::digests(&plan).expect("digests");
    plan
}
