//! Drains.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use switchback_executor::ports::{Call, Fleet, Kube as _};
use switchback_schemas::{
    Seconds,
    journal::{Class, Outcome, WaitsFor},
    plan::{
        BoundObject, Count, KubeCondition, KubeEffect, NodeCordon, NodeDrain, Objection, OnDrain,
        PodSelector, Roll, Stale, Then, WorkloadClass,
    },
};

use crate::scene::{Scene, call, done, on_both};

on_both!(
    a_drain_moves_what_it_may_and_ends_when_nothing_is_left,
    p03_a_budget_that_allows_nothing_is_named_with_its_pod,
    p04_two_budgets_over_one_pod_are_refused_by_name,
    classes_hold_what_must_not_be_disturbed,
    a_job_that_would_end_is_spared,
    what_somebody_objects_to_stays_until_a_class_overrides_it,
    a_node_that_a_person_cordoned_is_held_until_all_on_it_is_of_a_class_that_overrides_it,
    any_owner_in_the_chain_is_of_a_class,
    a_node_that_is_schedulable_is_not_drained,
    members_carry_what_a_roll_orders_by,
);

fn name_of(node: &BoundObject) -> String {
    let BoundObject { object, .. } = node;
    object.name.clone()
}

async fn cordoned(scene: &Scene) -> BoundObject {
    let node = scene.node("n").await;
    scene.deployment("web", 2).await;
    let effect = KubeEffect::Cordon(NodeCordon::new(node.clone(), true));
    done(&scene.apply(&call(), &effect).await);
    node
}

fn drain(node: &BoundObject) -> KubeEffect<Value, BoundObject> {
    KubeEffect::Drain(NodeDrain { node: node.clone() })
}

fn with_class(owner_kinds: &[&str], on_drain: OnDrain, waited: u64) -> Call {
    let class = WorkloadClass {
        name: "careful".parse().unwrap(),
        select: PodSelector {
            owner_kinds: owner_kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            ..PodSelector::default()
        },
        on_drain,
        gang: false,
        overrides: [].into(),
        may_lose: None,
    };
    let fleet = Fleet { pools: Vec::new(), classes: vec![class] };
    Call { fleet: Arc::new(fleet), waited: Seconds(waited), ..call() }
}

async fn remove(scene: &Scene, node: &BoundObject) {
    scene.call("DELETE", &format!("/api/v1/nodes/{}", name_of(node)), None).await;
}

async fn a_drain_moves_what_it_may_and_ends_when_nothing_is_left(scene: &Scene) {
    let node = cordoned(scene).await;
    let drained = KubeCondition::Drained { node: node.clone() };
    assert!(!scene.check(&call(), &drained).await.is_holding());
    let mut outcome = scene.twice(&call(), &drain(&node)).await;
    for _ in 0..300 {
        if let Outcome::Blocked { waits_for } = &outcome {
            assert!(matches!(waits_for[..], [WaitsFor::Terminating { .. }]), "{waits_for:?}");
            scene.moment().await;
            outcome = scene.twice(&call(), &drain(&node)).await;
        }
    }
    done(&outcome);
    assert!(scene.check(&call(), &drained).await.is_holding());
    remove(scene, &node).await;
    assert!(done(&scene.twice(&call(), &drain(&node)).await).contains("gone"));
}

async fn p03_a_budget_that_allows_nothing_is_named_with_its_pod(scene: &Scene) {
    let node = cordoned(scene).await;
    scene.budget("tight", "web", &json!({"maxUnavailable": 0}), 0).await;
    let outcome = scene.apply(&call(), &drain(&node)).await;
    let Outcome::Blocked { waits_for } = outcome else { panic!("{outcome:?}") };
    assert_eq!(waits_for.len(), 2, "{waits_for:?}");
    for wait in waits_for {
        let WaitsFor::Budget { budget, pod } = wait else { panic!("{wait:?}") };
        assert_eq!(budget, format!("{}/tight", scene.ns));
        assert!(pod.starts_with(&format!("{}/web-", scene.ns)), "{pod}");
    }
    remove(scene, &node).await;
}

async fn p04_two_budgets_over_one_pod_are_refused_by_name(scene: &Scene) {
    let node = cordoned(scene).await;
    scene.budget("one", "web", &json!({"maxUnavailable": 1}), 1).await;
    scene.budget("two", "web", &json!({"maxUnavailable": 1}), 1).await;
    let outcome = scene.apply(&call(), &drain(&node)).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = outcome else { panic!("{outcome:?}") };
    let (one, two) = (format!("{}/one", scene.ns), format!("{}/two", scene.ns));
    assert!(evidence.0.iter().all(|line| line.contains(&one) && line.contains(&two)), "{evidence:?}");
    let pods = scene.get(&format!("/api/v1/namespaces/{}/pods", scene.ns)).await.unwrap();
    let leaving = pods["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|pod| !pod["metadata"]["deletionTimestamp"].is_null());
    assert_eq!(leaving.count(), 0, "something was evicted");
    remove(scene, &node).await;
}

async fn classes_hold_what_must_not_be_disturbed(scene: &Scene) {
    let node = cordoned(scene).await;
    let wait = |then| OnDrain::Wait { max: Seconds(60), then };
    for call in [
        with_class(&["Deployment"], OnDrain::Never {}, 9_999),
        with_class(&["Deployment"], wait(Then::Park), 9_999),
        with_class(&["Deployment"], wait(Then::Evict), 59),
    ] {
        let outcome = scene.apply(&call, &drain(&node)).await;
        let expected = WaitsFor::Workload {
            workload: format!("Deployment {}/web", scene.ns),
            class: Some("careful".into()),
            node: name_of(&node),
            why: None,
        };
        assert_eq!(outcome, Outcome::Blocked { waits_for: vec![expected] });
    }
    let outcome = scene.apply(&with_class(&["Deployment"], wait(Then::Evict), 60), &drain(&node)).await;
    // A pod that leaves at once is looked for a second time.
    let goes = |wait: &WaitsFor| matches!(wait, WaitsFor::Terminating { .. } | WaitsFor::SecondLook { .. });
    let evicting = match &outcome {
        Outcome::Done { .. } => true,
        Outcome::Blocked { waits_for } => waits_for.len() == 1 && waits_for.iter().all(goes),
        _ => false,
    };
    assert!(evicting, "{outcome:?}");
    remove(scene, &node).await;
}

/// A Job of two pods that train on the scene's node.
async fn training(scene: &Scene, name: &str, policy: &Value) {
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": scene.ns},
        "spec": {"parallelism": 2, "completions": 2, "backoffLimit": 1, "template": {
            "metadata": {"labels": {"app": name}, "annotations": {"cluster.switchback.test/pod": "hold"}},
            "spec": {"restartPolicy": "Never", "nodeSelector": {"row": scene.id},
                "tolerations": [{"key": "row", "operator": "Equal", "value": scene.id, "effect": "NoSchedule"}],
                "containers": [{"name": "c", "image": "example.invalid/train:1"}]}}}});
    if !policy.is_null() {
        job["spec"]["podFailurePolicy"] = policy.clone();
    }
    scene.put(job).await;
    let path = format!("/apis/batch/v1/namespaces/{}/jobs/{name}", scene.ns);
    scene.wait(&path, |job| job["status"]["ready"] == 2).await;
}

async fn a_job_that_would_end_is_spared(scene: &Scene) {
    let node = scene.node("n").await;
    training(scene, "fragile", &Value::Null).await;
    let ignores = json!({"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]});
    training(scene, "sturdy", &ignores).await;
    let effect = KubeEffect::Cordon(NodeCordon::new(node.clone(), true));
    done(&scene.apply(&call(), &effect).await);

    let call = with_class(&["Job"], OnDrain::Requeue {}, 0);
    let Outcome::Blocked { waits_for } = scene.apply(&call, &drain(&node)).await else {
        panic!("not blocked")
    };
    let [WaitsFor::Workload { workload, why: Some(why), .. }, ..] = &waits_for[..] else {
        panic!("{waits_for:?}")
    };
    assert_eq!(*workload, format!("Job {}/fragile", scene.ns));
    assert!(why.contains("evicting 2 of its pods"), "{why}");
    assert!(why.contains("leaves 1"), "{why}");
    let pods = scene.get(&format!("/api/v1/namespaces/{}/pods", scene.ns)).await.unwrap();
    let stays = |app: &str| {
        let of_app = |pod: &&Value| {
            pod["metadata"]["labels"]["app"] == app
                && pod["spec"]["nodeName"] == name_of(&node)
                && pod["metadata"]["deletionTimestamp"].is_null()
        };
        pods["items"].as_array().unwrap().iter().filter(of_app).count()
    };
    assert_eq!((stays("fragile"), stays("sturdy")), (2, 0), "only what survives it is evicted");
    let job = scene.get(&format!("/apis/batch/v1/namespaces/{}/jobs/fragile", scene.ns)).await.unwrap();
    assert!(job["status"]["failed"].is_null(), "{job:#}");
    remove(scene, &node).await;
}

/// A pod of nobody's on the scene's node, with data of its own.
async fn session(scene: &Scene) {
    scene
        .put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "session", "namespace": scene.ns},
            "spec": {"nodeSelector": {"row": scene.id}, "volumes": [{"name": "scratch", "emptyDir": {}}],
                "tolerations": [{"key": "row", "operator": "Equal", "value": scene.id, "effect": "NoSchedule"}],
                "containers": [{"name": "c", "image": "example.invalid/app:1"}]}}))
        .await;
    let path = format!("/api/v1/namespaces/{}/pods/session", scene.ns);
    scene.wait(&path, |pod| pod["status"]["phase"] == "Running").await;
}

/// Every class that is asked for overrides these.
fn overriding(overrides: &[Objection]) -> Call {
    let call = with_class(&[], OnDrain::Evict {}, 0);
    let mut fleet = (*call.fleet).clone();
    for class in &mut fleet.classes {
        class.overrides = overrides.iter().copied().collect();
    }
    Call { fleet: Arc::new(fleet), ..call }
}

/// What is waited for, with the reasons.
fn held(outcome: &Outcome) -> Vec<(String, String)> {
    let Outcome::Blocked { waits_for } = outcome else { panic!("{outcome:?}") };
    let why = |wait: &WaitsFor| match wait {
        WaitsFor::Workload { workload, why, .. } => Some((workload.clone(), why.clone().unwrap_or_default())),
        _ => None,
    };
    waits_for.iter().filter_map(why).collect()
}

async fn what_somebody_objects_to_stays_until_a_class_overrides_it(scene: &Scene) {
    let node = scene.node("n").await;
    session(scene).await;
    scene.deployment("nb", 1).await;
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/nb", scene.ns);
    let no = json!({"karpenter.sh/do-not-disrupt": "true"});
    scene.patch(&path, &json!({"spec": {"template": {"metadata": {"annotations": no}}}})).await;
    let pods = format!("/api/v1/namespaces/{}/pods", scene.ns);
    scene
        .wait(&pods, |pods| {
            let noted =
                |pod: &Value| !pod["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"].is_null();
            let nb: Vec<&Value> = pods["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|p| p["metadata"]["labels"]["app"] == "nb")
                .collect();
            nb.len() == 1 && nb.iter().all(|pod| noted(pod) && pod["status"]["phase"] == "Running")
        })
        .await;
    done(&scene.apply(&call(), &KubeEffect::Cordon(NodeCordon::new(node.clone(), true))).await);

    let found = held(&scene.apply(&overriding(&[Objection::LocalData]), &drain(&node)).await);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [format!("Deployment {}/nb", scene.ns), format!("Pod {}/session", scene.ns)]);
    assert!(found[0].1.contains("overrides: [do-not-disrupt]"), "{found:?}");
    assert!(found[1].1.contains("overrides: [no-controller]"), "what is overridden is not said: {found:?}");
    let stands = scene.get(&format!("{pods}/session")).await.expect("it stands");
    assert!(stands["metadata"]["deletionTimestamp"].is_null());

    let all = overriding(&[Objection::LocalData, Objection::NoController, Objection::DoNotDisrupt]);
    assert!(!matches!(scene.apply(&all, &drain(&node)).await, Outcome::NotDone { .. }));
    scene.gone(&format!("{pods}/session")).await;
    remove(scene, &node).await;
}

async fn a_node_that_a_person_cordoned_is_held_until_all_on_it_is_of_a_class_that_overrides_it(
    scene: &Scene,
) {
    let node = scene.node("n").await;
    scene.deployment("web", 1).await;
    let path = format!("/api/v1/nodes/{}", name_of(&node));
    scene.patch(&path, &json!({"spec": {"unschedulable": true}})).await;
    let cordon = KubeEffect::Cordon(NodeCordon::new(node.clone(), true));
    for effect in [&cordon, &drain(&node)] {
        let found = held(&scene.apply(&overriding(&[]), effect).await);
        assert_eq!(found[0].0, format!("Node {}", name_of(&node)));
        assert!(found[0].1.contains("overrides: [cordoned]"), "{found:?}");
    }
    let decided = overriding(&[Objection::Cordoned]);
    assert!(done(&scene.apply(&decided, &cordon).await).contains("left so"));
    assert!(!matches!(scene.apply(&decided, &drain(&node)).await, Outcome::NotDone { .. }));
    remove(scene, &node).await;
}

async fn any_owner_in_the_chain_is_of_a_class(scene: &Scene) {
    let node = cordoned(scene).await;
    let never = with_class(&["ReplicaSet"], OnDrain::Never {}, 0);
    let found = held(&scene.apply(&never, &drain(&node)).await);
    assert_eq!(found[0].0, format!("Deployment {}/web", scene.ns), "the topmost owner is named");
    remove(scene, &node).await;
}

async fn a_node_that_is_schedulable_is_not_drained(scene: &Scene) {
    let node = scene.node("n").await;
    let outcome = scene.apply(&call(), &drain(&node)).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
    remove(scene, &node).await;
}

async fn members_carry_what_a_roll_orders_by(scene: &Scene) {
    let node = cordoned(scene).await;
    let roll = Roll {
        pool: "p".parse().unwrap(),
        labels: BTreeMap::from([("row".to_owned(), scene.id.clone())]),
        stale: Stale::KubeletBelow("99".parse().unwrap()),
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
    };
    let call = with_class(&["Deployment"], OnDrain::Never {}, 0);
    let members = scene.driver().members(&call, &roll).await.unwrap();
    assert_eq!(members.len(), 1);
    let member = &members[0];
    assert_eq!((member.item.name.clone(), member.available), (name_of(&node), false));
    assert_eq!((member.pods, member.protected), (2, 2));
    remove(scene, &node).await;
}
