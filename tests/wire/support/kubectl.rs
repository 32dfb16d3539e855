//! The real API server, where there is one.

use std::{path::PathBuf, process::Stdio, sync::Once};

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
                eprintln!(
                    "wire: SWITCHBACK_KUBECONFIG is not set; the real side was NOT run (see tests/cluster)"
                );
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
    pub(crate) fn kubectl(&self, line: &str) -> String {
        let mut command = program(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(line.split_whitespace()).stdin(Stdio::null());
        let out = command.output().expect("kubectl runs");
        assert!(out.status.success(), "kubectl {line}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Items of a list.
    pub(crate) fn items(&self, line: &str) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.kubectl(&format!("{line} -o json"))).expect("JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Applies objects.
    pub(crate) fn apply(&self, objects: &[Value]) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(file.path(), list.to_string()).expect("written");
        self.kubectl(&format!("apply --server-side -f {}", file.path().display()));
    }
}
