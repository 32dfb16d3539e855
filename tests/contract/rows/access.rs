use serde_json::{Value, json};

use crate::row::rows;
use crate::server::Server;

rows! {
    a_dead_webhook_fails_closed: "a fail-closed webhook whose service is missing refuses with 500 InternalError; Ignore lets pass", "kube: gates on webhooks";
    a_dead_webhook_stops_dry_runs: "a dry-run meets the webhook too", "kube: preview of an apply";
    the_rights_of_an_account_can_be_asked_for: "a SubjectAccessReview says what a service account may do by its roles; who may not create one is 403", "kube: condition allowed";
    a_token_without_rights_is_403: "a service account without a role is 403 with verb, resource and scope named; SelfSubjectAccessReview says no", "kube: preflight of permissions";
    a_role_grants: "a Role lets exactly its verbs and resources through, in its namespace only", "kube: least privilege";
    credentials_have_a_name: "SelfSubjectReview says the name of the caller, system:serviceaccount:NAMESPACE:NAME for a service account", "cli: who approves";
    a_bad_token_is_401: "a token that is none is 401", "kube: classify";
}

async fn webhook(s: &Server, policy: &str) -> String {
    let label = json!({"metadata": {"labels": {"row": s.id}}});
    s.patch(&format!("/api/v1/namespaces/{}", s.ns), crate::server::MERGE, &label).await.expect(200);
    let body = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": s.id}, "webhooks": [{
        "name": "deny.wire.dev", "failurePolicy": policy, "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
        "namespaceSelector": {"matchLabels": {"row": s.id}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        "clientConfig": {"service": {"namespace": s.ns, "name": "nobody", "path": "/v", "port": 443}}}]});
    s.post("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", &body).await.expect(201);
    format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{}", s.id)
}

/// A create, asked again until the webhook is in force.
async fn refused(s: &Server, query: &str) -> String {
    for n in 0..300 {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("x{n}")}});
        let answer = s.post(&format!("{}{query}", s.path("configmaps")), &map).await;
        if answer.status != 201 {
            return answer.refused(500, "InternalError");
        }
        s.moment().await;
    }
    panic!("the webhook never came into force");
}

async fn a_dead_webhook_fails_closed(s: &Server) {
    let path = webhook(s, "Fail").await;
    let message = refused(s, "").await;
    assert_eq!(
        message,
        format!(
            "Internal error occurred: failed calling webhook \"deny.wire.dev\": failed to call webhook: Post \"https://nobody.{}.svc:443/v?timeout=2s\": service \"nobody\" not found",
            s.ns
        )
    );
    s.delete(&path).await.expect(200);
    webhook(s, "Ignore").await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "open"}});
    let mut answer = s.post(&s.path("configmaps"), &map).await;
    for _ in 0..300 {
        if answer.status == 201 {
            break;
        }
        s.moment().await;
        answer = s.post(&s.path("configmaps"), &map).await;
    }
    answer.expect(201);
    s.delete(&path).await.expect(200);
}

async fn a_dead_webhook_stops_dry_runs(s: &Server) {
    let path = webhook(s, "Fail").await;
    refused(s, "?dryRun=All").await;
    s.delete(&path).await.expect(200);
}

async fn account(s: &Server) -> Server {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}});
    s.post(&s.path("serviceaccounts"), &account).await.expect(201);
    let ask = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let out = s.post(&s.path("serviceaccounts/reader/token"), &ask).await.expect(201);
    s.as_token(out["status"]["token"].as_str().expect("a token")).await
}

async fn may(s: &Server, attributes: Value) -> bool {
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}});
    let out = s.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await.expect(201);
    out["status"]["allowed"] == true
}

async fn a_token_without_rights_is_403(s: &Server) {
    let reader = account(s).await;
    let message = reader.get("/api/v1/nodes").await.refused(403, "Forbidden");
    let user = format!("system:serviceaccount:{}:reader", s.ns);
    assert_eq!(
        message,
        format!(
            "nodes is forbidden: User \"{user}\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
        )
    );
    let message = reader.get(&s.path("pods/p")).await.refused(403, "Forbidden");
    assert_eq!(
        message,
        format!(
            "pods \"p\" is forbidden: User \"{user}\" cannot get resource \"pods\" in API group \"\" in the namespace \"{}\"",
            s.ns
        )
    );
    let evict = json!({"verb": "create", "resource": "pods", "subresource": "eviction", "namespace": s.ns});
    assert!(!may(&reader, evict.clone()).await);
    assert!(may(s, evict).await);
}

async fn the_rights_of_an_account_can_be_asked_for(s: &Server) {
    let reader = account(s).await;
    let user = format!("system:serviceaccount:{}:reader", s.ns);
    let ask = async |by: &Server, verb: &str| {
        let attributes = json!({"verb": verb, "group": "apps", "resource": "deployments", "namespace": s.ns});
        let spec =
            json!({"user": user, "groups": ["system:serviceaccounts"], "resourceAttributes": attributes});
        let review =
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
        by.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).await
    };
    assert_eq!(ask(s, "patch").await.expect(201)["status"]["allowed"], false);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "patcher"},
        "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]}]});
    s.post(&s.path("rbac.authorization.k8s.io:v1/roles"), &role).await.expect(201);
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "patcher"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "patcher"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": s.ns}]});
    s.post(&s.path("rbac.authorization.k8s.io:v1/rolebindings"), &binding).await.expect(201);
    for _ in 0..50 {
        // What authorises learns of a new role a moment later.
        if ask(s, "patch").await.expect(201)["status"]["allowed"] == true {
            break;
        }
    }
    assert_eq!(ask(s, "patch").await.expect(201)["status"]["allowed"], true);
    assert_eq!(ask(s, "delete").await.expect(201)["status"]["allowed"], false);
    ask(&reader, "patch").await.refused(403, "Forbidden");
}

async fn credentials_have_a_name(s: &Server) {
    let reader = account(s).await;
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let answer = reader.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review).await.expect(201);
    assert_eq!(
        answer["status"]["userInfo"]["username"],
        json!(format!("system:serviceaccount:{}:reader", s.ns))
    );
}

async fn a_role_grants(s: &Server) {
    let reader = account(s).await;
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]});
    s.post(&s.path("rbac.authorization.k8s.io:v1/roles"), &role).await.expect(201);
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": s.ns}]});
    s.post(&s.path("rbac.authorization.k8s.io:v1/rolebindings"), &binding).await.expect(201);
    reader.wait(&s.path("configmaps"), 20, |_| true).await;
    reader.get("/api/v1/namespaces/default/configmaps").await.refused(403, "Forbidden");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}});
    reader.post(&s.path("configmaps"), &map).await.refused(403, "Forbidden");
    assert!(may(&reader, json!({"verb": "get", "resource": "configmaps", "namespace": s.ns})).await);
    assert!(!may(&reader, json!({"verb": "delete", "resource": "configmaps", "namespace": s.ns})).await);
}

async fn a_bad_token_is_401(s: &Server) {
    let nobody = s.as_token("nonsense").await;
    let message = nobody.get("/api/v1/nodes").await.refused(401, "Unauthorized");
    assert_eq!(message, "Unauthorized");
}
