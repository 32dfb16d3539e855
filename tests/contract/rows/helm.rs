use serde_json::{Value, json};

use crate::row::rows;
use crate::server::answer::text;
use crate::server::programs::Helm;
use crate::server::{MERGE, Server};

rows! {
    version_tells_the_major: "version --short and --template tell the version", "programs: helm 3 or 4";
    install_by_upgrade: "upgrade --install installs, marks the objects as the release's and stores revision 1 deployed", "programs: helm upgrade";
    history_is_json: "history -o json lists revision, status, chart, app_version, description", "programs: observe, recovery";
    a_release_is_a_secret: "a revision is a Secret of type helm.sh/release.v1 with labels, holding base64 of base64 of gzip of JSON", "kube: observe releases without helm";
    status_and_get: "status, get values / manifest / metadata answer what was installed; an absent release is exit 1", "programs: is it what is wanted";
    upgrades_supersede: "an upgrade runs its hook, changes the objects and supersedes the old revision", "programs: helm upgrade";
    values_reset_or_reuse: "--reset-values forgets old values, --reuse-values keeps them, without either given values replace and none keep", "programs: helm upgrade";
    foreign_objects_are_refused: "an install over an object that is not the release's is refused: invalid ownership metadata; with the marks it is adopted", "karpenter: CRD chart adoption";
    reuse_keeps_old_defaults: "--reuse-values keeps the defaults of the old chart, so its image stays under the new version; --reset-then-reuse-values takes the new ones", "planner: a chart version that changes nothing";
    a_record_of_another_owner_is_no_release: "helm finds its records by the label owner: with another one a release is unknown and its objects stay; with helm's again it is as before", "programs: detach, attach";
    show_reads_a_chart: "show chart and show crds print the chart's own data and its crds/", "resolver: versions, CRDs";
    uninstall_takes_all: "uninstall takes objects and revisions away; hooks' Jobs stay", "programs: uninstall";
    dry_run_stores_nothing: "--dry-run=server prints the manifest with status pending-upgrade and stores nothing", "programs: preview";
    template_renders: "template prints the objects of a chart, with its values", "resolver: rendered manifests";
    by_hand_changes_survive_or_conflict: "a field changed by hand: helm 3 overwrites what the chart says, helm 4 refuses where another manager owns it", "planner: owners";
}

pub(super) async fn installed(h: &Helm<'_>, values: &Value) {
    h.run_with(&["upgrade", "--install", "d", "./demo/1.0.0", "--timeout", "60s"], Some(values)).await.ok();
}

async fn a_record_of_another_owner_is_no_release(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let uid = h.deployment("d").await["metadata"]["uid"].clone();
        let record = format!("/api/v1/namespaces/{}/secrets/sh.helm.release.v1.d.v1", h.ns);
        let owned = async |owner: &str| {
            let patch = json!({"metadata": {"labels": {"owner": owner}}});
            s.patch(&record, MERGE, &patch).await.expect(200);
        };
        owned("switchback-detached").await;
        assert_eq!(h.run(&["history", "d", "-o", "json"]).await.refused(), "Error: release: not found");
        assert_eq!(h.deployment("d").await["metadata"]["uid"], uid);
        owned("helm").await;
        assert_eq!(h.states("d").await, ["1:deployed"]);
        h.run_with(&["upgrade", "d", "./demo/1.0.0", "--timeout", "60s"], Some(&json!({"replicas": 0})))
            .await
            .ok();
        assert_eq!(h.states("d").await, ["1:superseded", "2:deployed"]);
        assert_eq!(h.deployment("d").await["metadata"]["uid"], uid);
        h.done().await;
    }
}

async fn version_tells_the_major(s: &Server) {
    for h in s.helms().await {
        let short = h.run(&["version", "--short"]).await.ok();
        assert!(short.starts_with(if h.four { "v4." } else { "v3." }), "{short}");
        let template = h.run(&["version", "--template", "{{.Version}}"]).await.ok();
        assert!(short.starts_with(&template), "{short} {template}");
        h.done().await;
    }
}

async fn install_by_upgrade(s: &Server) {
    for h in s.helms().await {
        let out = h
            .run_with(
                &["upgrade", "--install", "d", "./demo/1.0.0", "--timeout", "60s"],
                Some(&json!({"replicas": 0})),
            )
            .await
            .ok();
        assert!(
            out.starts_with("Release \"d\" does not exist. Installing it now.\nNAME: d\nLAST DEPLOYED: "),
            "{out}"
        );
        assert!(out.contains("\nSTATUS: deployed\nREVISION: 1\n"), "{out}");
        assert_eq!(out.contains("DESCRIPTION: Install complete"), h.four);
        let d = h.deployment("d").await;
        assert_eq!(d["spec"]["replicas"], 0);
        assert_eq!(d["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
        assert_eq!(d["metadata"]["annotations"]["meta.helm.sh/release-name"], "d");
        assert_eq!(d["metadata"]["annotations"]["meta.helm.sh/release-namespace"], json!(h.ns));
        let helm = d["metadata"]["managedFields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|m| m["manager"] == "helm" || m["manager"] == "Helm");
        assert_eq!(
            helm.map(|m| m["operation"].as_str().unwrap()),
            Some(if h.four { "Apply" } else { "Update" }),
            "{d:#}"
        );
        h.done().await;
    }
}

async fn history_is_json(s: &Server) {
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let history = h.history("d").await;
        assert_eq!(history.len(), 1);
        let keys: Vec<&String> = history[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["app_version", "chart", "description", "revision", "status", "updated"]);
        assert_eq!(history[0]["chart"], "demo-1.0.0");
        assert_eq!(history[0]["app_version"], "1.0");
        assert_eq!(history[0]["description"], "Install complete");
        assert!(text(&history[0], "/updated").parse::<jiff::Timestamp>().is_ok());
        assert_eq!(h.run(&["history", "nope", "-o", "json"]).await.refused(), "Error: release: not found");
        h.done().await;
    }
}

async fn a_release_is_a_secret(s: &Server) {
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let (secret, release) = h.stored("d", 1).await;
        assert_eq!(secret["type"], "helm.sh/release.v1");
        let labels = &secret["metadata"]["labels"];
        assert_eq!(
            (&labels["name"], &labels["owner"], &labels["status"], &labels["version"]),
            (&json!("d"), &json!("helm"), &json!("deployed"), &json!("1"))
        );
        assert_eq!(release["name"], "d");
        assert_eq!(release["namespace"], json!(h.ns));
        assert_eq!(release["version"], 1);
        assert_eq!(release["config"], json!({"replicas": 0}));
        assert_eq!(release["info"]["status"], "deployed");
        assert_eq!(release["chart"]["metadata"]["name"], "demo");
        assert_eq!(release["chart"]["metadata"]["version"], "1.0.0");
        assert_eq!(release["chart"]["values"]["image"], "example.invalid/demo:1.0");
        assert!(text(&release, "/manifest").contains("# Source: demo/templates/"));
        assert_eq!(release["hooks"][0]["events"], json!(["pre-upgrade"]));
        assert_eq!(release["hooks"][0]["delete_policies"], json!(["before-hook-creation"]));
        assert_eq!(release["apply_method"], if h.four { json!("ssa") } else { Value::Null });
        h.done().await;
    }
}

async fn status_and_get(s: &Server) {
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let status = h.run(&["status", "d", "-o", "json"]).await.json();
        assert_eq!(status["info"]["status"], "deployed");
        assert_eq!(status["version"], 1);
        assert!(status["chart"].is_null());
        assert_eq!(h.run(&["get", "values", "d", "-o", "json"]).await.json(), json!({"replicas": 0}));
        let all = h.run(&["get", "values", "d", "--all", "-o", "json"]).await.json();
        assert_eq!(all, json!({"hookBehaviour": "run", "image": "example.invalid/demo:1.0", "replicas": 0}));
        let manifest = h.run(&["get", "manifest", "d"]).await.ok();
        let object: Value = serde_yaml::from_str(&manifest).unwrap();
        assert_eq!((text(&object, "/kind"), text(&object, "/metadata/name")), ("Deployment", "d"));
        let metadata = h.run(&["get", "metadata", "d", "-o", "json"]).await.json();
        for (field, value) in [
            ("name", json!("d")),
            ("chart", json!("demo")),
            ("version", json!("1.0.0")),
            ("appVersion", json!("1.0")),
            ("revision", json!(1)),
            ("status", json!("deployed")),
        ] {
            assert_eq!(metadata[field], value, "{field}");
        }
        for argv in [
            ["status", "nope", "-o", "json"].as_slice(),
            &["get", "manifest", "nope"],
            &["get", "values", "d", "--revision", "7", "-o", "json"],
        ] {
            assert_eq!(h.run(argv).await.refused(), "Error: release: not found", "{argv:?}");
        }
        h.done().await;
    }
}

async fn upgrades_supersede(s: &Server) {
    s.open_node().await;
    let _turn = s.turn().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let out = h
            .run_with(&["upgrade", "d", "./demo/2.0.0", "--timeout", "60s"], Some(&json!({"replicas": 1})))
            .await
            .ok();
        assert!(out.starts_with("Release \"d\" has been upgraded. Happy Helming!\nNAME: d\n"), "{out}");
        assert!(out.contains("\nSTATUS: deployed\nREVISION: 2\n"), "{out}");
        assert_eq!(h.states("d").await, ["1:superseded", "2:deployed"]);
        let d = h.deployment("d").await;
        assert_eq!(
            (&d["spec"]["replicas"], text(&d, "/spec/template/spec/containers/0/image")),
            (&json!(1), "example.invalid/demo:2.0")
        );
        let job = s.get(&format!("/apis/batch/v1/namespaces/{}/jobs/d-pre", h.ns)).await.expect(200);
        assert_eq!(job["status"]["succeeded"], 1);
        assert_eq!(
            h.run(&["upgrade", "nope", "./demo/1.0.0"]).await.refused(),
            "Error: UPGRADE FAILED: \"nope\" has no deployed releases"
        );
        h.uninstalled("d").await;
        h.done().await;
    }
}

async fn values_reset_or_reuse(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 2})).await;
        let config = async |flag: &[&str], values: Option<Value>| {
            let mut argv = vec!["upgrade", "d", "./demo/1.0.0", "--timeout", "60s"];
            argv.extend(flag);
            h.run_with(&argv, values.as_ref()).await.ok();
            h.run(&["get", "values", "d", "-o", "json"]).await.json()
        };
        assert_eq!(config(&[], None).await, json!({"replicas": 2}), "none given: kept");
        assert_eq!(
            config(&["--reuse-values"], Some(json!({"image": "x:1"}))).await,
            json!({"replicas": 2, "image": "x:1"})
        );
        assert_eq!(
            config(&[], Some(json!({"image": "x:2"}))).await,
            json!({"image": "x:2"}),
            "given: replaced"
        );
        assert_eq!(config(&["--reset-values"], None).await, Value::Null);
        assert_eq!(h.deployment("d").await["spec"]["replicas"], 1, "the chart's own");
        h.done().await;
    }
}

async fn foreign_objects_are_refused(s: &Server) {
    for h in s.helms().await {
        let path = format!("/apis/apps/v1/namespaces/{}/deployments", h.ns);
        let mut own = s.deployment("d", 0);
        own["metadata"]["namespace"] = json!(h.ns);
        own["spec"]["selector"] = json!({"matchLabels": {"app": "d"}});
        s.post(&path, &own).await.expect(201);
        let message = h.run(&["upgrade", "--install", "d", "./demo/1.0.0"]).await.refused();
        assert!(message.contains(&format!("Deployment \"d\" in namespace \"{}\" exists and cannot be imported into the current release: invalid ownership metadata; label validation error: missing key \"app.kubernetes.io/managed-by\": must be set to \"Helm\"; annotation validation error: missing key \"meta.helm.sh/release-name\": must be set to \"d\"", h.ns)), "{message}");
        let marks = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "d", "meta.helm.sh/release-namespace": h.ns}}, "spec": {"replicas": 1}});
        s.patch(&format!("{path}/d?fieldManager=hand"), MERGE, &marks).await.expect(200);
        let out =
            h.run_with(&["upgrade", "--install", "d", "./demo/1.0.0"], Some(&json!({"replicas": 1}))).await;
        out.ok();
        assert_eq!(h.deployment("d").await["metadata"]["labels"]["app.kubernetes.io/name"], "demo");
        h.done().await;
    }
}

async fn reuse_keeps_old_defaults(s: &Server) {
    s.open_node().await;
    let _turn = s.turn().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let image = async |flag: &str| {
            h.run(&["upgrade", "d", "./demo/2.0.0", "--timeout", "60s", flag]).await.ok();
            assert_eq!(h.run(&["get", "values", "d", "-o", "json"]).await.json(), json!({"replicas": 0}));
            assert_eq!(h.history("d").await.last().unwrap()["chart"], "demo-2.0.0");
            text(&h.deployment("d").await, "/spec/template/spec/containers/0/image").to_owned()
        };
        assert_eq!(image("--reuse-values").await, "example.invalid/demo:1.0");
        let all = h.run(&["get", "values", "d", "--all", "-o", "json"]).await.json();
        assert_eq!(all["image"], "example.invalid/demo:1.0");
        assert_eq!(image("--reset-then-reuse-values").await, "example.invalid/demo:2.0");
        h.uninstalled("d").await;
        h.done().await;
    }
}

async fn show_reads_a_chart(s: &Server) {
    for h in s.helms().await {
        let chart: Value =
            serde_yaml::from_str(&h.run(&["show", "chart", "./demo/2.0.0"]).await.ok()).unwrap();
        assert_eq!(
            (text(&chart, "/name"), text(&chart, "/version"), text(&chart, "/appVersion")),
            ("demo", "2.0.0", "2.0")
        );
        let crds = h.run(&["show", "crds", "./demo/2.0.0"]).await.ok();
        let plain = ("CustomResourceDefinition".to_owned(), "plains.demo.switchback.test".to_owned());
        assert_eq!(documents(&crds), [plain]);
        h.done().await;
    }
}

async fn uninstall_takes_all(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        h.run(&["upgrade", "d", "./demo/1.0.0", "--timeout", "60s"]).await.ok();
        assert_eq!(h.run(&["uninstall", "d"]).await.ok(), "release \"d\" uninstalled\n");
        s.wait_gone(&format!("/apis/apps/v1/namespaces/{}/deployments/d", h.ns), 30).await;
        let list = s.get(&format!("/api/v1/namespaces/{}/secrets", h.ns)).await.expect(200);
        assert_eq!(list["items"], json!([]));
        s.get(&format!("/apis/batch/v1/namespaces/{}/jobs/d-pre", h.ns)).await.expect(200);
        assert_eq!(
            h.run(&["uninstall", "d"]).await.refused(),
            "Error: uninstall: Release not loaded: d: release: not found"
        );
        h.done().await;
    }
}

async fn dry_run_stores_nothing(s: &Server) {
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let out = h
            .run_with(&["upgrade", "d", "./demo/1.0.0", "--dry-run=server"], Some(&json!({"replicas": 3})))
            .await
            .ok();
        assert!(out.contains("\nSTATUS: pending-upgrade\nREVISION: 2\n"), "{out}");
        assert!(out.contains("MANIFEST:\n---\n# Source: demo/templates/"), "{out}");
        assert!(out.contains("replicas: 3"), "{out}");
        assert!(out.contains("HOOKS:\n---\n# Source: demo/templates/hook.yaml"), "{out}");
        assert_eq!(h.states("d").await, ["1:deployed"]);
        assert_eq!(h.deployment("d").await["spec"]["replicas"], 0);
        h.done().await;
    }
}

fn documents(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = text
        .split("---\n")
        .filter_map(|d| serde_yaml::from_str::<Value>(d).ok())
        .filter(Value::is_object)
        .map(|o| {
            (
                o["kind"].as_str().unwrap_or_default().to_owned(),
                o["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    all.sort();
    all
}

async fn template_renders(s: &Server) {
    for h in s.helms().await {
        let out = h.run_with(&["template", "d", "./demo/2.0.0"], Some(&json!({"replicas": 7}))).await.ok();
        let found = documents(&out);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            found,
            [
                pair("CustomResourceDefinition", "templateds.demo.switchback.test"),
                pair("Deployment", "d"),
                pair("Job", "d-pre")
            ]
        );
        assert!(out.contains("replicas: 7"));
        let with = h
            .run(&[
                "template",
                "d",
                "./demo/2.0.0",
                "--include-crds",
                "--no-hooks",
                "--is-upgrade",
                "--kube-version",
                "1.33.0",
            ])
            .await
            .ok();
        assert_eq!(documents(&with).len(), 3);
        h.done().await;
    }
}

async fn by_hand_changes_survive_or_conflict(s: &Server) {
    s.open_node().await;
    for h in s.helms().await {
        installed(&h, &json!({"replicas": 0})).await;
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/d?fieldManager=hand", h.ns);
        let hand = json!({"metadata": {"annotations": {"by": "hand"}}, "spec": {"replicas": 2}});
        s.patch(&path, MERGE, &hand).await.expect(200);
        let out = h
            .run_with(&["upgrade", "d", "./demo/1.0.0", "--timeout", "60s"], Some(&json!({"replicas": 1})))
            .await;
        if h.four {
            let message = out.refused();
            assert!(message.contains("conflict"), "{message}");
            assert!(message.contains(".spec.replicas"), "{message}");
            assert_eq!(h.deployment("d").await["spec"]["replicas"], 2);
        } else {
            out.ok();
            assert_eq!(h.deployment("d").await["spec"]["replicas"], 1);
        }
        assert_eq!(h.deployment("d").await["metadata"]["annotations"]["by"], "hand");
        h.done().await;
    }
}
