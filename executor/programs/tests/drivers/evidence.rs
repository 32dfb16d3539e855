//! Answers that are no evidence: what a network, a cache or a server that lags answers (safety review, group B).

use serde_json::{Value, json};
use switchback_executor::ports::{Call, Kube as _, Looked};
use switchback_schemas::{
    Seconds,
    journal::{Class, Outcome, Verdict, WaitsFor},
    name::{ObjectName, ObjectRef},
    plan::{
        BoundObject, KubeApply, KubeCondition, KubeDelete, KubeEffect, KubePatch, NodeCordon, NodeDrain,
        SetField, Test,
    },
};
use switchback_twin::{BadAnswer, Fault, FaultKind};

use crate::scene::{Scene, bound, call, done};

/// What can come back of a look at one object.
const OF_ONE: [BadAnswer; 4] =
    [BadAnswer::OtherUid, BadAnswer::StatusInOk, BadAnswer::UnknownPath, BadAnswer::Truncated];

fn inject(scene: &Scene, verb: &str, path: &str, answer: BadAnswer) {
    scene.twin.as_ref().unwrap().inject(Fault::new(verb, path, answer.into()).nth(0));
}

fn heal(scene: &Scene) {
    scene.twin.as_ref().unwrap().heal();
}

async fn cordoned(scene: &Scene, pods: u64) -> BoundObject {
    let node = scene.node("n").await;
    if pods > 0 {
        scene.deployment("web", pods).await;
    }
    let effect = KubeEffect::Cordon(NodeCordon::new(node.clone(), true));
    done(&scene.apply(&call(), &effect).await);
    node
}

fn drain(node: &BoundObject) -> KubeEffect<Value, BoundObject> {
    KubeEffect::Drain(NodeDrain { node: node.clone() })
}

fn path(node: &BoundObject) -> String {
    format!("/api/v1/nodes/{}", node.object.name)
}

/// At the second look, too.
fn again(outcome: &Outcome) -> Call {
    let what = match outcome {
        Outcome::Blocked { waits_for } => match &waits_for[..] {
            [WaitsFor::SecondLook { what }] => what.clone(),
            other => panic!("{other:?}"),
        },
        _ => String::new(),
    };
    Call { looked: Some(Looked { what, ago: Seconds(60) }), ..call() }
}

#[tokio::test]
async fn b1_a_node_whose_answer_is_of_something_else_is_not_gone() {
    for bad in OF_ONE {
        let scene = Scene::twin("b1").await;
        let node = cordoned(&scene, 1).await;
        inject(&scene, "GET", &path(&node), bad);
        for _ in 0..2 {
            let outcome = scene.apply(&call(), &drain(&node)).await;
            let waits = matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. });
            assert!(waits, "{bad:?}: {outcome:?}");
        }
        let absent =
            KubeCondition::Field { object: node.clone(), pointer: String::new(), is: Test::Absent {} };
        let verdict = scene.check(&call(), &absent).await;
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{bad:?}: {verdict:?}");
    }
}

#[tokio::test]
async fn b1_a_node_is_gone_at_the_second_look() {
    let scene = Scene::twin("b1-gone").await;
    let node = cordoned(&scene, 0).await;
    scene.call("DELETE", &path(&node), None).await;
    let outcome = scene.apply(&call(), &drain(&node)).await;
    let call = again(&outcome);
    let soon = Call {
        looked: call.looked.clone().map(|looked| Looked { ago: Seconds(9), ..looked }),
        ..call.clone()
    };
    assert_eq!(scene.apply(&soon, &drain(&node)).await, outcome);
    assert!(done(&scene.apply(&call, &drain(&node)).await).contains("gone"));
}

#[tokio::test]
async fn b1_an_empty_list_of_pods_ends_no_drain() {
    for bad in [BadAnswer::EmptyList, BadAnswer::PartialList] {
        let scene = Scene::twin("b1-empty").await;
        let node = cordoned(&scene, 1).await;
        inject(&scene, "GET", "/api/v1/pods", bad);
        let outcome = scene.apply(&call(), &drain(&node)).await;
        let call = again(&outcome);
        heal(&scene);
        let outcome = scene.apply(&call, &drain(&node)).await;
        assert!(!matches!(outcome, Outcome::Done { .. }), "{bad:?}: {outcome:?}");
    }
}

/// Its topmost owner may be of a class that protects it.
#[tokio::test]
async fn b1_an_owner_whose_answer_is_of_something_else_holds_its_pods() {
    for bad in OF_ONE {
        let scene = Scene::twin("b1-owner").await;
        let node = cordoned(&scene, 2).await;
        inject(&scene, "GET", "*/replicasets/*", bad);
        let outcome = scene.apply(&call(), &drain(&node)).await;
        assert!(
            matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. }),
            "{bad:?}: {outcome:?}"
        );
        let pods = scene.get(&format!("/api/v1/namespaces/{}/pods", scene.ns)).await.unwrap();
        let pods = pods["items"].as_array().unwrap();
        assert!(pods.iter().all(|pod| pod["metadata"]["deletionTimestamp"].is_null()), "{bad:?}");
    }
}

async fn config_map(scene: &Scene) -> BoundObject {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": scene.ns}, "data": {"a": "1"}});
    bound("v1", "ConfigMap", &scene.put(object).await)
}

#[tokio::test]
async fn b1_a_delete_and_a_patch_wait_where_the_answer_is_of_something_else() {
    for bad in OF_ONE {
        let scene = Scene::twin("b1-write").await;
        let object = config_map(&scene).await;
        inject(&scene, "GET", "*/configmaps/c", bad);
        let set = SetField { pointer: "/data/a".to_owned(), to: json!("2") };
        let patch =
            KubePatch { object: object.clone(), subresource: None, only_if: Vec::new(), set: vec![set] };
        for effect in [KubeEffect::Delete(KubeDelete { object: object.clone() }), KubeEffect::Patch(patch)] {
            let outcome = scene.apply(&call(), &effect).await;
            let waits = matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. });
            assert!(waits, "{bad:?}: {outcome:?}");
        }
    }
}

/// Before, a Status in a 200 was read as the object without the fields that were sent.
#[tokio::test]
async fn b1_a_write_whose_answer_is_of_something_else_is_in_doubt() {
    for bad in [BadAnswer::StatusInOk, BadAnswer::Truncated] {
        let scene = Scene::twin("b1-wrote").await;
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "c", "namespace": scene.ns}, "data": {"a": "b"}});
        inject(&scene, "PATCH", "*/configmaps/c", bad);
        let outcome = scene.apply(&call(), &KubeEffect::Apply(KubeApply { object, force: false })).await;
        assert!(
            matches!(outcome, Outcome::InDoubt { class: Class::Unreachable, .. }),
            "{bad:?}: {outcome:?}"
        );
    }
}

/// An eviction that arrives twice ends one pod.
#[tokio::test]
async fn b1_a_duplicated_delete_is_done() {
    let scene = Scene::twin("b1-dup").await;
    let object = config_map(&scene).await;
    inject(&scene, "DELETE", "*/configmaps/c", BadAnswer::Twice);
    done(&scene.apply(&call(), &KubeEffect::Delete(KubeDelete { object })).await);
}

const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A kind of the test's own, and an effect on an object of it.
async fn custom(scene: &Scene) -> KubeEffect<Value, BoundObject> {
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "wells.b3.dev"}, "spec": {"group": "b3.dev", "scope": "Namespaced",
            "names": {"kind": "Well", "plural": "wells", "singular": "well", "listKind": "WellList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let (status, body) = scene.call("POST", CRD, Some(("application/json", &crd))).await;
    assert_eq!(status, 201, "{body}");
    scene.wait("/apis/b3.dev/v1", |_| true).await;
    let object = json!({"apiVersion": "b3.dev/v1", "kind": "Well",
        "metadata": {"name": "w", "namespace": scene.ns}, "spec": {"depth": 1}});
    done(&scene.apply(&call(), &KubeEffect::Apply(KubeApply { object, force: false })).await);
    let named = ObjectRef::new("b3.dev/v1", "Well", &ObjectName::namespaced(&scene.ns, "w"));
    let set = SetField { pointer: "/spec/depth".to_owned(), to: json!(2) };
    let object = BoundObject::named(named);
    KubeEffect::Patch(KubePatch { object, subresource: None, only_if: Vec::new(), set: vec![set] })
}

#[tokio::test]
async fn b3_one_odd_discovery_says_nothing_of_what_is_served() {
    for bad in [BadAnswer::EmptyList, BadAnswer::StatusInOk, BadAnswer::UnknownPath, BadAnswer::Truncated] {
        for nth in [1, 0] {
            let scene = Scene::twin("b3").await;
            let patch = custom(&scene).await;
            let fault = Fault::new("GET", "/apis/b3.dev/v1", bad.into()).nth(nth);
            scene.twin.as_ref().unwrap().inject(fault);
            let outcome = scene.apply(&call(), &patch).await;
            let waits = matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. });
            // One odd answer is asked again at once.
            let is_done = matches!(outcome, Outcome::Done { .. });
            assert!(if nth == 1 { waits || is_done } else { waits }, "{bad:?} {nth}: {outcome:?}");
            heal(&scene);
            done(&scene.apply(&call(), &patch).await);
        }
    }
}

#[tokio::test]
async fn b3_what_all_of_discovery_does_not_name_is_not_served_at_the_second_look() {
    let scene = Scene::twin("b3-not").await;
    let named = ObjectRef::new("b3.dev/v1", "Well", &ObjectName::namespaced(&scene.ns, "w"));
    let delete = KubeEffect::Delete(KubeDelete { object: BoundObject::named(named) });
    let outcome = scene.apply(&call(), &delete).await;
    let outcome = scene.apply(&again(&outcome), &delete).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("does not serve Well"), "{evidence:?}");
}

#[tokio::test]
async fn b3_an_inventory_is_not_made_of_odd_discovery() {
    for path in ["/api", "/apis"] {
        for bad in [BadAnswer::StatusInOk, BadAnswer::EmptyList, BadAnswer::Truncated] {
            let scene = Scene::twin("b3-observe").await;
            // `/api` has versions, not entries that could be left out.
            if path == "/api" && bad == BadAnswer::EmptyList {
                continue;
            }
            inject(&scene, "GET", path, bad);
            let at = "2026-11-20T10:00:00Z".parse().unwrap();
            let failure =
                switchback_kube::observe(scene.client.clone(), &switchback_kube::Observing::at(at)).await;
            assert_eq!(failure.unwrap_err().class, Class::Unreachable, "{path} {bad:?}");
        }
    }
}

#[tokio::test]
async fn b4_an_identity_is_not_taken_from_an_answer_of_something_else() {
    for bad in [BadAnswer::StatusInOk, BadAnswer::UnknownPath, BadAnswer::Truncated] {
        let scene = Scene::twin("b4").await;
        inject(&scene, "GET", "/api/v1/namespaces/kube-system", bad);
        assert_eq!(scene.driver().proof().await.unwrap_err().class, Class::Unreachable, "{bad:?}");
    }
}

/// 401 and 403 that last for one answer are credentials that may come back.
#[tokio::test]
async fn b7_a_blip_of_the_credentials_waits() {
    for (status, class) in [(401, Class::Denied), (503, Class::Unreachable), (429, Class::Throttled)] {
        let scene = Scene::twin("blip").await;
        let object = config_map(&scene).await;
        let kind = FaultKind::Before { status, retry_after: None };
        scene.twin.as_ref().unwrap().inject(Fault::new("GET", "*/configmaps/c", kind));
        let delete = KubeEffect::Delete(KubeDelete { object });
        let outcome = scene.apply(&call(), &delete).await;
        assert!(matches!(&outcome, Outcome::NotDone { class: found, .. } if *found == class), "{outcome:?}");
        done(&scene.apply(&call(), &delete).await);
    }
}
