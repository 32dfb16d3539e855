use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    HopId, Seconds, StepId, codes,
    name::Label,
    plan::{
        Action, Condition, Count, Effect, EksCreateNodegroup, EksEffect, FieldTest, KubeCondition,
        KubeEffect, KubePatch, KubeRestore, Mark, NodegroupSize, Operand, Plan, Retention, Roll, Savepoint,
        SetField, Stale, Step, Target, Test, Undo, Wait, Work,
    },
};

use crate::{
    diff::{self, Aspect},
    graph::{Graph, GraphError},
    lint::lint,
    rollback_order::rollback_order,
    schedule,
    summary::{savepoint_before, steps_by_hop},
    testing::{hop, id, parts, plan, reading, step},
};

fn ids(names: &[&str]) -> BTreeSet<StepId> {
    names.iter().map(|name| id(name)).collect()
}

fn back_order(plan: &Plan, started: &[&str], frontier: &[&str]) -> Vec<String> {
    let graph = Graph::of(plan).expect("a DAG");
    let to = Savepoint { frontier: frontier.iter().map(|f| id(f)).collect(), ..plan.savepoints[0].clone() };
    rollback_order(plan, &graph, &ids(started), &to).steps.iter().map(|back| parts(&back.step)).collect()
}

fn diamond() -> Plan {
    plan(vec![step("a", &[]), step("b", &["a"]), step("c", &["a"]), step("d", &["b", "c"])])
}

#[test]
fn a_circle_is_listed_with_the_reason_of_each_edge() {
    let steps =
        [step("a", &["c"]), step("b", &["a"]), step("c", &["b"]), step("d", &["c"])].map(|drawn| drawn.step);
    let Err(GraphError::Cycle(waits)) = Graph::of_steps(&steps) else { panic!("a cycle") };
    assert_eq!(waits.len(), 3);
    for (wait, next) in waits.iter().zip(waits.iter().cycle().skip(1)) {
        assert_eq!(wait.needs, next.step);
        assert_eq!(wait.why, parts(&format!("{} after {}", wait.step, wait.needs)));
    }
    assert!(Graph::of_steps(&[step("a", &["a"]).step]).is_err());
}

#[test]
fn a_circle_of_many_steps_is_told_from_its_begin_and_counted() {
    let told = [40, 160].map(|count: usize| {
        let name = |number: usize| format!("s-{number:03}");
        let steps: Vec<Step> =
            (0..count).map(|number| step(&name(number), &[&name((number + 1) % count)]).step).collect();
        let error = Graph::of_steps(&steps).expect_err("a cycle").to_string();
        assert!(error.ends_with(&format!("; and {} more, back to the first", count - 20)), "{error}");
        error.matches(" needs ").count()
    });
    assert_eq!(told, [20, 20]);
}

#[test]
fn steps_stand_under_their_hops_each_after_what_it_needs_of_its_hop() {
    // Two hops whose steps alternate in the order of ids, and a need from the one to the other.
    let mut plan = plan(vec![
        step("a", &["e"]),
        step("b", &[]),
        step("c", &["a", "f"]),
        step("d", &["b"]),
        step("e", &[]),
        step("f", &["d"]),
    ]);
    let other: HopId = "other/test@2".parse().expect("a hop");
    for number in [1, 3, 5] {
        plan.steps[number].hop = other.clone();
    }
    let graph = Graph::of(&plan).expect("a DAG");
    let by_hop = steps_by_hop(&plan, &graph);
    let of = |hop: &HopId| by_hop[hop].iter().map(|step| parts(&step.id)).collect::<Vec<_>>();
    assert_eq!(
        (of(&hop()), of(&other)),
        (
            vec!["e", "a", "c"].into_iter().map(String::from).collect(),
            vec!["b".to_owned(), "d".to_owned(), "f".to_owned()]
        )
    );
}

#[test]
fn the_way_back_reverses_what_was_started() {
    assert_eq!(back_order(&diamond(), &["a", "b", "c", "d"], &[]), ["d", "b", "c", "a"]);
    assert_eq!(back_order(&diamond(), &["a", "c"], &[]), ["c", "a"]);
    assert_eq!(back_order(&diamond(), &[], &[]), Vec::<String>::new());
}

#[test]
fn a_savepoint_keeps_what_its_frontier_needs() {
    assert_eq!(back_order(&diamond(), &["a", "b", "c", "d"], &["b"]), ["d", "c"]);
    assert_eq!(back_order(&diamond(), &["a", "b"], &["b"]), Vec::<String>::new());
}

#[test]
fn order_holds_through_steps_that_have_no_undo() {
    let plan = plan(vec![step("a", &[]), reading("b", &["a"]), step("c", &["b"])]);
    assert_eq!(back_order(&plan, &["a", "b", "c"], &[]), ["c", "a"]);
}

#[test]
fn what_cannot_be_undone_blocks_the_way() {
    let mut steps = vec![step("a", &[]), step("b", &["a"])];
    steps[1].undo = Undo::Irreversible { why: "gone".to_owned(), recovery: "restore".to_owned() };
    let plan = plan(steps);
    let graph = Graph::of(&plan).expect("a DAG");
    let way = rollback_order(&plan, &graph, &ids(&["a", "b"]), &plan.savepoints[0]);
    assert!(!way.is_open());
    assert_eq!(way.commits, [id("b")]);
    assert!(rollback_order(&plan, &graph, &ids(&["a"]), &plan.savepoints[0]).is_open());
}

#[test]
fn critical_paths_follow_the_longest_chain() {
    let plan = diamond();
    let graph = Graph::of(&plan).expect("a DAG");
    assert_eq!(schedule::critical_path(&plan, &graph, graph.order()).0, 30);
    let way = rollback_order(&plan, &graph, &ids(&["a", "b", "c"]), &plan.savepoints[0]);
    assert_eq!(schedule::takes(&plan, &way).0, 20);
    assert_eq!(schedule::remaining(&plan, &graph).first().map(|s| s.0), Some(30));
}

#[test]
fn a_sound_plan_has_no_findings() {
    assert_eq!(lint(&diamond()), []);
}

#[test]
fn a_plan_changed_by_hand_is_found_out() {
    let findings = |change: fn(&mut Plan)| {
        let mut plan = diamond();
        change(&mut plan);
        lint(&plan)
    };
    assert!(findings(|plan| plan.steps[0].work.timeout.0 = 1).iter().any(|f| f.message.contains("digests")));
    assert!(findings(|plan| plan.steps.reverse()).iter().any(|f| f.message.contains("sorted")));
    assert!(findings(|plan| plan.features.clear()).iter().any(|f| f.message.contains("features")));
    let cycle = findings(|plan| {
        let need = plan.steps[3].needs[0].clone();
        plan.steps[0].needs.push(switchback_schemas::plan::Need { step: id("d"), ..need });
    });
    assert!(cycle.iter().any(|f| f.code == codes::PATH_CYCLE));
    let commit = findings(|plan| {
        plan.steps[0].undo = Undo::Irreversible { why: "gone".to_owned(), recovery: "restore".to_owned() };
    });
    assert!(commit.iter().any(|f| f.message.contains("point of no return")));
}

#[test]
fn no_two_steps_make_one_object() {
    let made = |second: &str| {
        let group = |name: &str, nodegroup: &str, needs: &[&str]| {
            let mut step = step(name, needs);
            let size = || Operand::Value(serde_json::json!(0));
            step.work.action = Action::Effect(Effect::Eks(EksEffect::CreateNodegroup(EksCreateNodegroup {
                target: step.target.clone(),
                nodegroup: nodegroup.to_owned(),
                like: name.to_owned(),
                kubernetes: "1.33".parse().expect("a version"),
                release: None,
                ami_type: None,
                size: NodegroupSize { min: size(), desired: size(), max: size() },
            })));
            step
        };
        let plan = plan(vec![group("a", "gpu-1-33", &[]), group("b", second, &["a"])]);
        lint(&plan).into_iter().filter(|f| f.message.ends_with("/b both make node group gpu-1-33")).count()
    };
    assert_eq!((made("gpu-1-33"), made("gpu-2-1-33")), (1, 0));
}

#[test]
fn what_tells_old_nodes_from_new_ones_comes_before_they_move() {
    let moving = |since: &str| {
        let mut mover = step("b", &["a"]);
        mover.work.action = Action::Roll(Roll {
            pool: Label::new("general").expect("a name"),
            labels: BTreeMap::new(),
            stale: Stale::BornBefore(id(since)),
            order: Vec::new(),
            canary: None,
            batch: Count::Nodes(1),
            max_unavailable: Count::Nodes(1),
            min_ready: 0,
            recipe: Vec::new(),
            verify: Vec::new(),
            soak: Seconds(0),
            max_passes: 1,
            observed: 0,
        });
        let plan = plan(vec![step("a", &[]), mover, step("c", &["b"])]);
        lint(&plan).into_iter().filter(|f| f.message.contains("moves nodes older than")).count()
    };
    assert_eq!(moving("a"), 0);
    // After it, and in no plan: nothing would ever be old.
    assert_eq!((moving("c"), moving("nowhere")), (1, 1));
}

#[test]
fn approvals_survive_new_titles_and_estimates_only() {
    let old = diamond();
    let digests = |change: fn(&mut Plan)| {
        let mut plan = diamond();
        change(&mut plan);
        crate::digests::digests(&plan).expect("digests")
    };
    let prose = digests(|plan| {
        plan.steps[0].work.title = "other words".to_owned();
        plan.steps[0].work.estimate.expected.0 = 999;
    });
    assert_eq!(prose, old.digests);
    let risk = digests(|plan| plan.steps[0].work.disruption = switchback_schemas::plan::Disruption::Outage);
    assert_eq!(risk.effects, old.digests.effects);
    assert_ne!(risk.review, old.digests.review);
    let effect = digests(|plan| plan.steps[0].needs.clear());
    assert_eq!(effect.effects, old.digests.effects, "a has no needs");
    let effect = digests(|plan| plan.steps[1].needs.clear());
    assert_ne!(effect.effects, old.digests.effects);
}

#[test]
fn a_diff_names_what_changed() {
    let old = diamond();
    let mut new = diamond();
    new.steps[1].work.timeout.0 = 5;
    new.steps.remove(3);
    new.rollback.remove(3);
    let added = step("e", &["b"]);
    new.steps.push(added.step);
    new.rollback.push(added.rollback);
    let diff = diff::diff(&old, &new);
    let marks: Vec<_> = diff.steps.iter().map(|step| (parts(&step.id), step.mark)).collect();
    assert_eq!(
        marks,
        [("b", Mark::Change), ("d", Mark::Remove), ("e", Mark::Add)].map(|(id, mark)| (id.to_owned(), mark))
    );
    assert_eq!(diff.steps[0].aspects.iter().map(|a| a.name).collect::<Vec<_>>(), ["timeout"]);
    assert!(diff::diff(&old, &old.clone()).is_empty());
}

/// Another target is another version of one hop, and not other steps.
#[test]
fn hops_to_another_version_are_held_against_each_other() {
    let (old, mut new) = (diamond(), diamond());
    let to: HopId = "test/test@3".parse().expect("a hop");
    let moved = |id: &StepId| to.step(hop().part(id).expect("a step of the hop"));
    new.hops[0].id = to.clone();
    for step in &mut new.steps {
        (step.id, step.hop) = (moved(&step.id), to.clone());
        step.needs.iter_mut().for_each(|need| need.step = moved(&need.step));
    }
    for step in &mut new.rollback {
        (step.id, step.undoes) = (moved(&step.id), step.undoes.iter().map(moved).collect());
    }
    new.savepoints[1].frontier = new.savepoints[1].frontier.iter().map(moved).collect();
    new.steps[2].work.title = "c at 3".to_owned();
    let found = diff::diff(&old, &new);
    let names = |aspects: &[Aspect]| aspects.iter().map(|aspect| aspect.name).collect::<Vec<_>>();
    let hops: Vec<_> = found.hops.iter().map(|hop| (&hop.hop.id, hop.mark, names(&hop.aspects))).collect();
    assert_eq!(hops, [(&to, Mark::Change, vec!["to"])]);
    let steps: Vec<_> = found.steps.iter().map(|step| (&step.id, step.mark, names(&step.aspects))).collect();
    assert_eq!(steps, [(&to.step("c"), Mark::Change, vec!["title"])]);
    assert_eq!(found.parts, [], "a frontier is the same by its parts");

    // One that is there in both is not taken for another.
    let mut both = new.clone();
    both.hops.insert(0, old.hops[0].clone());
    both.steps.splice(0..0, old.steps.clone());
    both.rollback.splice(0..0, old.rollback.clone());
    let added = diff::diff(&old, &both);
    assert_eq!(added.hops.iter().map(|hop| hop.mark).collect::<Vec<_>>(), [Mark::Add]);
    assert!(added.steps.iter().all(|step| step.mark == Mark::Add && step.id.as_str().contains("@3")));
}

#[test]
fn the_file_writes_steps_below_their_hop_and_only_their_part_of_an_id() {
    let plan = diamond();
    let file: serde_json::Value = serde_json::from_slice(&plan.to_json().expect("JSON")).expect("JSON");
    let hop_in_file = &file["hops"][0];
    assert_eq!(hop_in_file["id"], "test/test@2");
    assert_eq!(hop_in_file["steps"][1]["id"], "b");
    assert_eq!(hop_in_file["rollback"][1]["undoes"], serde_json::json!(["b"]));
    assert_eq!(
        hop_in_file["steps"][1]["needs"][0]["step"], "test/test@2/a",
        "what is named elsewhere is named in full"
    );
    assert!(file.get("steps").is_none() && hop_in_file["steps"][1].get("hop").is_none());
    let mut astray = plan.clone();
    astray.steps[1].hop = "test/other@2".parse().expect("a hop");
    let error = astray.to_json().expect_err("it has no place").to_string();
    assert!(error.contains("test/test@2/b is no step of a hop of the plan"), "{error}");
    assert!(lint(&astray).iter().any(|found| found.message.contains("its id does not begin with it")));
}

#[test]
fn the_initial_savepoint_is_the_first_one_empty_and_no_hops() {
    let faults = |change: fn(&mut Plan)| {
        let mut plan = diamond();
        change(&mut plan);
        lint(&plan).iter().filter(|found| found.message.contains("savepoint for the state before it")).count()
    };
    assert_eq!(faults(|_| ()), 0);
    assert_eq!(faults(|plan| drop(plan.savepoints.remove(0))), 1);
    assert_eq!(faults(|plan| plan.savepoints.swap(0, 1)), 1);
    assert_eq!(faults(|plan| plan.savepoints[0].frontier.push(id("a"))), 1);
    // The end of a hop of which nothing is in it would be taken for it.
    assert_eq!(
        faults(|plan| {
            plan.savepoints.remove(0);
            plan.savepoints[0].frontier.clear();
        }),
        1
    );
}

#[test]
fn a_hop_begins_at_the_savepoint_of_the_hop_before() {
    let mut plan = diamond();
    let before = |plan: &Plan| savepoint_before(plan, &hop()).map(|savepoint| savepoint.id.to_string());
    assert_eq!(before(&plan).as_deref(), Some("start"));
    plan.savepoints.remove(0);
    assert_eq!(before(&plan), None, "the end of the hop is not where it began");
}

#[test]
fn a_plan_is_read_back_as_it_was_written() {
    let plan = diamond();
    let bytes = plan.to_json().expect("JSON");
    let read = Plan::from_json(&bytes).expect("a plan");
    assert_eq!(read, plan);
    assert_eq!(read.to_json().expect("JSON"), bytes);
    let text = String::from_utf8(bytes).expect("text");
    assert!(text.starts_with("{\n  \"format\": \"switchback.plan/3.0\""), "{text}");
    let newer = text.replacen("\"kube.apply\"", "\"kube.apply\", \"rocm.reset\"", 1);
    assert!(
        Plan::from_json(newer.as_bytes()).expect_err("unknown feature").to_string().contains("rocm.reset")
    );
    let unknown = text.replacen("\"features\"", "\"surprise\": 1, \"features\"", 1);
    assert!(Plan::from_json(unknown.as_bytes()).is_err());
}

/// A capture is found wherever the run fills one in.
#[test]
fn captures_are_found_in_effects_and_in_conditions() {
    let captured = |name: &str| Operand::Captured { step: id("a"), name: name.to_owned() };
    let object = || {
        Target::Object(switchback_schemas::name::ObjectRef {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: Some("x".into()),
            name: "a".into(),
        })
    };
    let field = |name: &str| {
        Condition::Kube(KubeCondition::Field {
            object: object(),
            pointer: "/data/v".to_owned(),
            is: Test::Equals(captured(name)),
        })
    };
    let mut step = step("b", &["a"]);
    step.work.action = Action::Effect(Effect::Kube(KubeEffect::Patch(KubePatch {
        object: object(),
        subresource: None,
        only_if: vec![FieldTest { pointer: "/data/v".to_owned(), is: Test::Differs(captured("only if")) }],
        set: vec![SetField { pointer: "/data/v".to_owned(), to: captured("set") }],
    })));
    step.work.done_when = Some(Condition::Any(vec![field("done"), Condition::All(vec![field("deep")])]));
    let names = |work: &Work| work.captures_used().into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(names(&step.work), ["only if", "set", "done", "deep"]);
    let restore = Effect::Kube(KubeEffect::Restore(KubeRestore::of(Operand::Captured {
        step: id("a"),
        name: "objects".to_owned(),
    })));
    assert_eq!(names(&Work::effect("restore", restore)), ["objects"]);
    let wait = Effect::Wait(Wait { until: field("until") });
    assert_eq!(names(&Work::effect("wait", wait)).first().map(String::as_str), Some("until"));
}

#[test]
fn what_deletes_a_retained_resource_can_be_repeated_and_verified() {
    let mut plan = diamond();
    let removal = Work::effect("remove it", Effect::Wait(Wait { until: Condition::All(Vec::new()) }));
    plan.retentions.push(Retention {
        what: "a net".to_owned(),
        why: "a rollback".to_owned(),
        step: id("a"),
        by_undo: false,
        keep: Seconds(1),
        removal,
    });
    let found = |plan: &Plan| {
        lint(plan).iter().filter(|f| f.message.contains("is not deleted by one effect")).count()
    };
    assert_eq!(found(&plan), 1, "nobody could see whether it is gone");
    plan.retentions[0].removal.done_when = Some(Condition::All(Vec::new()));
    assert_eq!(found(&plan), 0);
    plan.retentions[0].removal.retry = switchback_schemas::plan::RetryClass::NotDone;
    assert_eq!(found(&plan), 1, "it might be done twice");
}
