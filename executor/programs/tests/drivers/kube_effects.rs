//! Effects on objects, and the conditions that see them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_executor::ports::{Call, Capturing, Kube as _};
use switchback_schemas::{
    journal::{Class, Outcome, Verdict, WaitsFor},
    name::{ObjectName, ObjectRef},
    plan::{
        AccessReview, BoundObject, FieldTest, Find, KubeAdmit, KubeApply, KubeCapture, KubeCondition,
        KubeDelete, KubeEffect, KubePatch, KubeRestore, KubeTryCreate, KubeTryUpdate, MigrateStorage,
        NodeCordon, SetField, Test,
    },
};

use crate::scene::{Scene, bound, call, done, on_both};

on_both!(
    apply_names_the_managers_that_it_would_overrule,
    p20_a_field_that_the_schema_does_not_know_is_refused,
    patch_compares_and_sets,
    another_object_of_the_same_name_is_left_alone,
    delete_is_done_when_it_is_gone,
    a_cordon_of_somebody_else_stays,
    p12_objects_are_migrated_before_their_version_goes,
    captured_objects_are_restored,
    captured_objects_are_tried_and_only_those_that_are_gone_come_back,
    an_object_that_is_tried_is_not_stored,
    rights_are_asked_for,
    rollouts_are_seen,
    what_cannot_be_read_is_unknown,
);

fn config_map(scene: &Scene, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": scene.ns}, "data": data})
}

fn c(scene: &Scene) -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", &ObjectName::namespaced(&scene.ns, "c"))
}

async fn data(scene: &Scene) -> Value {
    scene.get(&format!("/api/v1/namespaces/{}/configmaps/c", scene.ns)).await.unwrap()["data"].clone()
}

async fn apply_names_the_managers_that_it_would_overrule(scene: &Scene) {
    scene.put(config_map(scene, &json!({"a": "theirs"}))).await;
    let mut effect = KubeApply { object: config_map(scene, &json!({"a": "ours"})), force: false };
    let outcome = scene.apply(&call(), &KubeEffect::Apply(effect.clone())).await;
    let Outcome::NotDone { class: Class::Conflict, evidence } = outcome else { panic!("{outcome:?}") };
    assert!(evidence.0.join(" ").contains("somebody"), "{evidence:?}");
    assert!(evidence.0.join(" ").contains(".data.a"), "{evidence:?}");
    assert_eq!(data(scene).await, json!({"a": "theirs"}));
    effect.force = true;
    done(&scene.apply(&call(), &KubeEffect::Apply(effect)).await);
    assert_eq!(data(scene).await, json!({"a": "ours"}));
}

async fn p20_a_field_that_the_schema_does_not_know_is_refused(scene: &Scene) {
    let mut object = config_map(scene, &json!({"a": "b"}));
    object["dataz"] = json!({"x": "y"});
    let outcome = scene.apply(&call(), &KubeEffect::Apply(KubeApply { object, force: false })).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = outcome else { panic!("{outcome:?}") };
    assert!(evidence.0.join(" ").contains("dataz"), "{evidence:?}");
}

fn patch(
    object: BoundObject,
    only_if: (&str, Test<Value>),
    set: &[(&str, Value)],
) -> KubeEffect<Value, BoundObject> {
    let set = set.iter().map(|(pointer, to)| SetField { pointer: (*pointer).to_owned(), to: to.clone() });
    KubeEffect::Patch(KubePatch {
        object,
        subresource: None,
        only_if: vec![FieldTest { pointer: only_if.0.to_owned(), is: only_if.1 }],
        set: set.collect(),
    })
}

fn equals(value: Value) -> Test<Value> {
    Test::Equals(value)
}

async fn patch_compares_and_sets(scene: &Scene) {
    let object = scene.put(config_map(scene, &json!({"a": "1", "b": "x"}))).await;
    let target = || bound("v1", "ConfigMap", &object);
    let set =
        [("/data/a", json!("2")), ("/data/b", Value::Null), ("/metadata/annotations/x.dev~1y", json!("z"))];
    let effect = patch(target(), ("/data/a", equals(json!("1"))), &set);
    done(&scene.apply(&call(), &effect).await);
    let now = scene.get(&format!("/api/v1/namespaces/{}/configmaps/c", scene.ns)).await.unwrap();
    assert_eq!((&now["data"], &now["metadata"]["annotations"]["x.dev/y"]), (&json!({"a": "2"}), &json!("z")));
    // Once more: it is so already, although the test no longer holds.
    assert!(done(&scene.apply(&call(), &effect).await).contains("already"));
    let other = patch(target(), ("/data/a", equals(json!("1"))), &[("/data/a", json!("3"))]);
    let outcome = scene.apply(&call(), &other).await;
    let Outcome::NotDone { class: Class::Conflict, evidence } = outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("expected /data/a to be \"1\", found \"2\""), "{evidence:?}");
}

async fn another_object_of_the_same_name_is_left_alone(scene: &Scene) {
    scene.put(config_map(scene, &json!({"a": "1"}))).await;
    let uid = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let other = BoundObject { object: c(scene), uid, provider_id: None };
    let delete = KubeEffect::Delete(KubeDelete { object: other.clone() });
    let set = patch(other.clone(), ("/data/a", Test::Present {}), &[("/data/a", json!("2"))]);
    for effect in [delete, set] {
        let outcome = scene.apply(&call(), &effect).await;
        assert!(matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. }), "{outcome:?}");
    }
    assert_eq!(data(scene).await, json!({"a": "1"}));
    // Nobody knows what became of the one that was meant.
    let absent = KubeCondition::Field { object: other, pointer: String::new(), is: Test::Absent {} };
    assert!(matches!(scene.check(&call(), &absent).await, Verdict::Unknown { .. }));
}

async fn delete_is_done_when_it_is_gone(scene: &Scene) {
    let object = scene.put(config_map(scene, &json!({}))).await;
    let effect = KubeEffect::Delete(KubeDelete { object: bound("v1", "ConfigMap", &object) });
    assert!(done(&scene.apply(&call(), &effect).await).contains("deleted"));
    assert!(done(&scene.apply(&call(), &effect).await).contains("gone"));
}

async fn a_cordon_of_somebody_else_stays(scene: &Scene) {
    let node = scene.node("n").await;
    let BoundObject { object, .. } = &node;
    let path = format!("/api/v1/nodes/{}", object.name);
    let cordon = |unschedulable| KubeEffect::Cordon(NodeCordon::new(node.clone(), unschedulable));
    let cordoned = || async { scene.get(&path).await.unwrap()["spec"]["unschedulable"] == true };
    scene.patch(&path, &json!({"spec": {"unschedulable": true}})).await;
    let held = scene.apply(&call(), &cordon(true)).await;
    let Outcome::Blocked { waits_for } = &held else { panic!("{held:?}") };
    let [WaitsFor::Workload { workload, why: Some(why), .. }] = &waits_for[..] else {
        panic!("{waits_for:?}")
    };
    assert_eq!(*workload, format!("Node {}", object.name));
    assert!(why.contains("somebody else cordoned its node") && why.contains("nothing stands on it"), "{why}");
    assert!(done(&scene.apply(&call(), &cordon(false)).await).contains("left so"));
    assert!(cordoned().await);
    scene.patch(&path, &json!({"spec": {"unschedulable": null}})).await;
    done(&scene.apply(&call(), &cordon(true)).await);
    assert!(cordoned().await);
    let other_run = Call { run: "run-2".parse().unwrap(), ..call() };
    assert!(done(&scene.apply(&other_run, &cordon(false)).await).contains("left so"));
    done(&scene.apply(&call(), &cordon(false)).await);
    let node = scene.get(&path).await.unwrap();
    assert!(node["spec"]["unschedulable"].is_null());
    assert!(node["metadata"]["annotations"][switchback_kube::CORDONED_BY].is_null());
    scene.call("DELETE", &path, None).await;
}

fn crd(group: &str, versions: &[(&str, bool)]) -> Value {
    let version = |(name, storage): &(&str, bool)| {
        json!({"name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
    };
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("pools.{group}")},
        "spec": {"group": group, "scope": "Cluster", "versions": versions,
            "names": {"plural": "pools", "singular": "pool", "kind": "Pool", "listKind": "PoolList"}}})
}

/// The group of custom resources that a test here defines.
pub(crate) fn group() -> String {
    format!("g{:x}.dev", std::process::id())
}

async fn p12_objects_are_migrated_before_their_version_goes(scene: &Scene) {
    let group = group();
    let name = format!("pools.{group}");
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    let established = |crd: &Value| {
        crd["status"]["conditions"].as_array().is_some_and(|conditions| {
            conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "True")
        })
    };
    scene.put(crd(&group, &[("v1beta1", true)])).await;
    scene.wait(&path, established).await;
    scene.wait(&format!("/apis/{group}/v1beta1/pools"), |_| true).await;
    for i in 0..3 {
        let pool = json!({"apiVersion": format!("{group}/v1beta1"), "kind": "Pool", "metadata": {"name": format!("p{i}")}});
        scene.put(pool).await;
    }
    scene.put(crd(&group, &[("v1beta1", false), ("v1", true)])).await;
    scene.wait(&format!("/apis/{group}/v1/pools"), |_| true).await;
    let stored = KubeCondition::StoredAs { crd: name.clone(), version: "v1".into() };
    let verdict = scene.check(&call(), &stored).await;
    assert!(matches!(verdict, Verdict::Fails { .. }), "{verdict:?}");
    let migrate = KubeEffect::MigrateStorage(MigrateStorage { crd: name.clone(), to: "v1".into() });
    assert!(done(&scene.apply(&call(), &migrate).await).contains("3 objects"));
    assert!(scene.check(&call(), &stored).await.is_holding());
    assert!(done(&scene.apply(&call(), &migrate).await).contains("already"));
    scene.put(crd(&group, &[("v1", true)])).await;
    scene.call("DELETE", &path, None).await;
}

async fn an_object_that_is_tried_is_not_stored(scene: &Scene) {
    let object = |namespace: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tried", "namespace": namespace}, "data": {"a": "b"}});
    let tried = |object: Value| KubeEffect::Admit(KubeAdmit { object });
    let said = done(&scene.apply(&call(), &tried(object(&scene.ns))).await);
    assert!(said.ends_with("would be created"), "{said}");
    let path = format!("/api/v1/namespaces/{}/configmaps/tried", scene.ns);
    assert_eq!(scene.call("GET", &path, None).await.0, 404);
    let refused = scene.apply(&call(), &tried(object("nobody-made-this"))).await;
    assert!(matches!(refused, Outcome::NotDone { class: Class::Refused, .. }), "{refused:?}");
}

async fn captured_objects_are_restored(scene: &Scene) {
    scene.put(config_map(scene, &json!({"a": "before"}))).await;
    let what = KubeCapture::Objects(vec![BoundObject::named(c(scene))]);
    let captured = scene.driver().capture(&what).await.unwrap();
    let Capturing::Objects(objects) = captured else { panic!("no objects") };
    assert!(objects[0]["metadata"]["managedFields"].is_null());
    let restore = KubeEffect::Restore(KubeRestore::of(Value::Array(objects)));
    assert!(done(&scene.apply(&call(), &restore).await).contains("as it was"));
    scene.put(config_map(scene, &json!({"a": "after", "more": "x"}))).await;
    assert!(done(&scene.apply(&call(), &restore).await).contains("restored"));
    assert_eq!(data(scene).await, json!({"a": "before"}));
    scene.call("DELETE", &format!("/api/v1/namespaces/{}/configmaps/c", scene.ns), None).await;
    assert!(done(&scene.apply(&call(), &restore).await).contains("created again"));
    assert_eq!(data(scene).await, json!({"a": "before"}));
    let secret = BoundObject::named(ObjectRef::new("v1", "Secret", &ObjectName::namespaced(&scene.ns, "s")));
    let refused = scene.driver().capture(&KubeCapture::Objects(vec![secret])).await;
    assert_eq!(refused.unwrap_err().class, Class::Refused);
}

async fn captured_objects_are_tried_and_only_those_that_are_gone_come_back(scene: &Scene) {
    scene.put(config_map(scene, &json!({"a": "before"}))).await;
    let find = Find {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: Some(scene.ns.clone()),
        labels: BTreeMap::new(),
    };
    let captured = scene.driver().capture(&KubeCapture::Kinds(vec![find.clone()])).await.unwrap();
    let Capturing::Objects(objects) = captured else { panic!("no objects") };
    let count = objects.len();
    let said =
        done(&scene.apply(&call(), &KubeEffect::TryCreate(KubeTryCreate { objects: json!(objects) })).await);
    assert!(said.contains(&format!("{count} object")) && said.ends_with("would be created again"), "{said}");
    let path = format!("/api/v1/namespaces/{}/configmaps", scene.ns);
    assert_eq!(scene.call("GET", &format!("{path}/switchback-restore"), None).await.0, 404);
    let update = KubeEffect::TryUpdate(KubeTryUpdate { find: vec![find] });
    assert!(done(&scene.apply(&call(), &update).await).ends_with("would be updated"));
    let mut refused = objects.clone();
    for object in refused.iter_mut().filter(|object| object["metadata"]["name"] == "c") {
        object["surprise"] = json!(true);
    }
    let out = scene.apply(&call(), &KubeEffect::TryCreate(KubeTryCreate { objects: json!(refused) })).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &out else { panic!("{out:?}") };
    assert!(evidence.0[0].contains("1 of ") && evidence.0[1].contains("ConfigMap"), "{evidence:?}");

    scene.put(config_map(scene, &json!({"a": "after"}))).await;
    let restore = KubeEffect::Restore(KubeRestore { objects: json!(objects), only_gone: true });
    assert!(done(&scene.apply(&call(), &restore).await).contains("is there"));
    assert_eq!(data(scene).await, json!({"a": "after"}), "what is there stays as it is");
    scene.call("DELETE", &format!("{path}/c"), None).await;
    assert!(done(&scene.apply(&call(), &restore).await).contains("created again"));
    assert_eq!(data(scene).await, json!({"a": "before"}));
    scene.call("DELETE", &format!("{path}/c"), None).await;
    let owned = json!([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": scene.ns, "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone", "controller": true}]}}]);
    let restore = KubeEffect::Restore(KubeRestore { objects: owned, only_gone: true });
    assert!(done(&scene.apply(&call(), &restore).await).contains("left to its owner"));
    assert_eq!(scene.call("GET", &format!("{path}/c"), None).await.0, 404);
}

async fn rights_are_asked_for(scene: &Scene) {
    let review = |account: Option<&str>| AccessReview {
        account: account.map(|name| ObjectName::namespaced(&scene.ns, name)),
        namespace: Some(scene.ns.clone()),
        group: "apps".into(),
        resource: "deployments".into(),
        verbs: vec!["get".into(), "patch".into()],
    };
    let own = KubeCondition::Allowed { reviews: vec![review(None)] };
    assert!(scene.check(&call(), &own).await.is_holding());
    let other = KubeCondition::Allowed { reviews: vec![review(None), review(Some("nobody"))] };
    let Verdict::Fails { evidence } = scene.check(&call(), &other).await else { panic!("it may not") };
    let ns = &scene.ns;
    assert!(
        evidence.0[0].starts_with(&format!(
            "service account {ns}/nobody may not get deployments.apps in namespace {ns}"
        )),
        "{evidence:?}"
    );
}

async fn rollouts_are_seen(scene: &Scene) {
    scene.node("n").await;
    let object = scene.deployment("web", 2).await;
    let rollout = KubeCondition::Rollout { object: BoundObject::named(object) };
    assert!(scene.check(&call(), &rollout).await.is_holding());
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/web", scene.ns);
    // Nothing runs there until it was looked at.
    let cordon = async |on: bool| {
        let node = format!("/api/v1/nodes/{}-n", scene.id);
        scene.patch(&node, &json!({"spec": {"unschedulable": on}})).await;
    };
    cordon(true).await;
    scene.patch(&path, &json!({"spec": {"replicas": 9, "paused": false}})).await;
    let verdict = scene.check(&call(), &rollout).await;
    assert!(matches!(verdict, Verdict::Fails { .. }), "{verdict:?}");
    cordon(false).await;
    scene.wait(&path, |found| found["status"]["availableReplicas"] == 9).await;
    assert!(scene.check(&call(), &rollout).await.is_holding());
    let find = Find {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: Some(scene.ns.clone()),
        labels: [("app".to_owned(), "web".to_owned())].into(),
    };
    let ready = FieldTest {
        pointer: "/status/conditions".into(),
        is: Test::Contains(json!({"type": "Ready", "status": "True"})),
    };
    let count = |at_least| KubeCondition::Count {
        find: find.clone(),
        each: vec![ready.clone()],
        at_least: Some(at_least),
        at_most: None,
    };
    assert!(scene.check(&call(), &count(9)).await.is_holding());
    assert!(matches!(scene.check(&call(), &count(10)).await, Verdict::Fails { .. }));
    scene.call("DELETE", &format!("/api/v1/nodes/{}-n", scene.id), None).await;
}

async fn what_cannot_be_read_is_unknown(scene: &Scene) {
    let thing = ObjectRef::new("nosuch.dev/v1", "Thing", &ObjectName::cluster("t"));
    let field = KubeCondition::Field {
        object: BoundObject::named(thing),
        pointer: String::new(),
        is: Test::Absent {},
    };
    let verdict = scene.check(&call(), &field).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    // Nobody listens there.
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let mut config = config;
    config.default_retry = false;
    let nowhere = switchback_kube::KubeDriver::over(kube::Client::try_from(config).unwrap());
    let node = ObjectRef::new("v1", "Node", &ObjectName::cluster("n"));
    let ready = KubeCondition::Field {
        object: BoundObject::named(node),
        pointer: String::new(),
        is: Test::Present {},
    };
    assert!(matches!(nowhere.check(&call(), &ready).await, Verdict::Unknown { .. }));
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "d"}});
    let outcome = nowhere.apply(&call(), &KubeEffect::Apply(KubeApply { object, force: false })).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. }), "{outcome:?}");
}
