//! A real control plane.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use serde_json::Value;
use switchback_cluster::{Access, Toolchain};
use tempfile::TempDir;

use super::bins::program;

/// A control plane of one test's own. It stops when this is dropped.
pub(crate) struct Own {
    pub(crate) cluster: Cluster,
    /// Shared with what runs beside it.
    pub(crate) running: Arc<switchback_cluster::Cluster>,
    // Declared last: it must outlive the programs that write there.
    dir: TempDir,
}

impl Own {
    /// Starts an empty one.
    pub(crate) fn start() -> Self {
        let tools = Toolchain::build().expect("the programs of a control plane");
        let dir = tempfile::Builder::new().prefix("switchback-wire-cluster-").tempdir().expect("a directory");
        let running = switchback_cluster::Cluster::start(&tools, dir.path()).expect("a control plane");
        let cluster = Cluster::of(Access::new(&running.kubeconfig(), &tools));
        Self { cluster, running: Arc::new(running), dir }
    }

    /// Where its programs write.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Programs and kubeconfig of a real cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) kubeconfig: PathBuf,
    kubectl: PathBuf,
    pub(crate) helm3: String,
    pub(crate) helm4: String,
}

impl Cluster {
    fn of(access: Access) -> Self {
        let helm = |path: Option<PathBuf>| path.expect("a helm").to_string_lossy().into_owned();
        Self {
            kubeconfig: access.kubeconfig,
            kubectl: access.kubectl.expect("kubectl"),
            helm3: helm(access.helm3),
            helm4: helm(access.helm4),
        }
    }

    /// The program kubectl.
    pub(crate) fn kubectl_program(&self) -> &Path {
        &self.kubectl
    }

    /// Runs kubectl; what it prints.
    pub(crate) fn kubectl(&self, words: &[&str]) -> String {
        let mut command = program(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(words).stdin(Stdio::null());
        let out = command.output().expect("kubectl runs");
        assert!(out.status.success(), "kubectl {words:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Items of a list.
    pub(crate) fn items(&self, words: &[&str]) -> Vec<Value> {
        let text = self.kubectl(&[words, &["-o", "json"]].concat());
        let list: Value = serde_json::from_str(&text).expect("JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// One object.
    pub(crate) fn get(&self, words: &[&str]) -> Value {
        let text = self.kubectl(&[&["get"], words, &["-o", "json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    /// Creates an object, with its status where its kind allows that.
    pub(crate) fn create(&self, object: &Value) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), object.to_string()).expect("written");
        self.kubectl(&["create", "-f", &file.path().to_string_lossy()]);
    }

    /// Runs a helm against the cluster.
    pub(crate) fn helm(&self, helm: &str, words: &[&str]) {
        let mut command = program(helm);
        command.args(words).arg("--kubeconfig").arg(&self.kubeconfig).stdin(Stdio::null());
        let out = command.output().expect("helm runs");
        assert!(out.status.success(), "helm {words:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
}
