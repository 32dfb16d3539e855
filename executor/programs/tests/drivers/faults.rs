//! What goes wrong on the way: only the twin can be made to fail like this.

use std::time::Duration;

use serde_json::{Value, json};
use switchback_executor::ports::Kube as _;
use switchback_kube::{Observing, observe};
use switchback_schemas::{
    journal::{Class, Outcome, Verdict},
    name::{ObjectName, ObjectRef},
    plan::{BoundObject, KubeApply, KubeCondition, KubeEffect, NodeCordon, NodeDrain, Test},
};
use switchback_twin::{Fault, FaultKind};

use crate::scene::{Scene, call, done};

fn inject(scene: &Scene, verb: &str, path: &str, kind: FaultKind) {
    scene.twin.as_ref().unwrap().inject(Fault::new(verb, path, kind));
}

fn refused(status: u16) -> FaultKind {
    FaultKind::Before { status, retry_after: None }
}

fn config_map(scene: &Scene) -> KubeEffect<Value, BoundObject> {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": scene.ns}, "data": {"a": "b"}});
    KubeEffect::Apply(KubeApply { object, force: false })
}

fn is_there(scene: &Scene) -> KubeCondition<Value, BoundObject> {
    let object = ObjectRef::new("v1", "ConfigMap", &ObjectName::namespaced(&scene.ns, "c"));
    KubeCondition::Field { object: BoundObject::named(object), pointer: String::new(), is: Test::Present {} }
}

#[tokio::test]
async fn a_lost_answer_to_a_write_is_in_doubt_and_the_effect_can_be_seen() {
    let scene = Scene::twin("lost").await;
    inject(&scene, "PATCH", "*/configmaps/c", FaultKind::Lost);
    let outcome = scene.apply(&call(), &config_map(&scene)).await;
    assert!(matches!(outcome, Outcome::InDoubt { class: Class::Unreachable, .. }), "{outcome:?}");
    assert!(scene.check(&call(), &is_there(&scene)).await.is_holding());
}

#[tokio::test]
async fn an_error_after_the_effect_is_in_doubt() {
    let scene = Scene::twin("after").await;
    inject(&scene, "PATCH", "*/configmaps/c", FaultKind::After { status: 500 });
    let outcome = scene.apply(&call(), &config_map(&scene)).await;
    assert!(matches!(outcome, Outcome::InDoubt { class: Class::Unreachable, .. }), "{outcome:?}");
    assert!(scene.check(&call(), &is_there(&scene)).await.is_holding());
}

#[tokio::test]
async fn throttling_and_denial_are_not_done_and_never_retried_here() {
    for (status, class) in [(429, Class::Throttled), (401, Class::Denied)] {
        let scene = Scene::twin("before").await;
        inject(&scene, "PATCH", "*/configmaps/c", refused(status));
        let outcome = scene.apply(&call(), &config_map(&scene)).await;
        assert!(matches!(&outcome, Outcome::NotDone { class: found, .. } if *found == class), "{outcome:?}");
        assert!(matches!(scene.check(&call(), &is_there(&scene)).await, Verdict::Fails { .. }));
    }
}

#[tokio::test]
async fn a_condition_that_cannot_be_read_is_unknown() {
    for kind in [refused(503), FaultKind::Lost] {
        let scene = Scene::twin("unread").await;
        inject(&scene, "GET", "*/configmaps/c", kind);
        let verdict = scene.check(&call(), &is_there(&scene)).await;
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_drain_whose_eviction_was_not_answered_goes_on_from_what_it_sees() {
    let scene = Scene::twin("drain").await;
    let node = scene.node("n").await;
    scene.deployment("web", 2).await;
    done(&scene.apply(&call(), &KubeEffect::Cordon(NodeCordon::new(node.clone(), true))).await);
    let drain = KubeEffect::Drain(NodeDrain { node });
    inject(&scene, "POST", "*/eviction", FaultKind::Lost);
    let outcome = scene.apply(&call(), &drain).await;
    assert!(matches!(outcome, Outcome::InDoubt { .. }), "{outcome:?}");
    scene.apply(&call(), &drain).await;
    scene.twin.as_ref().unwrap().advance_by(Duration::from_mins(5));
    done(&scene.twice(&call(), &drain).await);
}

/// The class could be one that protects the topmost owner, and that owner cannot be seen.
#[tokio::test]
async fn a_drain_that_cannot_see_an_owner_evicts_nothing() {
    let scene = Scene::twin("owner").await;
    let node = scene.node("n").await;
    scene.deployment("web", 2).await;
    done(&scene.apply(&call(), &KubeEffect::Cordon(NodeCordon::new(node.clone(), true))).await);
    inject(&scene, "GET", "*/replicasets/*", refused(503));
    let outcome = scene.apply(&call(), &KubeEffect::Drain(NodeDrain { node })).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. }), "{outcome:?}");
    let pods = scene.get(&format!("/api/v1/namespaces/{}/pods", scene.ns)).await.unwrap();
    let pods = pods["items"].as_array().unwrap();
    assert!(pods.len() == 2);
    assert!(pods.iter().all(|pod| pod["metadata"]["deletionTimestamp"].is_null()));
}

#[tokio::test]
async fn an_observation_without_secrets_says_so_and_holds_the_rest() {
    let scene = Scene::twin("observe").await;
    inject(&scene, "GET", "/api/v1/secrets", refused(403));
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let inventory = observe(scene.client.clone(), &Observing::at(at)).await.unwrap();
    let unread = inventory.unread.iter().find(|unread| unread.what.to_string() == "Secret (v1)").unwrap();
    assert!(unread.why.starts_with("403"), "{}", unread.why);
    assert!(!inventory.cluster.apis.is_empty());
    // An API server that cannot be spoken to is no inventory.
    inject(&scene, "GET", "/version", FaultKind::Lost);
    let failure = observe(scene.client.clone(), &Observing::at(at)).await.unwrap_err();
    assert_eq!(failure.class, Class::Unreachable);
}

#[tokio::test]
async fn an_identity_that_cannot_be_read_is_a_failure() {
    let scene = Scene::twin("identity").await;
    inject(&scene, "GET", "/api/v1/namespaces/kube-system", refused(503));
    let failure = scene.driver().proof().await.unwrap_err();
    assert_eq!(failure.class, Class::Unreachable);
}
