//! Rollback steps that undo more than one step, come after others, or lift what others suspend; and what lint says of each.

use std::collections::BTreeSet;

use switchback_schemas::{
    StepId,
    name::{ObjectName, ObjectRef},
    plan::{
        Action, Capture, CaptureKind, Effect, KubeCapture, KubeDelete, KubeEffect, KubeRestore, Operand,
        Plan, RollbackStep, Target, Undo,
    },
};

use crate::{
    digests::digests,
    graph::Graph,
    lint::lint,
    rollback_order::rollback_order,
    testing::{id, parts, plan, reading, rollback, step},
};

/// A chain of three steps, of which `back` are the rollback steps.
fn chain(mut back: Vec<RollbackStep>) -> Plan {
    back.sort_by(|one, other| one.id.cmp(&other.id));
    let mut plan = plan(vec![step("a", &[]), step("b", &["a"]), step("c", &["b"])]);
    plan.rollback = back;
    plan.digests = digests(&plan).expect("digests");
    plan
}

fn undoing(name: &str, undoes: &[&str]) -> RollbackStep {
    RollbackStep { undoes: undoes.iter().map(|step| id(step)).collect(), ..rollback(name, 10) }
}

fn after(rollback: RollbackStep, first: &[&str]) -> RollbackStep {
    RollbackStep { after: first.iter().map(|step| id(step)).collect(), ..rollback }
}

fn order(plan: &Plan, started: &[&str]) -> Vec<String> {
    let graph = Graph::of(plan).expect("a DAG");
    let started: BTreeSet<StepId> = started.iter().map(|step| id(step)).collect();
    let way = rollback_order(plan, &graph, &started, &plan.savepoints[0]);
    way.steps.iter().map(|back| parts(&back.step)).collect()
}

fn said(plan: &Plan, words: &str) -> bool {
    lint(plan).iter().any(|finding| parts(&finding.message).contains(words))
}

#[test]
fn what_undoes_several_steps_comes_once_where_the_first_came() {
    let plan = chain(vec![undoing("a", &["a", "c"]), undoing("b", &["b"])]);
    assert_eq!(lint(&plan), []);
    assert_eq!(order(&plan, &["a"]), ["a"]);
    assert_eq!(order(&plan, &["a", "b", "c"]), ["b", "a"]);
}

#[test]
fn rollback_steps_of_one_place_come_in_the_order_of_after() {
    let back = || vec![undoing("b", &["b"]), undoing("c", &["c"]), undoing("a", &["a"])];
    let mut one = back();
    one.push(after(undoing("early", &["b"]), &[]));
    one[0] = after(one[0].clone(), &["early"]);
    assert_eq!(order(&chain(one), &["a", "b", "c"]), ["c", "early", "b", "a"]);
    let mut other = back();
    other.push(after(undoing("early", &["b"]), &["b"]));
    let other = chain(other);
    assert_eq!(lint(&other), []);
    assert_eq!(order(&other, &["a", "b", "c"]), ["c", "b", "early", "a"]);
}

#[test]
fn after_names_a_rollback_step_and_makes_no_circle() {
    let all = |first: RollbackStep| chain(vec![first, undoing("b", &["b"]), undoing("c", &["c"])]);
    let unknown = all(after(undoing("a", &["a"]), &["nowhere"]));
    assert!(said(&unknown, "comes after nowhere, which is no rollback step"), "{:?}", lint(&unknown));
    let itself = chain(vec![
        undoing("a", &["a"]),
        after(undoing("b", &["b"]), &["late"]),
        after(undoing("late", &["b"]), &["b"]),
        undoing("c", &["c"]),
    ]);
    assert!(said(&itself, "cycle"), "{:?}", lint(&itself));
    // Everything that came later rolls back first, whatever `after` says.
    let against =
        chain(vec![undoing("a", &["a"]), undoing("b", &["b"]), after(undoing("c", &["c"]), &["a"])]);
    assert!(said(&against, "cycle"), "{:?}", lint(&against));
}

#[test]
fn what_suspends_is_taken_with_what_lifts_it() {
    let held = |lifts: &[&str]| {
        let hold = RollbackStep { lifted_by: Some(id("lift")), ..undoing("hold", &["b"]) };
        chain(vec![
            undoing("a", &["a"]),
            after(undoing("b", &["b"]), &["hold"]),
            hold,
            after(undoing("lift", lifts), &["b"]),
            undoing("c", &["c"]),
        ])
    };
    let both = held(&["b"]);
    assert_eq!(lint(&both), []);
    assert_eq!(order(&both, &["a", "b"]), ["hold", "b", "lift", "a"]);
    let apart = held(&["c"]);
    assert!(said(&apart, "one can be taken without the other"), "{:?}", lint(&apart));
}

#[test]
fn a_step_says_that_it_is_rolled_back_exactly_if_a_rollback_step_names_it() {
    let unnamed = chain(vec![undoing("a", &["a"]), undoing("b", &["b"])]);
    assert!(said(&unnamed, "c says that it is rolled back, and no rollback step names it"));
    let mut silent = chain(vec![undoing("a", &["a"]), undoing("b", &["b"]), undoing("c", &["c"])]);
    silent.steps[2].undo = Undo::Unneeded { why: "nothing".to_owned() };
    assert!(said(&silent, "a rollback step names c, which does not say that it is rolled back"));
    silent.rollback.pop();
    assert!(said(&silent, "c changes something and says that there is nothing to undo"));
}

#[test]
fn what_only_looks_needs_no_undo() {
    assert_eq!(lint(&plan(vec![step("a", &[]), reading("b", &["a"])])), []);
}

#[test]
fn what_is_undone_together_is_of_one_hop_and_comes_after_the_first() {
    let others = || vec![undoing("b", &["b"])];
    let backwards = chain([others(), vec![undoing("c", &["c", "a"])]].concat());
    assert!(said(&backwards, "which does not come after the first that it undoes"));
    let mut foreign = chain([others(), vec![undoing("a", &["a", "c"])]].concat());
    foreign.steps[2].hop = "test/other@2".parse().unwrap();
    assert!(said(&foreign, "which does not come after the first that it undoes, in its hop"));
    let nothing = chain([others(), vec![undoing("a", &["a", "c"]), undoing("x", &[])]].concat());
    assert!(said(&nothing, "x undoes no step of the plan"));
}

#[test]
fn a_rollback_step_is_not_called_like_a_step_elsewhere() {
    let plan = chain(vec![undoing("a", &["c"]), undoing("b", &["b"]), undoing("x", &["a"])]);
    assert!(said(&plan, "a is called like a step whose place it does not take"), "{:?}", lint(&plan));
}

#[test]
fn to_delete_what_a_rollback_deletes_anyway_needs_no_undo() {
    let job = |name: &str| {
        let object = ObjectRef::new("batch/v1", "Job", &ObjectName::cluster(name));
        Action::Effect(Effect::Kube(KubeEffect::Delete(KubeDelete { object: Target::Object(object) })))
    };
    let tidied = |made: &str, deleted: &str| {
        let mut back = undoing("a", &["a"]);
        back.work.action = job(made);
        let mut plan = chain(vec![back, undoing("b", &["b"])]);
        plan.steps[2].work.action = job(deleted);
        plan.steps[2].undo = Undo::Unneeded { why: "it is deleted on the rollback, too".to_owned() };
        plan.features.insert("kube.delete".to_owned());
        plan.digests = digests(&plan).expect("digests");
        plan
    };
    assert_eq!(lint(&tidied("check", "check")), []);
    assert!(said(&tidied("check", "other"), "c changes something and says that there is nothing to undo"));
}

#[test]
fn a_rollback_uses_what_its_step_captured_and_nothing_else() {
    let restoring = |of: &str| {
        let mut back = undoing("b", &["b"]);
        back.work.action =
            Action::Effect(Effect::Kube(KubeEffect::Restore(KubeRestore::of(Operand::Captured {
                step: id(of),
                name: "before".to_owned(),
            }))));
        vec![undoing("a", &["a"]), back, undoing("c", &["c"])]
    };
    let plan = |of: &str, captures: &[&str]| {
        let mut plan = chain(restoring(of));
        plan.features.insert("kube.restore".to_owned());
        for step in plan.steps.iter_mut().filter(|step| captures.contains(&parts(&step.id).as_str())) {
            let what = CaptureKind::Kube(KubeCapture::Objects(Vec::new()));
            step.work.captures.push(Capture { name: "before".to_owned(), what });
        }
        plan.digests = digests(&plan).expect("digests");
        plan
    };
    assert_eq!(lint(&plan("b", &["b"])), [], "its own step's");
    assert_eq!(lint(&plan("a", &["a"])), [], "that of a step before it");
    assert!(said(&plan("b", &[]), "b uses capture \"before\" of b, which does not capture it"));
    assert!(said(&plan("b", &["a"]), "b uses capture \"before\" of b, which does not capture it"));
    assert!(said(&plan("c", &["c"]), "b uses capture \"before\" of c, which does not come before it"));
}
