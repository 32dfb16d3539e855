use serde_json::{Value, json};

use super::helm::installed;
use crate::row::rows;
use crate::server::answer::text;
use crate::server::programs::Helm;
use crate::server::{APPLY, CRDS, MERGE, Server};

rows! {
    a_failed_hook_fails_the_upgrade: "an upgrade whose hook fails is exit 1 and failed; the deployed revision stays so; the next upgrade works", "programs: classify";
    a_kill_leaves_it_pending: "an upgrade killed in its middle stays pending-upgrade and refuses the next one", "programs: crash recovery";
    rollback_is_the_way_out: "rollback to the last good revision works on a pending release and leaves the pending revision in the history", "programs: crash recovery";
    rollback_makes_a_revision: "rollback makes a new revision with the old manifest; an absent revision is exit 1", "programs: rollback";
    crds_folder_stays: "a CRD of crds/ is installed once, not changed by an upgrade, not removed by rollback and uninstall", "karpenter, argo: CRDs";
    templated_crds_go_with_a_rollback: "a rollback across a CRD in templates/ deletes the CRD and every object of it, and reports success", "planner: rollbacks that lose data";
    keep_is_read_from_the_live_object: "what an upgrade or a rollback drops stays if the live object says helm.sh/resource-policy: keep; uninstall reads the manifest", "planner, programs: CRDs that stay";
    a_rollback_meets_what_was_left_standing: "helm 3 cannot roll back to a revision that holds a CRD which the last one left standing, and helm 4 can; an upgrade to that chart takes it over with both", "programs: rollbacks past what stays";
    history_max_forgets: "--history-max forgets the oldest revisions, never the deployed one", "planner: revisions that no longer exist";
    a_dropped_stored_version_fails: "an upgrade to CRDs without a stored version fails and names it; once objects are rewritten and storedVersions set, it works", "karpenter: storage migration before the CRDs";
}

async fn a_failed_hook_fails_the_upgrade(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let out = h
            .run_with(
                &["upgrade", "d", "./demo/1.0.0", "--timeout", "20s"],
                Some(&json!({"replicas": 3, "hookBehaviour": "fail"})),
            )
            .await;
        let message = out.refused();
        assert!(message.starts_with("Error: UPGRADE FAILED: pre-upgrade hooks failed: "), "{message}");
        assert_eq!(h.states("d").await, ["1:deployed", "2:failed"]);
        assert!(
            text(&h.history("d").await[1], "/description")
                .starts_with("Upgrade \"d\" failed: pre-upgrade hooks failed: ")
        );
        assert_eq!(h.deployment("d").await["spec"]["replicas"], 0);
        h.run_with(&["upgrade", "d", "./demo/1.0.0", "--timeout", "60s"], Some(&json!({"replicas": 0})))
            .await
            .ok();
        assert_eq!(h.states("d").await, ["1:superseded", "2:failed", "3:deployed"]);
        h.done().await;
    }
}

async fn a_kill_leaves_it_pending(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        h.killed_upgrade("d", "./demo/1.0.0").await;
        assert_eq!(h.states("d").await, ["1:deployed", "2:pending-upgrade"]);
        assert_eq!(h.history("d").await[1]["description"], "Preparing upgrade");
        let message = h.run(&["upgrade", "d", "./demo/1.0.0"]).await.refused();
        assert_eq!(
            message,
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress"
        );
        assert_eq!(h.states("d").await, ["1:deployed", "2:pending-upgrade"]);
        h.done().await;
    }
}

async fn rollback_is_the_way_out(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        h.killed_upgrade("d", "./demo/1.0.0").await;
        assert_eq!(h.run(&["rollback", "d", "1"]).await.ok(), "Rollback was a success! Happy Helming!\n");
        assert_eq!(h.states("d").await, ["1:superseded", "2:pending-upgrade", "3:deployed"]);
        assert_eq!(h.history("d").await[2]["description"], "Rollback to 1");
        h.run(&["upgrade", "d", "./demo/1.0.0", "--timeout", "60s"]).await.ok();
        assert_eq!(h.states("d").await, ["1:superseded", "2:pending-upgrade", "3:superseded", "4:deployed"]);
        h.done().await;
    }
}

async fn rollback_makes_a_revision(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        h.run_with(
            &["upgrade", "d", "./demo/1.0.0", "--timeout", "60s"],
            Some(&json!({"replicas": 1, "image": "x:9"})),
        )
        .await
        .ok();
        h.run(&["rollback", "d", "1"]).await.ok();
        assert_eq!(h.states("d").await, ["1:superseded", "2:superseded", "3:deployed"]);
        let d = h.deployment("d").await;
        assert_eq!(
            (&d["spec"]["replicas"], text(&d, "/spec/template/spec/containers/0/image")),
            (&json!(0), "example.invalid/demo:1.0")
        );
        assert_eq!(h.run(&["get", "values", "d", "-o", "json"]).await.json(), json!({"replicas": 0}));
        assert_eq!(h.run(&["rollback", "d", "99"]).await.refused(), "Error: release has no 99 version");
        assert_eq!(h.run(&["rollback", "nope", "1"]).await.refused(), "Error: release: not found");
        h.done().await;
    }
}

async fn crds_folder_stays(s: &Server) {
    s.open_node().await;
    let _turn = s.turn().await;
    let path = format!("{CRDS}/plains.demo.switchback.test");
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let mark = json!({"metadata": {"labels": {"ours": "yes"}}});
        let before = s.patch(&path, MERGE, &mark).await.expect(200);
        h.run(&["upgrade", "d", "./demo/2.0.0", "--timeout", "60s"]).await.ok();
        h.run(&["rollback", "d", "1"]).await.ok();
        h.uninstalled("d").await;
        let after = s.get(&path).await.expect(200);
        assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
        assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
        assert!(after["metadata"]["annotations"]["meta.helm.sh/release-name"].is_null());
        h.done().await;
    }
}

async fn templated_crds_go_with_a_rollback(s: &Server) {
    s.open_node().await;
    let _turn = s.turn().await;
    let path = format!("{CRDS}/templateds.demo.switchback.test");
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        h.run(&["upgrade", "d", "./demo/2.0.0", "--timeout", "60s"]).await.ok();
        let objects = format!("/apis/demo.switchback.test/v1/namespaces/{}/templateds", h.ns);
        s.wait(&objects, 30, |_| true).await;
        let precious = json!({"apiVersion": "demo.switchback.test/v1", "kind": "Templated", "metadata": {"name": "precious"}});
        s.post(&objects, &precious).await.expect(201);
        assert_eq!(h.run(&["rollback", "d", "1"]).await.ok(), "Rollback was a success! Happy Helming!\n");
        s.wait_gone(&path, 60).await;
        s.wait_gone(&format!("{objects}/precious"), 30).await;
        h.done().await;
    }
}

async fn keep_is_read_from_the_live_object(s: &Server) {
    let _turn = s.turn().await;
    let path = format!("{CRDS}/things.demo.switchback.test");
    let keep = async |word: Value| {
        let patch = json!({"metadata": {"annotations": {"helm.sh/resource-policy": word}}});
        s.patch(&path, MERGE, &patch).await.expect(200)
    };
    for h in s.helms().await {
        h.run(&["install", "t", "./things/1.0.0"]).await.ok();
        let before = keep(json!("keep")).await;
        h.run(&["upgrade", "t", "./things/2.0.0"]).await.ok();
        let same = async || s.get(&path).await.expect(200)["metadata"]["uid"] == before["metadata"]["uid"];
        assert!(same().await, "an upgrade that drops it");
        h.run(&["upgrade", "t", "./things/1.0.0"]).await.ok();
        assert!(same().await, "an upgrade that holds it again");
        h.run(&["rollback", "t", "2"]).await.ok();
        assert!(same().await, "a rollback that drops it");
        h.run(&["upgrade", "t", "./things/1.0.0"]).await.ok();
        keep(Value::Null).await;
        h.run(&["upgrade", "t", "./things/2.0.0"]).await.ok();
        s.wait_gone(&path, 60).await;
        h.run(&["rollback", "t", "1"]).await.ok();
        // What the manifest says counts when a release is uninstalled, and this one says nothing.
        keep(json!("keep")).await;
        h.run(&["uninstall", "t"]).await.ok();
        s.wait_gone(&path, 60).await;
        h.done().await;
    }
}

async fn a_rollback_meets_what_was_left_standing(s: &Server) {
    let _turn = s.turn().await;
    let path = format!("{CRDS}/things.demo.switchback.test");
    for h in s.helms().await {
        h.run(&["install", "t", "./things/1.0.0"]).await.ok();
        let keep = json!({"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}});
        let before = s.patch(&path, MERGE, &keep).await.expect(200);
        h.run(&["upgrade", "t", "./things/2.0.0"]).await.ok();
        let back = h.run(&["rollback", "t", "1"]).await;
        if h.four {
            back.ok();
            assert_eq!(h.states("t").await, ["1:superseded", "2:superseded", "3:deployed"]);
        } else {
            assert_eq!(
                back.refused(),
                "Error: cannot patch \"things.demo.switchback.test\" with kind CustomResourceDefinition: \
                 customresourcedefinitions.apiextensions.k8s.io \"things.demo.switchback.test\" is invalid: \
                 metadata.resourceVersion: Invalid value: 0: must be specified for an update"
            );
            assert_eq!(h.states("t").await, ["1:superseded", "2:superseded", "3:failed"]);
        }
        h.run(&["upgrade", "t", "./things/1.0.0", "--reset-values", "--no-hooks"]).await.ok();
        assert_eq!(h.states("t").await, ["1:superseded", "2:superseded", "3:superseded", "4:deployed"]);
        let after = s.get(&path).await.expect(200);
        assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
        h.run(&["uninstall", "t"]).await.ok();
        s.wait_gone(&path, 60).await;
        h.done().await;
    }
}

async fn history_max_forgets(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        for _ in 0..3 {
            h.run(&["upgrade", "d", "./demo/1.0.0", "--timeout", "60s", "--history-max", "2"]).await.ok();
        }
        assert_eq!(h.states("d").await, ["3:superseded", "4:deployed"]);
        assert_eq!(h.run(&["rollback", "d", "1"]).await.refused(), "Error: release has no 1 version");
        h.done().await;
    }
}

/// The definition of NodePools as an earlier version of the chart left it: v1beta1 only, the release's own.
fn earlier(h: &Helm<'_>) -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "nodepools.karpenter.sh", "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "kc", "meta.helm.sh/release-namespace": h.ns}},
        "spec": {"group": "karpenter.sh", "scope": "Cluster",
            "names": {"plural": "nodepools", "singular": "nodepool", "kind": "NodePool", "listKind": "NodePoolList"},
            "versions": [{"name": "v1beta1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": any, "status": any}}}}]}})
}

async fn a_dropped_stored_version_fails(s: &Server) {
    let crd = &format!("{CRDS}/nodepools.karpenter.sh");
    let (old, new) = ("/apis/karpenter.sh/v1beta1/nodepools", "/apis/karpenter.sh/v1/nodepools");
    let _turn = s.turn().await;
    for h in s.helms().await {
        // Applied as helm 4 applies, or that would meet another owner.
        s.patch(&format!("{crd}?fieldManager=helm"), APPLY, &earlier(&h)).await.expect(201);
        s.wait(old, 30, |_| true).await;
        let pool = json!({"apiVersion": "karpenter.sh/v1beta1", "kind": "NodePool", "metadata": {"name": "p"}, "spec": {
            "template": {"spec": {"requirements": [],
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "c"}}}}});
        s.post(old, &pool).await.expect(201);
        h.run(&["upgrade", "--install", "kc", "./karpenter-crd/1.0.8"]).await.ok();
        let body = s.get(crd).await.expect(200);
        assert_eq!(body["status"]["storedVersions"], json!(["v1beta1", "v1"]));
        // Nothing stands behind the conversion webhook here.
        let none = json!({"spec": {"conversion": {"strategy": "None", "webhook": null}}});
        s.patch(crd, MERGE, &none).await.expect(200);
        let message = h.run(&["upgrade", "kc", "./karpenter-crd/1.8.8"]).await.refused();
        assert!(message.contains("status.storedVersions[0]: Invalid value: \"v1beta1\""), "{message}");
        assert_eq!(h.states("kc").await, ["1:deployed", "2:failed"]);
        assert_eq!(s.get(crd).await.expect(200)["status"]["storedVersions"], json!(["v1beta1", "v1"]));

        let pool = s.wait(&format!("{new}/p"), 30, |_| true).await;
        s.put(&format!("{new}/p"), &pool).await.expect(200);
        let stored = json!({"status": {"storedVersions": ["v1"]}});
        s.patch(&format!("{crd}/status"), MERGE, &stored).await.expect(200);
        h.run(&["upgrade", "kc", "./karpenter-crd/1.8.8"]).await.ok();
        assert_eq!(h.states("kc").await, ["1:superseded", "2:failed", "3:deployed"]);
        let body = s.get(crd).await.expect(200);
        assert_eq!(body["spec"]["versions"].as_array().map(Vec::len), Some(1));
        let kept = s.wait(&format!("{new}/p"), 30, |_| true).await;
        assert_eq!(kept["spec"]["template"]["spec"]["nodeClassRef"]["name"], "c");
        h.uninstalled("kc").await;
        h.done().await;
    }
}
