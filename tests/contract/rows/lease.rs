use serde_json::{Value, json};

use crate::row::rows;
use crate::server::Server;

rows! {
    create_acquires_once: "a second create of a Lease is 409 AlreadyExists", "kube: lease";
    renewal_compares_versions: "a PUT with the version read wins and moves it; one with the old version is 409 Conflict", "kube: lease, fencing";
    times_have_microseconds: "a renewTime without microseconds is 400", "kube: lease";
}

fn lease(holder: &str, renew: &str) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "lock"}, "spec": {
        "holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": "2026-11-20T10:00:00.000000Z", "renewTime": renew, "leaseTransitions": 0}})
}

const T0: &str = "2026-11-20T10:00:00.000000Z";

async fn create_acquires_once(s: &Server) {
    let path = s.path("coordination.k8s.io:v1/leases");
    s.post(&path, &lease("a", T0)).await.expect(201);
    let message = s.post(&path, &lease("b", T0)).await.refused(409, "AlreadyExists");
    assert_eq!(message, "leases.coordination.k8s.io \"lock\" already exists");
}

async fn renewal_compares_versions(s: &Server) {
    let made = s.post(&s.path("coordination.k8s.io:v1/leases"), &lease("a", T0)).await.expect(201);
    let path = s.path("coordination.k8s.io:v1/leases/lock");
    let mut mine = made.clone();
    mine["spec"]["renewTime"] = "2026-11-20T10:00:05.000000Z".into();
    let renewed = s.put(&path, &mine).await.expect(200);
    assert_ne!(renewed["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let mut theirs = made.clone();
    theirs["spec"]["holderIdentity"] = "b".into();
    s.put(&path, &theirs).await.refused(409, "Conflict");
    let now = s.get(&path).await.expect(200);
    assert_eq!(now["spec"]["holderIdentity"], "a");
    assert_eq!(now["spec"]["renewTime"], "2026-11-20T10:00:05.000000Z");
    assert!(now["metadata"]["generation"].is_null());
}

async fn times_have_microseconds(s: &Server) {
    s.post(&s.path("coordination.k8s.io:v1/leases"), &lease("a", T0)).await.expect(201);
    let path = s.path("coordination.k8s.io:v1/leases/lock");
    let message = s.put(&path, &lease("a", "2026-11-20T10:00:05Z")).await.refused(400, "BadRequest");
    assert!(
        message.starts_with("Lease in version \"v1\" cannot be handled as a Lease: parsing time"),
        "{message}"
    );
}
