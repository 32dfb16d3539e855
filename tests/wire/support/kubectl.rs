//! The real API server, where there is one.

use std::{io::Write as _, path::PathBuf, process::Stdio, sync::Once};

use serde_json::Value;

use super::bins::{env, program};

/// Programs and kubeconfig of a real cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) kubeconfig: PathBuf,
    kubectl: String,
    /// Both helms, by their names.
    pub(crate) helms: Vec<(&'static str, String)>,
}

impl Cluster {
    /// The cluster that the environment names; says once, and clearly, when there is none.
    pub(crate) fn from_env() -> Option<Self> {
        static SAID: Once = Once::new();
        let Some(kubeconfig) = env("SWITCHBACK_KUBECONFIG").map(PathBuf::from) else {
            SAID.call_once(|| {
                // Past the harness, which keeps what a test prints to itself when it passes.
                let line =
                    "wire: SWITCHBACK_KUBECONFIG is not set; the real side was NOT run (see tests/cluster)";
                drop(writeln!(std::io::stderr(), "{line}"));
            });
            return None;
        };
        let helms = [("helm3", "SWITCHBACK_HELM3"), ("helm4", "SWITCHBACK_HELM4")];
        Some(Self {
            kubeconfig,
            kubectl: env("SWITCHBACK_KUBECTL").unwrap_or_else(|| "kubectl".to_owned()),
            helms: helms.into_iter().filter_map(|(name, variable)| Some((name, env(variable)?))).collect(),
        })
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
