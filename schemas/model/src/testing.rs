//! Small plans for tests.

use switchback_schemas::{
    Digest, Seconds, StepId,
    format::Document,
    name::{Label, SavepointId},
    plan::{
        Action, Condition, Digests, Disruption, Effect, Estimate, FailureAction, FailurePolicy, Hop,
        HopBasis, Inputs, KubeApply, Need, Plan, PlatformRef, RetryClass, Savepoint, Step, Undo, UndoKind,
        UndoStep, Wait, Work,
    },
};

pub(crate) fn id(text: &str) -> StepId {
    StepId::new(text).expect("a step id")
}

fn label(text: &str) -> Label {
    Label::new(text).expect("a label")
}

fn effect(name: &str) -> Action {
    let object = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "x", "name": name}});
    Action::Effect(Effect::KubeApply(KubeApply { object, force: false }))
}

pub(crate) fn undo(name: &str, seconds: u64) -> Undo {
    Undo::Step(Box::new(UndoStep {
        kind: UndoKind::Inverse,
        work: Work {
            title: format!("undo {name}"),
            action: effect(name),
            reads: Vec::new(),
            done_when: None,
            verify: Vec::new(),
            timeout: Seconds(60),
            retry: RetryClass::Idempotent,
            disruption: Disruption::None,
            captures: Vec::new(),
            estimate: Estimate::seconds(seconds, seconds),
            permissions: Vec::new(),
        },
        loses: Vec::new(),
        needs_capacity: false,
        closes: Vec::new(),
    }))
}

/// A step with an undo; `needs` are names of other steps.
pub(crate) fn step(name: &str, needs: &[&str]) -> Step {
    let need = |need: &&str| Need { step: id(need), why: format!("{name} after {need}"), source: None };
    Step {
        id: id(name),
        hop: id("hop"),
        target: label("cluster"),
        work: Work {
            title: name.to_owned(),
            action: effect(name),
            reads: Vec::new(),
            done_when: None,
            verify: Vec::new(),
            timeout: Seconds(60),
            retry: RetryClass::Idempotent,
            disruption: Disruption::None,
            captures: Vec::new(),
            estimate: Estimate::seconds(10, 20),
            permissions: Vec::new(),
        },
        needs: needs.iter().map(need).collect(),
        undo: undo(name, 10),
        tier: None,
        on_failure: FailurePolicy { action: FailureAction::Hold, why: String::new() },
        gates: Vec::new(),
        changes: Vec::new(),
    }
}

/// A step that changes nothing.
pub(crate) fn reading(name: &str, needs: &[&str]) -> Step {
    let until = Condition::All { of: Vec::new() };
    let mut step = step(name, needs);
    step.work.action = Action::Effect(Effect::Wait(Wait { until }));
    step.undo = Undo::ReadOnly { why: "it only looks".to_owned() };
    step
}

pub(crate) fn plan(mut steps: Vec<Step>) -> Plan {
    steps.sort_by(|a, b| a.id.cmp(&b.id));
    let nothing = Digest::of("");
    let savepoint = |name: &str, frontier| Savepoint {
        id: SavepointId::new(name).expect("a savepoint id"),
        title: name.to_owned(),
        frontier,
    };
    let all = steps.iter().map(|step| step.id.clone()).collect();
    let mut plan = Plan {
        format: Document::Plan.current(),
        features: crate::lint::used_features(&steps, &[]),
        platform: PlatformRef {
            name: label("test"),
            targets: std::iter::once((
                label("cluster"),
                switchback_schemas::plan::Identity::Cluster { kube_system_uid: "u".to_owned(), eks: None },
            ))
            .collect(),
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
        hops: vec![Hop {
            id: id("hop"),
            component: switchback_schemas::ComponentName::new("test").expect("a name"),
            asked_by: label("test"),
            from: None,
            to: "1.0".parse().expect("a version"),
            basis: HopBasis::Exact,
            after: Vec::new(),
            leave_by: None,
            savepoint: SavepointId::new("end").expect("a savepoint id"),
        }],
        savepoints: vec![savepoint("start", Vec::new()), savepoint("end", all)],
        steps,
        brackets: Vec::new(),
        gates: Vec::new(),
        lines: Vec::new(),
        pools: Vec::new(),
        classes: Vec::new(),
        releases: Vec::new(),
        windows: Vec::new(),
        channels: Vec::new(),
        untested: Vec::new(),
        blind_spots: Vec::new(),
        notices: Vec::new(),
        leftovers: Vec::new(),
        sources: std::collections::BTreeMap::default(),
    };
    plan.digests = crate::digests::digests(&plan).expect("digests");
    plan
}
