//! Small plans and their rollbacks, as plans.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_schemas::{
    HopId, RunId, Seconds,
    journal::Captured,
    name::ObjectRef,
    plan::{
        Action, Capture, CaptureKind, Condition, Effect, GateKind, KubeCapture, KubeEffect, KubePatch,
        Operand, SetField, SuspendedBy, Suspension, Target, Undo,
    },
};

use switchback_schemas::plan::WindowUse::{Forward, Freeze, Rollback};

use super::*;
use crate::{
    Graph,
    lint::lint,
    rollback_order,
    testing::{id, plan as small, step},
};

/// `a` captures what its undo puts back; `b` needs it; `c` is undone with `b`.
fn three() -> Plan {
    let mut first = step("a", &[]);
    let object = || {
        Target::Object(ObjectRef {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: Some("x".into()),
            name: "a".into(),
        })
    };
    let what = CaptureKind::Kube(KubeCapture::Field { object: object(), pointer: "/data/v".to_owned() });
    first.work.captures.push(Capture { name: "v".to_owned(), what });
    first.work.done_when = Some(Condition::All(Vec::new()));
    let to = Operand::Captured { step: id("a"), name: "v".to_owned() };
    let set = vec![SetField { pointer: "/data/v".to_owned(), to }];
    first.rollback.work.action = Action::Effect(Effect::Kube(KubeEffect::Patch(KubePatch {
        object: object(),
        subresource: None,
        only_if: Vec::new(),
        set,
    })));
    let mut plan = small(vec![first, step("b", &["a"]), step("c", &["b"])]);
    plan.rollback.remove(2);
    plan.rollback[1].undoes.push(id("c"));
    plan.features = crate::lint::used_features(plan.works().map(|(_, work)| work), &plan.retentions);
    plan.digests = digests(&plan).unwrap();
    plan
}

fn carried(plan: Digest, captures: &[(&str, &str)]) -> CarryOver {
    let mut made: BTreeMap<StepId, BTreeMap<String, Captured>> = BTreeMap::new();
    for (step, name) in captures {
        made.entry(id(step)).or_default().insert((*name).to_owned(), Captured::Scalar(json!(1)));
    }
    CarryOver {
        run: RunId::new("r-1").unwrap(),
        operation: RunId::new("r-1").unwrap(),
        plan,
        journal_head: "head".to_owned(),
        savepoint: SavepointId::new("end").unwrap(),
        captures: made,
        applied: BTreeMap::new(),
        left_suspended: Vec::new(),
        done: vec![id("a"), id("b"), id("c")],
        began: Vec::new(),
        hops: Vec::new(),
    }
}

fn back_id(part: &str) -> StepId {
    "test/test@1/rollback".parse::<HopId>().unwrap().step(part)
}

fn back(plan: &Plan, carried: Option<&CarryOver>) -> Result<Plan, NoPlan> {
    let graph = Graph::of(plan).unwrap();
    let all = plan.steps.iter().map(|step| step.id.clone()).collect();
    let to = plan.savepoints.first().unwrap();
    let observation = Label::new("o2").unwrap();
    let seen = (Digest::of("inventory"), &observation, jiff::Timestamp::UNIX_EPOCH);
    let continued = carried.map(|carried| Continued { carried, seen });
    rollback_plan(plan, Digest::of("plan"), &rollback_order(plan, &graph, &all, to), to, continued)
}

#[test]
fn a_way_back_of_a_run_is_a_sound_plan_that_continues_it() {
    let plan = three();
    let made = back(&plan, Some(&carried(Digest::of("plan"), &[("a", "v")]))).unwrap();
    assert_eq!(lint(&made), Vec::new());
    assert_eq!(Plan::from_json(&made.to_json().unwrap()).unwrap(), made);
    let ids: Vec<&str> = made.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["test/test@1/rollback/a", "test/test@1/rollback/b"]);
    // What was done last is undone first.
    assert_eq!(made.steps[0].needs[0].step, back_id("b"));
    assert!(made.steps[1].needs.is_empty());
    assert_eq!(made.parent.as_ref().map(|parent| parent.run.as_str()), Some("r-1"));
    assert_eq!(made.hops[0].from, Some("2".parse().unwrap()));
    assert!(made.hops[0].id.is_rollback());
    // Going forward again is the same for `a`; `b` took `c` back with it, so somebody approves that by name.
    assert_eq!(made.steps[0].undo, Undo::Rollback {});
    assert_eq!(made.rollback[0].work.title, "a again");
    assert!(matches!(made.steps[1].undo, Undo::Irreversible { .. }));
    assert_eq!(
        made.points.iter().map(|line| line.step.as_str()).collect::<Vec<_>>(),
        ["test/test@1/rollback/b"]
    );
}

#[test]
fn what_no_run_knows_is_refused_by_name() {
    let plan = three();
    let alone = back(&plan, None).unwrap();
    let findings: Vec<String> = lint(&alone).iter().map(|finding| finding.message.clone()).collect();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("capture \"v\" of test/test@2/a"), "{findings:?}");
    let error = back(&plan, Some(&carried(Digest::of("plan"), &[]))).unwrap_err();
    assert!(matches!(&error, NoPlan::NotCaptured { name, .. } if name == "v"), "{error}");
    let error = back(&plan, Some(&carried(Digest::of("another"), &[("a", "v")]))).unwrap_err();
    assert!(matches!(error, NoPlan::OtherPlan { .. }), "{error}");
}

#[test]
fn a_way_that_is_closed_or_empty_is_no_plan() {
    let mut plan = small(vec![step("a", &[])]);
    plan.steps[0].undo = Undo::Irreversible { why: "gone".to_owned(), recovery: "none".to_owned() };
    assert!(matches!(back(&plan, None), Err(NoPlan::Closed(steps)) if steps == [id("a")]));
    plan.steps[0].undo = Undo::Unneeded { why: "a look".to_owned() };
    plan.rollback.clear();
    assert!(matches!(back(&plan, None), Err(NoPlan::Nothing(_))));
}

#[test]
fn suspensions_and_windows_are_turned_round() {
    let mut steps = vec![step("a", &[]), step("b", &["a"]), step("c", &["a", "b"])];
    for step in &mut steps {
        step.work.done_when = Some(Condition::All(Vec::new()));
    }
    let mut plan = small(steps);
    let safe = Condition::Any(Vec::new());
    plan.suspensions.push(Suspension {
        id: Label::new("x").unwrap(),
        title: String::new(),
        suspend: id("a"),
        suspended_by: SuspendedBy::ThisRun,
        resume: id("c"),
        held: Condition::All(Vec::new()),
        safe_to_resume: safe.clone(),
        max_suspended: Seconds(1),
        spans_park: true,
        cannot_stop: Vec::new(),
        owner: String::new(),
        resume_command: String::new(),
    });
    let window = |used_for| switchback_schemas::plan::Window {
        name: Label::new("w").unwrap(),
        used_for,
        zone: "UTC".to_owned(),
        days: Vec::new(),
        start: jiff::civil::time(1, 0, 0, 0),
        length: Seconds(3600),
    };
    plan.windows = [Forward, Rollback, Freeze].map(window).into();
    let made = back(&plan, None).unwrap();
    assert_eq!(lint(&made), Vec::new());
    assert_eq!((&made.suspensions[0].suspend, &made.suspensions[0].resume), (&back_id("c"), &back_id("a")));
    assert_eq!(made.windows.iter().map(|window| window.used_for).collect::<Vec<_>>(), [Rollback, Forward]);
    assert!(made.steps.iter().all(|step| step.gates.iter().any(|gate| gate.as_str() == "window")));

    // From the middle of the suspension its opening is closed when that is safe.
    let graph = Graph::of(&plan).unwrap();
    let to = plan.savepoints.first().unwrap();
    let way = rollback_order(&plan, &graph, &[id("a"), id("b")].into(), to);
    let made = rollback_plan(&plan, Digest::of("plan"), &way, to, None).unwrap();
    assert!(made.suspensions.is_empty());
    let gate = made.gate(&Label::new("safe-x").unwrap()).unwrap();
    assert_eq!(gate.kind, GateKind::Check(safe));
    assert!(made.step(&back_id("a")).unwrap().gates.contains(&gate.id));

    // One that an earlier run opened would be left open by nobody's run.
    plan.steps[0].undo = Undo::Unneeded { why: "an earlier run did it".to_owned() };
    plan.rollback.remove(0);
    plan.suspensions[0].suspended_by = SuspendedBy::EarlierRun;
    let refused = back(&plan, None).unwrap_err();
    assert!(matches!(&refused, NoPlan::Reopens(suspension) if suspension.as_str() == "x"), "{refused}");
}
