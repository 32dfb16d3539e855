//! A short look at a fresh cluster: does each part do its work? Nothing here is timed but for show.

use std::fs;

use crate::{Cluster, Error, Kubectl, Toolchain, host::Stopwatch, kubectl::Client};

const NODES: &str = "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Node, metadata: {name: smoke-0, annotations: {kwok.x-k8s.io/node: fake}}}
- {apiVersion: v1, kind: Node, metadata: {name: smoke-1, annotations: {kwok.x-k8s.io/node: fake}}}
- {apiVersion: v1, kind: Node, metadata: {name: smoke-2, annotations: {kwok.x-k8s.io/node: fake}}}
";

const WORKLOADS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: smoke}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: smoke}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: good, namespace: smoke}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: job, image: job}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: bad, namespace: smoke}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {cluster.switchback.test/pod: fail}}
    spec: {restartPolicy: Never, containers: [{name: job, image: job}]}
---
apiVersion: v1
kind: Pod
metadata: {name: unready, namespace: smoke, annotations: {cluster.switchback.test/pod: unready}}
spec: {containers: [{name: pod, image: pod}]}
---
apiVersion: v1
kind: Pod
metadata: {name: slow, namespace: smoke, annotations: {cluster.switchback.test/delete-after: 2s}}
spec: {containers: [{name: pod, image: pod}]}
";

const CHART: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: smoke\nversion: 0.1.0\n"),
    ("values.yaml", "colour: red\n"),
    (
        "templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}\"}\n\
         data: {colour: \"{{ .Values.colour }}\"}\n",
    ),
];

/// Uses every part of the cluster once, and says what it saw. The first thing that does not work is
/// the error.
pub fn run(cluster: &Cluster, tools: &Toolchain, mut say: impl FnMut(&str)) -> Result<(), Error> {
    let kubectl = cluster.kubectl();
    let stopwatch = Stopwatch::start();
    let mut saw = |what: &str| say(&format!("{:>6.1} s  {what}", stopwatch.elapsed().as_secs_f64()));

    saw(&format!("/version: {}", server_version(kubectl)?));
    kubectl.apply(NODES)?;
    wait(kubectl, "condition=Ready", &["node/smoke-0", "node/smoke-1", "node/smoke-2"])?;
    saw("three fake nodes are Ready");

    kubectl.apply(WORKLOADS)?;
    wait(kubectl, "condition=Available", &["deployment/web"])?;
    let ready =
        ["get", "deployment", "web", "--namespace", "smoke", "--output", "jsonpath={.status.readyReplicas}"];
    saw(&format!("a Deployment has {} ready replicas", kubectl.run(&ready)?));
    wait(kubectl, "condition=Complete", &["job/good"])?;
    wait(kubectl, "condition=Failed", &["job/bad"])?;
    saw("one Job completed and one, told to, failed");
    wait(kubectl, "condition=Ready=false", &["pod/unready"])?;
    wait(kubectl, "condition=Ready", &["pod/slow"])?;
    saw("a pod is Running and, told to, not Ready");

    kubectl.run(&["annotate", "node", "smoke-2", "cluster.switchback.test/node=unready"])?;
    wait(kubectl, "condition=Ready=false", &["node/smoke-2"])?;
    saw("a node, told to, is not Ready");

    for (name, program) in [("helm3", &tools.helm3), ("helm4", &tools.helm4)] {
        let helm = Client::new(program, &cluster.kubeconfig(), cluster.dir());
        let chart = write_chart(cluster)?;
        let colour = || {
            let path = "jsonpath={.data.colour}";
            kubectl.run(&["get", "configmap", name, "--namespace", "smoke", "--output", path])
        };
        let mut seen = Vec::new();
        helm.run(&["install", name, &chart, "--namespace", "smoke"], "")?;
        seen.push(colour()?);
        helm.run(&["upgrade", name, &chart, "--namespace", "smoke", "--set", "colour=green"], "")?;
        seen.push(colour()?);
        helm.run(&["rollback", name, "1", "--namespace", "smoke"], "")?;
        seen.push(colour()?);
        helm.run(&["uninstall", name, "--namespace", "smoke"], "")?;
        let version = helm.run(&["version", "--short"], "")?;
        saw(&format!("{name} ({}): install, upgrade, rollback: {}", version.trim(), seen.join(", ")));
    }

    kubectl.run(&["delete", "namespace", "smoke", "--timeout=180s"])?;
    kubectl.run(&["delete", "node", "smoke-0", "smoke-1", "smoke-2", "--timeout=180s"])?;
    saw("pods, namespace and nodes are gone");
    Ok(())
}

fn wait(kubectl: &Kubectl, condition: &str, objects: &[&str]) -> Result<(), Error> {
    let condition = format!("--for={condition}");
    let mut arguments = vec!["wait", &condition, "--timeout=180s", "--namespace", "smoke"];
    arguments.extend_from_slice(objects);
    kubectl.run(&arguments).map(drop)
}

fn server_version(kubectl: &Kubectl) -> Result<String, Error> {
    let answer = kubectl.run(&["get", "--raw", "/version"])?;
    let version: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
    Ok(version.get("gitVersion").and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned())
}

fn write_chart(cluster: &Cluster) -> Result<String, Error> {
    let chart = cluster.dir().join("smoke-chart");
    let templates = chart.join("templates");
    fs::create_dir_all(&templates).map_err(Error::io("create", &templates))?;
    for (name, text) in CHART {
        let path = chart.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    Ok(chart.display().to_string())
}
