//! The small platform with Argo Workflows: two CronWorkflows, and Workflows that run where a test adds them.

use serde_json::{Value, json};
use switchback_schemas::{
    Digest,
    inventory::{Conversion, Crd, Inventory, OwnerEvidence, Ownership},
    lock::{Hook, Lock, Render},
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
};

use crate::{
    world::{inventory, release, render},
    world_mlflow::set,
};

pub(crate) const PLATFORM: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: flows}
spec:
  targets: {cluster: {cluster: {}}}
";

pub(crate) const ARGO: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: ArgoWorkflowsUpgrade
metadata: {name: flows}
spec:
  target: cluster
  to: '1.0.18'
  release: {namespace: argo, name: argo-workflows}
  charts: {https: 'https://argoproj.example/argo-helm'}
";

/// Policies for two classes of [`classed`].
pub(crate) const BY_CLASS: &str = "  inFlight: {wait: {max: 1h}}\n  inFlightByClass:\n    ci: {suspend: {max: 10m}}\n    \
    nightly: {accept: {because: 'ada: they start anew'}}\n";

/// The platform with workload classes, as pods of Workflows are told apart.
pub(crate) fn classed() -> String {
    let class = |name: &str, select: &str| {
        format!("    - {{name: {name}, select: {{{select}}}, onDrain: {{never: {{}}}}}}\n")
    };
    format!(
        "{PLATFORM}  workloads:\n{}{}{}",
        class("ci", "labels: {tier: ci}"),
        class("nightly", "ownerKinds: [CronWorkflow]"),
        class("training", "namespaces: [ml], ownerKinds: [Workflow]")
    )
}

pub(crate) const CRDS: [(&str, &str); 8] = [
    ("clusterworkflowtemplates.argoproj.io", "ClusterWorkflowTemplate"),
    ("cronworkflows.argoproj.io", "CronWorkflow"),
    ("workflowartifactgctasks.argoproj.io", "WorkflowArtifactGCTask"),
    ("workfloweventbindings.argoproj.io", "WorkflowEventBinding"),
    ("workflows.argoproj.io", "Workflow"),
    ("workflowtaskresults.argoproj.io", "WorkflowTaskResult"),
    ("workflowtasksets.argoproj.io", "WorkflowTaskSet"),
    ("workflowtemplates.argoproj.io", "WorkflowTemplate"),
];

pub(crate) fn name() -> ObjectName {
    ObjectName::namespaced("argo", "argo-workflows")
}

fn crd((name, kind): &(&str, &str), full: bool) -> Value {
    let schema = match full {
        true => json!({"type": "object", "properties": {"spec": {"type": "object"}}}),
        false => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
    };
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name, "annotations": {"helm.sh/resource-policy": "keep"}},
        "spec": {"group": "argoproj.io", "scope": "Namespaced", "names": {"kind": kind}, "versions": [
            {"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}})
}

/// What a chart of a version of Argo Workflows renders, but for its CRDs.
pub(crate) fn objects(app: &str, strategy: &str) -> Vec<Value> {
    let deployment = |part: &str, container: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": format!("argo-workflows-{part}"), "namespace": "argo"},
            "spec": {"replicas": 1, "strategy": {"type": strategy},
                "template": {"spec": {"containers": [container]}}}})
    };
    let image = |name: &str| format!("quay.io/argoproj/{name}:{app}");
    let role = match app.starts_with("v4") {
        true => json!(["list", "watch", "patch"]),
        false => json!(["list", "watch", "deletecollection"]),
    };
    vec![
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "argo-workflows-workflow-controller"}, "rules": [
                {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": role}]}),
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "argo-workflows-workflow-controller-configmap", "namespace": "argo"},
            "data": {"config": "nodeEvents:\n  enabled: true\n"}}),
        deployment("server", json!({"name": "argo-server", "image": image("argocli")})),
        deployment(
            "workflow-controller",
            json!({"name": "controller", "image": image("workflow-controller"), "args": [
                "--configmap", "argo-workflows-workflow-controller-configmap",
                "--executor-image", image("argoexec")]}),
        ),
    ]
}

/// Argo Workflows by a chart that holds its CRDs.
pub(crate) fn platform(chart: &str, app: &str) -> Inventory {
    let mut inventory = inventory("1.8.8");
    let templated = CRDS.iter().map(|crd| self::crd(crd, false));
    let all: Vec<Value> = templated.chain(objects(app, "RollingUpdate")).collect();
    let mut of_chart = release(name(), "argo-workflows", chart, all);
    app.clone_into(&mut of_chart.app_version);
    inventory.releases.push(of_chart);
    inventory.crds.extend(CRDS.iter().map(|(name, kind)| Crd {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        uid: format!("uid-{name}"),
        served: vec!["v1alpha1".to_owned()],
        storage: "v1alpha1".to_owned(),
        stored: vec!["v1alpha1".to_owned()],
        conversion: Conversion::None {},
        objects: Some(4),
        release: Some(self::name()),
        namespaced: true,
        keep: true,
    }));
    for cron in ["nightly", "paused"] {
        let name = ObjectName::namespaced("ml", cron);
        let object = ObjectRef::new("argoproj.io/v1alpha1", "CronWorkflow", &name);
        let evidence =
            vec![OwnerEvidence { owner: OwnerKind::Operator, because: "field manager argo".to_owned() }];
        inventory.owners.push(Ownership { object, evidence });
    }
    set(&mut inventory, "argo-workflows", section(app));
    inventory
}

fn section(app: &str) -> Value {
    json!({
        "controllers": [{
            "deployment": {"namespace": "argo", "name": "argo-workflows-workflow-controller"},
            "image": format!("quay.io/argoproj/workflow-controller:{app}"),
            "executorImage": format!("quay.io/argoproj/argoexec:{app}"),
            "leaderElection": true, "strategy": "RollingUpdate",
            "configMap": {"namespace": "argo", "name": "argo-workflows-workflow-controller-configmap"},
        }],
        "cronWorkflows": [
            {"name": {"namespace": "ml", "name": "nightly"}, "schedules": ["0 2 * * *"], "timezone": "Europe/Berlin",
                "startingDeadlineSeconds": 600},
            {"name": {"namespace": "ml", "name": "paused"}, "schedules": ["*/5 * * * *"], "suspend": true},
        ],
    })
}

/// Two Workflows that have not finished.
pub(crate) fn running(inventory: &mut Inventory) {
    let workflow = |name: &str| json!({"name": {"namespace": "ml", "name": name}, "phase": "Running"});
    let both = json!([workflow("train-1"), workflow("train-2")]);
    crate::world_mlflow::change(inventory, "argo-workflows", "/unfinished", both);
    let phases = json!([{"namespace": "ml", "phase": "Running", "count": 2}]);
    crate::world_mlflow::change(inventory, "argo-workflows", "/phases", phases);
}

/// The chart as it is resolved: where the plan applies the CRDs, they come beside it.
pub(crate) fn rendered(chart: &str, app: &str, strategy: &str) -> Render {
    let mut found = render(name(), "argo-workflows", chart, objects(app, strategy));
    app.clone_into(&mut found.app_version);
    found.set = json!({"crds": {"install": false}});
    found.values = Digest::of("values without CRDs");
    found.crds = CRDS.iter().map(|crd| self::crd(crd, true)).collect();
    found
}

/// The same where the CRDs are left to the chart, whose hook applies them.
pub(crate) fn hooked(chart: &str, app: &str, job: &str, context: &Value) -> Render {
    let mut found = rendered(chart, app, "Recreate");
    found.set = json!({});
    found.crds = Vec::new();
    let object = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": job, "namespace": "argo"},
        "spec": {"template": {"spec": {"securityContext": context}}}});
    found.hooks = vec![Hook { events: vec!["pre-install".to_owned(), "pre-upgrade".to_owned()], object }];
    found
}

/// Puts a render into a lock.
pub(crate) fn lock(found: Render) -> impl FnOnce(&mut Lock) {
    move |lock| lock.renders.push(found)
}
