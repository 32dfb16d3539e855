use serde_json::{Value, json};

use crate::row::rows;
use crate::server::answer::condition;
use crate::server::{APPLY, CRDS, MERGE, STRATEGIC, Server};

rows! {
    unknown_fields_are_pruned: "an unknown field in a custom resource is dropped with a warning, refused under Strict (400)", "kube: apply of custom resources";
    types_are_checked: "a wrong type, a number out of bounds and a missing field are 422 with a cause each", "kube: classify";
    defaults_and_status: "defaults are filled in; status is left alone by the main resource and set by /status", "kube: custom resources";
    custom_lists_merge_by_key: "apply merges a list-type=map by its keys; a strategic patch is 415", "kube: apply of custom resources";
    established: "a definition is established a moment after it is made, storedVersions names its storage version", "helm: CRDs before objects";
    storage_version_moves: "a new storage version joins storedVersions; a version in storedVersions cannot be dropped (422)", "karpenter: storedVersions gate";
    stored_versions_can_be_patched: "storedVersions can be patched through /status without migrating a single object; then the version can go", "karpenter: 1.1 gate, CRD migration";
    unmigrated_objects_break: "an object stored in a version that is gone reads as 500 until the version comes back", "karpenter: 1.1 gate, CRD migration";
    no_conversion_changes_only_the_version: "without a webhook an object reads in each served version with only apiVersion changed", "kube: observe";
    a_rewrite_migrates: "a PUT of the same content in the new version stores it anew, generation unmoved", "kube: storage migration";
    deprecated_versions_warn: "reading a deprecated version warns in a header", "kube: observe, deprecations";
    an_unserved_version_is_404: "a version that is not served is a plain-text 404", "kube: classify";
    a_missing_converter_breaks_reads: "a conversion webhook whose service is missing is accepted and breaks every read in the other version (500)", "karpenter: 1.0 webhooks";
    deletion_takes_the_objects: "deleting a definition deletes its objects; the answer shows the cleanup finalizer", "helm: rollback across a CRD";
}

fn schema() -> Value {
    json!({"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 0, "maximum": 100},
            "mode": {"type": "string", "default": "auto", "enum": ["auto", "manual"]},
            "rules": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}})
}

pub(super) fn version(name: &str, storage: bool) -> Value {
    json!({"name": name, "served": true, "storage": storage, "schema": schema(), "subresources": {"status": {}}})
}

/// A definition of the row's own, established.
pub(super) struct Crd<'a> {
    s: &'a Server,
    group: String,
}

impl<'a> Crd<'a> {
    pub(super) async fn new(s: &'a Server, versions: Value) -> Crd<'a> {
        let crd = Crd { s, group: format!("{}.dev", s.id) };
        let body = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": crd.name()},
            "spec": {"group": crd.group, "scope": "Cluster", "versions": versions,
                "names": {"plural": "pools", "singular": "pool", "kind": "Pool", "listKind": "PoolList"}}});
        s.post(CRDS, &body).await.expect(201);
        s.wait(&crd.path(), 30, |c| condition(c, "Established") == "True").await;
        for v in crd_versions(&versions) {
            s.wait(&crd.objects(&v), 30, |_| true).await;
        }
        crd
    }
    fn name(&self) -> String {
        format!("pools.{}", self.group)
    }
    fn path(&self) -> String {
        format!("{CRDS}/{}", self.name())
    }
    pub(super) fn objects(&self, version: &str) -> String {
        format!("/apis/{}/{version}/pools", self.group)
    }
    fn pool(&self, version: &str, name: &str, spec: Value) -> Value {
        json!({"apiVersion": format!("{}/{version}", self.group), "kind": "Pool", "metadata": {"name": name}, "spec": spec})
    }
    async fn make(&self, version: &str, name: &str) -> Value {
        self.s.post(&self.objects(version), &self.pool(version, name, json!({"size": 3}))).await.expect(201)
    }
    async fn versions(&self, versions: Value) -> crate::server::Answer {
        self.s.patch(&self.path(), MERGE, &json!({"spec": {"versions": versions}})).await
    }
    pub(super) async fn remove(&self) {
        self.s
            .patch(
                &self.path(),
                MERGE,
                &json!({"spec": {"conversion": {"strategy": "None", "webhook": null}}}),
            )
            .await;
        self.s.delete(&self.path()).await.expect(200);
    }
}

fn crd_versions(versions: &Value) -> Vec<String> {
    versions.as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap().to_owned()).collect()
}

async fn unknown_fields_are_pruned(s: &Server) {
    let crd = Crd::new(s, json!([version("v1", true)])).await;
    let body = crd.pool("v1", "p", json!({"size": 3, "colour": "red"}));
    let answer = s.post(&crd.objects("v1"), &body).await;
    assert_eq!(answer.warnings, ["299 - \"unknown field \\\"spec.colour\\\"\""]);
    assert!(answer.expect(201)["spec"]["colour"].is_null());
    let body = crd.pool("v1", "q", json!({"size": 3, "colour": "red"}));
    let message = s
        .post(&format!("{}?fieldValidation=Strict", crd.objects("v1")), &body)
        .await
        .refused(400, "BadRequest");
    assert_eq!(
        message,
        "Pool in version \"v1\" cannot be handled as a Pool: strict decoding error: unknown field \"spec.colour\""
    );
    crd.remove().await;
}

async fn types_are_checked(s: &Server) {
    let crd = Crd::new(s, json!([version("v1", true)])).await;
    for (spec, field, reason) in [
        (json!({"size": "three"}), "spec.size", "FieldValueTypeInvalid"),
        (json!({"size": 300}), "spec.size", "FieldValueInvalid"),
        (json!({"mode": "auto"}), "spec.size", "FieldValueRequired"),
        (json!({"size": 1, "mode": "wild"}), "spec.mode", "FieldValueNotSupported"),
    ] {
        let answer = s.post(&crd.objects("v1"), &crd.pool("v1", "p", spec)).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert_eq!(answer.body["reason"], "Invalid");
        let cause = &answer.body["details"]["causes"][0];
        assert_eq!(
            (cause["field"].as_str(), cause["reason"].as_str()),
            (Some(field), Some(reason)),
            "{cause}"
        );
    }
    crd.remove().await;
}

async fn defaults_and_status(s: &Server) {
    let crd = Crd::new(s, json!([version("v1", true)])).await;
    let mut body = crd.pool("v1", "p", json!({"size": 3}));
    body["status"] = json!({"ready": true});
    let made = s.post(&crd.objects("v1"), &body).await.expect(201);
    assert_eq!(made["spec"]["mode"], "auto");
    assert!(made["status"].is_null());
    let path = format!("{}/p", crd.objects("v1"));
    let out = s
        .patch(&format!("{path}/status"), MERGE, &json!({"spec": {"size": 9}, "status": {"ready": true}}))
        .await
        .expect(200);
    assert_eq!((&out["spec"]["size"], &out["status"]["ready"]), (&json!(3), &json!(true)));
    assert_eq!(out["metadata"]["generation"], 1);
    let out =
        s.patch(&path, MERGE, &json!({"spec": {"size": 4}, "status": {"ready": false}})).await.expect(200);
    assert_eq!((&out["spec"]["size"], &out["status"]["ready"]), (&json!(4), &json!(true)));
    assert_eq!(out["metadata"]["generation"], 2);
    crd.remove().await;
}

async fn custom_lists_merge_by_key(s: &Server) {
    let crd = Crd::new(s, json!([version("v1", true)])).await;
    let path = format!("{}/p", crd.objects("v1"));
    let one = crd.pool("v1", "p", json!({"size": 1, "rules": [{"name": "a", "value": "1"}]}));
    let two = crd.pool("v1", "p", json!({"size": 1, "rules": [{"name": "b", "value": "2"}]}));
    s.patch(&format!("{path}?fieldManager=a"), APPLY, &one).await.expect(201);
    let out = s.patch(&format!("{path}?fieldManager=b"), APPLY, &two).await.expect(200);
    assert_eq!(out["spec"]["rules"], json!([{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]));
    let answer = s.patch(&path, STRATEGIC, &json!({"spec": {"size": 2}})).await;
    answer.refused(415, "UnsupportedMediaType");
    crd.remove().await;
}

async fn established(s: &Server) {
    let crd = Crd::new(s, json!([version("v1beta1", true)])).await;
    let body = s.get(&crd.path()).await.expect(200);
    assert_eq!(body["status"]["storedVersions"], json!(["v1beta1"]));
    assert_eq!(condition(&body, "NamesAccepted"), "True");
    assert_eq!(body["status"]["acceptedNames"]["listKind"], "PoolList");
    assert_eq!(body["spec"]["conversion"]["strategy"], "None");
    crd.remove().await;
}

async fn storage_version_moves(s: &Server) {
    let crd = Crd::new(s, json!([version("v1beta1", true)])).await;
    let body = crd.versions(json!([version("v1beta1", false), version("v1", true)])).await.expect(200);
    assert_eq!(body["status"]["storedVersions"], json!(["v1beta1", "v1"]));
    let answer = crd.versions(json!([version("v1", true)])).await;
    assert_eq!(answer.body["details"]["causes"][0]["field"], "status.storedVersions[0]");
    let message = answer.refused(422, "Invalid");
    assert!(
        message.contains("v1beta1 was previously a storage version, and must remain in spec.versions"),
        "{message}"
    );
    crd.remove().await;
}

async fn stored_versions_can_be_patched(s: &Server) {
    let crd = Crd::new(s, json!([version("v1beta1", true)])).await;
    crd.make("v1beta1", "p").await;
    crd.versions(json!([version("v1beta1", false), version("v1", true)])).await.expect(200);
    let patch = json!({"status": {"storedVersions": ["v1"]}});
    let body = s.patch(&format!("{}/status", crd.path()), MERGE, &patch).await.expect(200);
    assert_eq!(body["status"]["storedVersions"], json!(["v1"]));
    crd.versions(json!([version("v1", true)])).await.expect(200);
    crd.versions(json!([version("v1beta1", false), version("v1", true)])).await.expect(200);
    crd.remove().await;
}

async fn unmigrated_objects_break(s: &Server) {
    let crd = both(s).await;
    let patch = json!({"status": {"storedVersions": ["v1"]}});
    s.patch(&format!("{}/status", crd.path()), MERGE, &patch).await.expect(200);
    crd.versions(json!([version("v1", true)])).await.expect(200);
    let path = format!("{}/p", crd.objects("v1"));
    let mut answer = s.get(&path).await;
    for _ in 0..300 {
        if answer.status == 500 {
            break;
        }
        s.moment().await;
        answer = s.get(&path).await;
    }
    let message = answer.refused(500, "");
    assert_eq!(
        message,
        format!("request to convert CR from an invalid group/version: {}/v1beta1", crd.group)
    );
    crd.versions(json!([version("v1beta1", false), version("v1", true)])).await.expect(200);
    let object = s.wait(&path, 30, |_| true).await;
    assert_eq!(object["spec"]["size"], 3);
    s.put(&path, &object).await.expect(200);
    crd.remove().await;
}

async fn both(s: &Server) -> Crd<'_> {
    let crd = Crd::new(s, json!([version("v1beta1", true)])).await;
    crd.make("v1beta1", "p").await;
    crd.versions(json!([version("v1beta1", false), version("v1", true)])).await.expect(200);
    s.wait(&crd.objects("v1"), 30, |_| true).await;
    crd
}

async fn no_conversion_changes_only_the_version(s: &Server) {
    let crd = both(s).await;
    let old = s.get(&format!("{}/p", crd.objects("v1beta1"))).await.expect(200);
    let new = s.get(&format!("{}/p", crd.objects("v1"))).await.expect(200);
    assert_eq!(new["apiVersion"], format!("{}/v1", crd.group));
    assert_eq!(old["spec"], new["spec"]);
    assert_eq!(old["metadata"]["resourceVersion"], new["metadata"]["resourceVersion"]);
    crd.remove().await;
}

async fn a_rewrite_migrates(s: &Server) {
    let crd = both(s).await;
    let path = format!("{}/p", crd.objects("v1"));
    let object = s.get(&path).await.expect(200);
    let out = s.put(&path, &object).await.expect(200);
    assert_ne!(out["metadata"]["resourceVersion"], object["metadata"]["resourceVersion"]);
    assert_eq!(out["metadata"]["generation"], 1);
    let again = s.put(&path, &out).await.expect(200);
    assert_eq!(out["metadata"]["resourceVersion"], again["metadata"]["resourceVersion"]);
    crd.remove().await;
}

async fn deprecated_versions_warn(s: &Server) {
    let mut old = version("v1beta1", false);
    old["deprecated"] = true.into();
    old["deprecationWarning"] = "use v1".into();
    let crd = Crd::new(s, json!([old, version("v1", true)])).await;
    crd.make("v1", "p").await;
    let answer = s.get(&format!("{}/p", crd.objects("v1beta1"))).await;
    assert_eq!(answer.warnings, ["299 - \"use v1\""]);
    answer.expect(200);
    assert!(s.get(&format!("{}/p", crd.objects("v1"))).await.warnings.is_empty());
    crd.remove().await;
}

async fn an_unserved_version_is_404(s: &Server) {
    let crd = Crd::new(s, json!([version("v1", true)])).await;
    let answer = s.get(&crd.objects("v1beta1")).await;
    assert_eq!((answer.status, answer.body), (404, json!("404 page not found")));
    crd.remove().await;
}

async fn a_missing_converter_breaks_reads(s: &Server) {
    let crd = both(s).await;
    let object = s.get(&format!("{}/p", crd.objects("v1"))).await.expect(200);
    s.put(&format!("{}/p", crd.objects("v1")), &object).await.expect(200);
    let webhook = json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": s.ns, "name": "nobody", "path": "/c", "port": 443}}}}}});
    s.patch(&crd.path(), MERGE, &webhook).await.expect(200);
    let path = format!("{}/p", crd.objects("v1beta1"));
    let mut answer = s.get(&path).await;
    for _ in 0..300 {
        if answer.status != 200 {
            break;
        }
        s.moment().await;
        answer = s.get(&path).await;
    }
    let message = answer.refused(500, "");
    let expected = format!(
        "conversion webhook for {}/v1, Kind=Pool failed: Post \"https://nobody.{}.svc:443/c?timeout=30s\": service \"nobody\" not found",
        crd.group, s.ns
    );
    assert_eq!(message, expected);
    s.get(&format!("{}/p", crd.objects("v1"))).await.expect(200);
    crd.remove().await;
}

async fn deletion_takes_the_objects(s: &Server) {
    let crd = Crd::new(s, json!([version("v1", true)])).await;
    crd.make("v1", "p").await;
    let body = s.delete(&crd.path()).await.expect(200);
    assert!(!body["metadata"]["deletionTimestamp"].is_null());
    assert_eq!(body["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    assert_eq!(condition(&body, "Terminating"), "True");
    s.wait_gone(&crd.path(), 60).await;
    s.wait_gone(&format!("{}/p", crd.objects("v1")), 30).await;
}
