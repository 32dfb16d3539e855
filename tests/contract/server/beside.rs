//! A controller under a row: on the twin its actor, which goes by a Deployment; beside a real server its own program.

use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use switchback_cluster::{Beside, Built, Cluster, Controller, Toolchain};
use tempfile::TempDir;

use super::{APPLY, CRDS, Server, answer::condition, config};

/// A control plane of a row's own, and the controller that works on it.
pub(crate) struct Own {
    built: Built,
    at_work: Mutex<Option<Beside>>,
    cluster: Cluster,
    // Declared last: it must outlive the programs that write there.
    dir: TempDir,
}

impl Server {
    /// A real server of the row's own, with nothing in it.
    pub(crate) async fn beside(controller: Controller, row: &str) -> Self {
        let built = controller.build().unwrap_or_else(|e| panic!("{controller:?}: {e}"));
        let tools = Toolchain::build().expect("the programs of a control plane");
        let dir = tempfile::Builder::new().prefix("switchback-contract-").tempdir().expect("a directory");
        let cluster = Cluster::start(&tools, dir.path()).expect("a control plane");
        let client = kube::Client::try_from(config(&cluster.kubeconfig()).await).expect("a client");
        let server = Self::ready(client, None, row).await;
        Self { own: Some(Own { built, at_work: Mutex::new(None), cluster, dir }), ..server }
    }

    /// The controller's definitions: its own, or on the twin those of a chart of `fixtures/charts`.
    pub(crate) async fn definitions(&self, chart: &str) {
        let files = match &self.own {
            Some(own) => own.built.definitions().expect("definitions"),
            None => files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/charts").join(chart)),
        };
        assert!(!files.is_empty(), "{chart}");
        let mut names = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a definition");
            let definition: Value =
                serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            self.post(CRDS, &definition).await.expect(201);
            names.push(definition["metadata"]["name"].as_str().expect("a name").to_owned());
        }
        for name in names {
            self.wait(&format!("{CRDS}/{name}"), 60, |c| condition(c, "Established") == "True").await;
        }
    }

    /// Lets the controller's program work, with these arguments, in place of one that works already. On the twin nothing is done.
    pub(crate) fn program_works(&self, arguments: &[String]) {
        let Some(own) = &self.own else { return };
        self.program_rests();
        let started = own.built.start(&own.cluster, &own.dir.path().join("beside"), arguments);
        *own.at_work.lock().expect("a lock") = Some(started.expect("the controller starts"));
    }

    /// Ends the controller's program. On the twin nothing is done.
    pub(crate) fn program_rests(&self) {
        if let Some(own) = &self.own {
            drop(own.at_work.lock().expect("a lock").take());
        }
    }

    /// A node that takes whatever comes.
    pub(crate) async fn plain_node(&self, name: &str, labels: &Value, capacity: &Value) {
        let mut metadata =
            json!({"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}});
        metadata["labels"]["kubernetes.io/hostname"] = name.into();
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata,
            "status": {"capacity": capacity, "allocatable": capacity,
                "nodeInfo": {"containerRuntimeVersion": "containerd://1.7.27"}}});
        self.post("/api/v1/nodes", &node).await.expect(201);
        self.wait(&format!("/api/v1/nodes/{name}"), 60, |n| condition(n, "Ready") == "True").await;
    }

    /// A namespace.
    pub(crate) async fn namespace(&self, name: &str) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.post("/api/v1/namespaces", &namespace).await.expect(201);
        self.wait(&format!("/api/v1/namespaces/{name}/serviceaccounts/default"), 60, |_| true).await;
    }

    /// Makes an object what is given, whoever owns its fields.
    pub(crate) async fn applied(&self, path: &str, object: &Value) -> Value {
        let answer = self.patch(&format!("{path}?fieldManager=row&force=true"), APPLY, object).await;
        assert!(matches!(answer.status, 200 | 201), "{path}: {:#}", answer.body);
        answer.body
    }

    /// Objects of a list.
    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        self.get(path).await.expect(200)["items"].as_array().cloned().unwrap_or_default()
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
