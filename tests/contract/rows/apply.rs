use serde_json::{Value, json};

use crate::row::rows;
use crate::server::{APPLY, JSON_PATCH, MERGE, STRATEGIC, Server};

rows! {
    a_dry_run_stores_nothing: "a dry-run of an apply that would create answers 201 with defaults and stores nothing", "kube: preview of an apply";
    apply_creates_then_changes_nothing: "apply creates (201); the same again is 200 with generation and resourceVersion unmoved", "kube: apply, idempotency";
    ownership_is_recorded: "managedFields of an apply lists what was sent and nothing that was defaulted", "kube: ownership, init";
    conflicts_name_each_field: "another manager's value is refused with 409 and one cause a field", "kube: apply, classify";
    an_update_owns_what_it_changed: "a patch without apply owns what it changed, and an apply of another value conflicts with it", "kube: ownership";
    force_moves_ownership: "force takes fields over and leaves the rest with their manager", "kube: apply with force";
    a_dropped_field_stays_with_its_owner: "an apply that drops a field owned by another manager leaves its value", "kube: rollback of an apply";
    a_dropped_field_of_its_own_goes: "an apply that drops a field it alone owned removes it", "kube: rollback of an apply";
    unknown_fields_refuse_an_apply: "an apply with an unknown field is refused (500) whatever fieldValidation says", "kube: apply, classify";
    unknown_fields_warn: "a merge patch with an unknown field warns in a header, Strict refuses it", "kube: patch";
    that_it_exists_is_said_last: "a create of what is there is refused for its schema first, and is 409 AlreadyExists when all else takes it; so is its dry-run", "kube: tries of captured objects";
    stale_version_conflicts: "a patch or PUT with a stale resourceVersion is 409 Conflict, nothing changes", "kube: compare and set";
    delete_preconditions: "DELETE with another uid as precondition is 409, nothing is deleted", "kube: delete";
    merge_patch_removes_with_null: "a merge patch removes with null; labels leave a Deployment's generation alone, annotations and spec move it", "kube: patch";
    strategic_patch_merges_by_name: "a strategic patch merges containers by name", "kube: image change";
    json_patch_compares_and_sets: "a JSON patch whose test fails is 422 and changes nothing", "kube: suspensions";
    scale_reads_and_sets: "scale answers replicas and selector; a merge patch sets it; 0 is left out", "kube: scale";
    status_is_its_own: "a patch of the main resource does not touch status, one of /status touches nothing else", "kube: CRD storedVersions";
}

async fn apply(s: &Server, manager: &str, extra: &str, body: &Value) -> crate::server::Answer {
    let path = format!("{}?fieldManager={manager}{extra}", s.path("apps:v1/deployments/web"));
    s.patch(&path, APPLY, body).await
}

fn web(s: &Server, replicas: Option<u32>, image: &str) -> Value {
    let mut body = s.deployment("web", 1);
    body["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
    match replicas {
        Some(n) => body["spec"]["replicas"] = n.into(),
        None => {
            body["spec"].as_object_mut().unwrap().remove("replicas");
        }
    }
    body
}

async fn a_dry_run_stores_nothing(s: &Server) {
    let body = apply(s, "a", "&dryRun=All", &web(s, Some(2), "example.invalid/app:1")).await.expect(201);
    assert_eq!(body["metadata"]["generation"], 1);
    assert_eq!(body["spec"]["strategy"]["type"], "RollingUpdate");
    assert!(body["metadata"]["resourceVersion"].is_null());
    assert!(!body["metadata"]["uid"].is_null());
    let message = s.get(&s.path("apps:v1/deployments/web")).await.refused(404, "NotFound");
    assert_eq!(message, "deployments.apps \"web\" not found");
}

async fn apply_creates_then_changes_nothing(s: &Server) {
    let mut body = web(s, Some(0), "example.invalid/app:1");
    body["spec"]["paused"] = true.into();
    let one = apply(s, "a", "", &body).await.expect(201);
    assert_eq!(one["spec"]["progressDeadlineSeconds"], 600);
    assert_eq!(one["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
    let settled =
        s.wait(&s.path("apps:v1/deployments/web"), 20, |d| d["status"]["observedGeneration"] == 1).await;
    let two = apply(s, "a", "", &body).await.expect(200);
    assert_eq!(two["metadata"]["generation"], 1);
    assert_eq!(two["metadata"]["resourceVersion"], settled["metadata"]["resourceVersion"]);
}

fn fields_of<'a>(object: &'a Value, manager: &str, operation: &str) -> &'a Value {
    object["metadata"]["managedFields"]
        .as_array()
        .and_then(|all| {
            all.iter().find(|m| {
                m["manager"] == manager && m["operation"] == operation && m["subresource"].is_null()
            })
        })
        .map_or(&Value::Null, |m| &m["fieldsV1"])
}

async fn ownership_is_recorded(s: &Server) {
    let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "example.invalid/app:1"}]}}}});
    let made = apply(s, "a", "&dryRun=All", &body).await.expect(201);
    let expected = json!({"f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}, "f:name": {}}}}}}});
    assert_eq!(*fields_of(&made, "a", "Apply"), expected);
}

async fn conflicts_name_each_field(s: &Server) {
    apply(s, "a", "", &web(s, Some(2), "example.invalid/app:1")).await.expect(201);
    let answer = apply(s, "b", "", &web(s, Some(3), "example.invalid/app:2")).await;
    let causes = answer.body["details"]["causes"].clone();
    let message = answer.refused(409, "Conflict");
    assert_eq!(
        message,
        "Apply failed with 2 conflicts: conflicts with \"a\":\n- .spec.replicas\n- .spec.template.spec.containers[name=\"c\"].image"
    );
    assert_eq!(causes[0]["reason"], "FieldManagerConflict");
    assert_eq!(causes[0]["message"], "conflict with \"a\"");
    assert_eq!(causes[1]["field"], ".spec.template.spec.containers[name=\"c\"].image");
    let one = apply(s, "b", "", &web(s, Some(3), "example.invalid/app:1")).await.refused(409, "Conflict");
    assert_eq!(one, "Apply failed with 1 conflict: conflict with \"a\": .spec.replicas");
}

async fn an_update_owns_what_it_changed(s: &Server) {
    apply(s, "a", "", &web(s, None, "example.invalid/app:1")).await.expect(201);
    let path = format!("{}?fieldManager=hand", s.path("apps:v1/deployments/web"));
    let changed = s.patch(&path, MERGE, &json!({"spec": {"replicas": 3}})).await.expect(200);
    assert_eq!(*fields_of(&changed, "hand", "Update"), json!({"f:spec": {"f:replicas": {}}}));
    let message = apply(s, "a", "", &web(s, Some(5), "example.invalid/app:1")).await.refused(409, "Conflict");
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"hand\" using apps/v1: .spec.replicas");
}

async fn force_moves_ownership(s: &Server) {
    apply(s, "a", "", &web(s, Some(2), "example.invalid/app:1")).await.expect(201);
    let body = apply(s, "b", "&force=true", &web(s, Some(3), "example.invalid/app:2")).await.expect(200);
    assert_eq!(body["spec"]["replicas"], 3);
    assert_eq!(body["metadata"]["generation"], 2);
    assert!(fields_of(&body, "a", "Apply")["f:spec"]["f:replicas"].is_null());
    assert!(!fields_of(&body, "a", "Apply")["f:spec"]["f:selector"].is_null());
    assert_eq!(fields_of(&body, "b", "Apply")["f:spec"]["f:replicas"], json!({}));
}

async fn a_dropped_field_stays_with_its_owner(s: &Server) {
    apply(s, "a", "", &web(s, Some(2), "example.invalid/app:1")).await.expect(201);
    apply(s, "b", "&force=true", &web(s, Some(3), "example.invalid/app:1")).await.expect(200);
    let body = apply(s, "a", "&force=true", &web(s, None, "example.invalid/app:1")).await.expect(200);
    assert_eq!(body["spec"]["replicas"], 3);
}

async fn a_dropped_field_of_its_own_goes(s: &Server) {
    let path = format!("{}?fieldManager=a", s.path("configmaps/c"));
    let with = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}});
    let without =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}});
    s.patch(&path, APPLY, &with).await.expect(201);
    let body = s.patch(&path, APPLY, &without).await.expect(200);
    assert_eq!(body["data"], json!({"a": "1"}));
    apply(s, "a", "", &web(s, Some(2), "example.invalid/app:1")).await.expect(201);
    let body = apply(s, "a", "", &web(s, None, "example.invalid/app:1")).await.expect(200);
    assert_eq!(body["spec"]["replicas"], 1, "its default comes back");
}

async fn unknown_fields_refuse_an_apply(s: &Server) {
    let mut body = web(s, Some(2), "example.invalid/app:1");
    body["spec"]["replicaz"] = 3.into();
    for validation in ["Strict", "Warn"] {
        let answer = apply(s, "a", &format!("&dryRun=All&fieldValidation={validation}"), &body).await;
        let message = answer.refused(500, "");
        assert_eq!(
            message,
            format!(
                "failed to create typed patch object ({}/web; apps/v1, Kind=Deployment): .spec.replicaz: field not declared in schema",
                s.ns
            )
        );
    }
}

async fn unknown_fields_warn(s: &Server) {
    s.post(&s.path("apps:v1/deployments"), &s.deployment("web", 0)).await.expect(201);
    let path = s.path("apps:v1/deployments/web");
    let patch = json!({"spec": {"replicaz": 3}});
    let answer = s.patch(&format!("{path}?fieldValidation=Warn&dryRun=All"), MERGE, &patch).await;
    assert_eq!(answer.warnings, ["299 - \"unknown field \\\"spec.replicaz\\\"\""]);
    answer.expect(200);
    let answer = s.patch(&format!("{path}?fieldValidation=Strict"), MERGE, &patch).await;
    assert!(matches!(answer.status, 400 | 422), "{}", answer.body);
    assert!(
        answer.body["message"].as_str().unwrap().contains("unknown field \"spec.replicaz\""),
        "{}",
        answer.body
    );
}

async fn that_it_exists_is_said_last(s: &Server) {
    let path = s.path("apps:v1/deployments");
    s.post(&path, &s.deployment("web", 0)).await.expect(201);
    for query in ["", "?dryRun=All"] {
        let path = format!("{path}{query}");
        let message = s.post(&path, &s.deployment("web", 0)).await.refused(409, "AlreadyExists");
        assert_eq!(message, "deployments.apps \"web\" already exists");
        let mut wrong = s.deployment("web", 0);
        wrong["spec"]["selector"]["matchLabels"] = json!({"of": "another"});
        s.post(&path, &wrong).await.refused(422, "Invalid");
    }
}

async fn stale_version_conflicts(s: &Server) {
    let made = s.post(&s.path("apps:v1/deployments"), &s.deployment("web", 0)).await.expect(201);
    let path = s.path("apps:v1/deployments/web");
    let expected = "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; please apply your changes to the latest version and try again";
    let patch = json!({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}});
    assert_eq!(s.patch(&path, MERGE, &patch).await.refused(409, "Conflict"), expected);
    let mut put = made.clone();
    put["metadata"]["resourceVersion"] = "1".into();
    put["spec"]["replicas"] = 2.into();
    assert_eq!(s.put(&path, &put).await.refused(409, "Conflict"), expected);
    assert_eq!(s.get(&path).await.expect(200)["spec"]["replicas"], 0);
}

async fn delete_preconditions(s: &Server) {
    let made = s.post(&s.path("apps:v1/deployments"), &s.deployment("web", 0)).await.expect(201);
    let path = s.path("apps:v1/deployments/web");
    let other = "00000000-0000-0000-0000-000000000000";
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": other}});
    let message = s.delete_with(&path, &options).await.refused(409, "Conflict");
    let uid = made["metadata"]["uid"].as_str().unwrap();
    assert_eq!(
        message,
        format!(
            "Operation cannot be fulfilled on Deployment.apps \"web\": the UID in the precondition ({other}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
        )
    );
    s.get(&path).await.expect(200);
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}});
    let gone = s.delete_with(&path, &options).await.expect(200);
    assert_eq!(gone["status"], "Success");
    s.wait_gone(&path, 20).await;
}

async fn merge_patch_removes_with_null(s: &Server) {
    let mut body = s.deployment("web", 0);
    body["metadata"]["annotations"] = json!({"a": "1", "b": "2"});
    s.post(&s.path("apps:v1/deployments"), &body).await.expect(201);
    let path = s.path("apps:v1/deployments/web");
    let out = s.patch(&path, MERGE, &json!({"metadata": {"annotations": {"a": null}}})).await.expect(200);
    assert!(out["metadata"]["annotations"]["a"].is_null());
    assert_eq!(out["metadata"]["annotations"]["b"], "2");
    assert_eq!(out["metadata"]["generation"], 2);
    let out = s.patch(&path, MERGE, &json!({"metadata": {"labels": {"l": "1"}}})).await.expect(200);
    assert_eq!(out["metadata"]["generation"], 2);
    let out = s.patch(&path, MERGE, &json!({"spec": {"minReadySeconds": 5}})).await.expect(200);
    assert_eq!(out["metadata"]["generation"], 3);
}

async fn strategic_patch_merges_by_name(s: &Server) {
    s.post(&s.path("apps:v1/deployments"), &s.deployment("web", 0)).await.expect(201);
    let path = s.path("apps:v1/deployments/web");
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}]}]}}}});
    s.patch(&path, STRATEGIC, &patch).await.expect(200);
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "example.invalid/app:2"}]}}}});
    let out = s.patch(&path, STRATEGIC, &patch).await.expect(200);
    let containers = &out["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["image"], "example.invalid/app:2");
    assert_eq!(containers[0]["env"], json!([{"name": "A", "value": "1"}]));
    assert!(containers[1].is_null());
}

async fn json_patch_compares_and_sets(s: &Server) {
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"mode": "on"}});
    s.post(&s.path("configmaps"), &map).await.expect(201);
    let path = s.path("configmaps/c");
    let swap = |from: &str, to: &str| json!([{"op": "test", "path": "/data/mode", "value": from}, {"op": "replace", "path": "/data/mode", "value": to}]);
    let message = s.patch(&path, JSON_PATCH, &swap("other", "off")).await.refused(422, "Invalid");
    assert_eq!(message, "the server rejected our request due to an error in our request");
    assert_eq!(s.patch(&path, JSON_PATCH, &swap("on", "off")).await.expect(200)["data"]["mode"], "off");
}

async fn scale_reads_and_sets(s: &Server) {
    let node = s.node("n").await;
    s.deployed("web", 2).await;
    let path = s.path("apps:v1/deployments/web/scale");
    let scale = s.get(&path).await.expect(200);
    assert_eq!(scale["kind"], "Scale");
    assert_eq!(scale["spec"]["replicas"], 2);
    assert_eq!(scale["status"], json!({"replicas": 2, "selector": "app=web"}));
    let zero = s.patch(&path, MERGE, &json!({"spec": {"replicas": 0}})).await.expect(200);
    assert_eq!(zero["spec"], json!({}));
    s.wait(&s.path("apps:v1/deployments/web"), 40, |d| {
        d["status"]["observedGeneration"] == d["metadata"]["generation"] && d["status"]["replicas"].is_null()
    })
    .await;
    s.remove_node(&node).await;
}

async fn status_is_its_own(s: &Server) {
    let mut body = s.deployment("web", 0);
    body["spec"]["paused"] = true.into();
    s.post(&s.path("apps:v1/deployments"), &body).await.expect(201);
    let path = s.path("apps:v1/deployments/web");
    s.wait(&path, 20, |d| d["status"]["observedGeneration"] == 1).await;
    let out = s.patch(&path, MERGE, &json!({"status": {"replicas": 7}})).await.expect(200);
    assert!(out["status"]["replicas"].is_null());
    let out = s
        .patch(
            &format!("{path}/status?dryRun=All"),
            MERGE,
            &json!({"spec": {"replicas": 9}, "status": {"replicas": 7}}),
        )
        .await;
    let out = out.expect(200);
    assert_eq!(out["spec"]["replicas"], 0);
    assert_eq!(out["status"]["replicas"], 7);
}
