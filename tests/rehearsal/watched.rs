//! The watch can fail: what is wrong is seen, whether somebody does it by hand or a run does it in a bad order.

use std::sync::{Arc, Mutex};

use switchback_executor::store::sim::SimDisk;
use switchback_model::digests::digests;
use switchback_schemas::{
    HopId, StepId,
    plan::{Need, Plan},
};
use switchback_twin::{DeleteOptions, Key, World};

use crate::{
    interleavings::{asked, promises, world},
    support::{
        block_on,
        platform::{Manner, Platform},
        run::Planned,
        watch::Watch,
    },
};

/// What a watch says of something that is done to a world on which everything was well.
fn seen(change: impl FnOnce(&mut World)) -> Vec<String> {
    let mut world = world(3600);
    let mut watch = promises();
    watch.look(&world);
    assert_eq!(watch.wrong, Vec::<String>::new(), "everything is well at the start");
    change(&mut world);
    watch.look(&world);
    watch.wrong
}

/// The first pods of a namespace with a label `app` or `workload`.
fn pods(world: &World, namespace: &str, name: &str) -> Vec<Key> {
    let all = world.list("", "pods", Some(namespace));
    let ours = all.filter(|(_, pod)| {
        let labels = &pod["metadata"]["labels"];
        labels["app"] == name || labels["workload"] == name
    });
    ours.map(|(key, _)| key.clone()).collect()
}

#[track_caller]
fn says(wrong: &[String], what: &str) {
    assert!(wrong.iter().any(|line| line.contains(what)), "{what}: {wrong:#?}");
}

#[test]
fn versions_that_do_not_go_together_are_seen() {
    let wrong = seen(|world| {
        let cluster = world.cloud_mut().eks.clusters.values_mut().next().expect("a cluster");
        cluster.version = "1.34".to_owned();
    });
    says(&wrong, "karpenter 1.5.8 with eks 1.34");
    says(&wrong, "node-images 1.32 with eks 1.34");
}

#[test]
fn pods_that_go_against_a_budget_are_seen_also_if_others_come() {
    let wrong = seen(|world| {
        for pod in pods(world, "mlops", "sklearn-iris").iter().take(2) {
            world.delete(pod, DeleteOptions::default());
        }
        world.advance_by(std::time::Duration::from_mins(5));
        assert_eq!(pods(world, "mlops", "sklearn-iris").len(), 3, "others came");
    });
    says(&wrong, "wants 2 healthy pods, and 1 are");
    says(&wrong, "sklearn-iris serves with 1 pods, and 2 are promised");
}

#[test]
fn a_training_pod_that_is_ended_is_seen() {
    let wrong = seen(|world| {
        let all = pods(world, "training", "training");
        world.delete(all.first().expect("a training pod"), DeleteOptions::default());
    });
    says(&wrong, "was ended");
    let wrong = seen(|world| world.advance_by(std::time::Duration::from_hours(2)));
    assert_eq!(wrong, Vec::<String>::new(), "one that comes to its own end is well");
}

#[test]
fn a_pool_that_has_too_few_nodes_is_seen() {
    let wrong = seen(|world| {
        let nodes =
            world.list("", "nodes", None).filter(|(_, node)| node["metadata"]["labels"]["pool"] == "general");
        let nodes: Vec<Key> = nodes.map(|(key, _)| key.clone()).take(2).collect();
        for node in &nodes {
            world.modify(node, |node| node["spec"]["unschedulable"] = true.into());
        }
    });
    says(&wrong, "1 nodes of general take pods, and 2 are promised");
}

/// A sequence that the order forbids cannot be had.
#[test]
fn hops_are_compiled_backwards_only_as_far_as_their_order_allows() {
    let solved: Vec<HopId> = asked().plan(&[]).plan.hops.iter().map(|hop| hop.id.clone()).collect();
    let backwards: Vec<HopId> = solved.iter().rev().cloned().collect();
    let plan = asked().plan(&backwards).plan;
    let had: Vec<HopId> = plan.hops.iter().map(|hop| hop.id.clone()).collect();
    assert!(had != backwards, "{had:?}");
    assert!(had != solved, "{had:?}");
    let before = |hop: &HopId, other: &HopId| {
        let at = |id| had.iter().position(|hop| hop == id);
        at(hop) < at(other)
    };
    for hop in &plan.hops {
        assert!(hop.after.iter().all(|order| before(&order.hop, &hop.id)), "{} among {had:?}", hop.id);
    }
    assert!(plan.hops.iter().any(|hop| !hop.after.is_empty()), "something is ordered");
}

/// The plan with Karpenter's hop behind the minor that it has to come before: what the planner never writes.
fn disordered() -> Planned {
    let mut plan = asked().plan(&[]).plan;
    let hop = |part: &str| plan.hops.iter().position(|hop| hop.id.to_string().contains(part)).expect("a hop");
    let (first, karpenter, second) = (hop("@1.33"), hop("karpenter/"), hop("@1.34"));
    let mut sequence: Vec<usize> = (0..plan.hops.len()).filter(|number| *number != karpenter).collect();
    let place = sequence.iter().position(|number| *number == second).expect("the second minor");
    assert!(first < second);
    assert!(karpenter < second);
    sequence.insert(place + 1, karpenter);
    let ends = |plan: &Plan, hop: usize| plan.savepoints[hop + 1].frontier.clone();
    let mut before: Vec<StepId> = Vec::new();
    for number in &sequence {
        let id = plan.hops[*number].id.clone();
        let own: Vec<StepId> =
            plan.steps.iter().filter(|step| step.hop == id).map(|step| step.id.clone()).collect();
        for step in plan.steps.iter_mut().filter(|step| step.hop == id) {
            step.needs.retain(|need| own.contains(&need.step));
            if step.needs.is_empty() {
                let need =
                    |step: &StepId| Need { step: step.clone(), why: "a bad order".to_owned(), source: None };
                step.needs = before.iter().map(need).collect();
            }
            // What a step was compiled from was meant for another order.
            step.work.reads.clear();
        }
        before = ends(&plan, *number);
    }
    let savepoints = sequence.iter().map(|number| plan.savepoints[number + 1].clone());
    plan.savepoints = plan.savepoints.iter().take(1).cloned().chain(savepoints).collect();
    plan.hops = sequence.iter().map(|number| plan.hops[*number].clone()).collect();
    plan.hops.iter_mut().for_each(|hop| hop.after.clear());
    plan.digests = digests(&plan).expect("digests");
    Planned::of(plan.to_json().expect("JSON"))
}

/// A run that does what it is told in a bad order.
#[test]
fn a_bad_order_of_hops_is_seen_on_the_way() {
    let planned = disordered();
    let wrong = block_on(async {
        let platform = Platform::of(world(600), SimDisk::new()).await;
        let watch: Arc<Mutex<Watch>> = Arc::new(Mutex::new(promises()));
        platform.time.is_watched_by(&watch);
        let rest = platform.carried_through(&planned, &Manner::default(), |_, _| ()).await;
        let wrong = watch.lock().expect("the watch").wrong.clone();
        (rest, wrong)
    });
    says(&wrong.1, "karpenter 1.5.8 with eks 1.34");
}
