//! helm on both sides: the real programs against the real server, the twin's table against the twin.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use switchback_twin::{Fault, FaultKind, ProgramCall, Twin};

use super::{CRDS, Server, env, kubeconfig, say};

/// Rows whose charts hold definitions take turns: a definition is the whole cluster's, and of one release only.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Out {
    /// Standard output of a call that went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.exit, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// JSON of a call that went well.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// The message of a call that failed with exit 1.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.exit, 1, "{}{}", self.stdout, self.stderr);
        self.stderr
            .lines()
            .filter(|l| !l.starts_with("level="))
            .collect::<Vec<_>>()
            .join("\n")
            .trim()
            .to_owned()
    }
}

/// One helm, with a namespace of its own.
pub(crate) struct Helm<'a> {
    pub(crate) server: &'a Server,
    pub(crate) four: bool,
    pub(crate) ns: String,
    program: Option<PathBuf>,
}

pub(crate) fn charts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/charts")
}

/// Chart data of the twin.
pub(crate) fn twin_charts() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/charts.yaml");
    let text = std::fs::read_to_string(path).expect("fixtures/worlds/charts.yaml");
    serde_yaml::from_str(&text).expect("charts")
}

impl Server {
    /// Helm 3 and helm 4, each with a namespace of its own, and a node that takes every pod.
    pub(crate) async fn helms(&self) -> Vec<Helm<'_>> {
        let mut all = Vec::new();
        for (four, variable) in [(false, "SWITCHBACK_HELM3"), (true, "SWITCHBACK_HELM4")] {
            let program = env(variable);
            if self.twin.is_none() && program.is_none() {
                say(&format!("{variable} is not set; this helm was NOT run"));
                self.partial.store(true, std::sync::atomic::Ordering::Relaxed);
                continue;
            }
            let ns = format!("{}-h{}", self.ns, if four { 4 } else { 3 });
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}});
            self.post("/api/v1/namespaces", &namespace).await.expect(201);
            self.wait(&format!("/api/v1/namespaces/{ns}/serviceaccounts/default"), 20, |_| true).await;
            all.push(Helm { server: self, four, ns, program });
        }
        all
    }

    /// The turn of a row whose charts hold definitions; nobody else is on a twin.
    pub(crate) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'static, ()>> {
        match self.twin {
            Some(_) => None,
            None => Some(TURN.lock().await),
        }
    }

    /// A node for pods that tolerate nothing. It stays: rows that run beside this one may use it.
    pub(crate) async fn open_node(&self) {
        let resources = json!({"cpu": "64", "memory": "256Gi", "pods": "110"});
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "open", "labels": {"kubernetes.io/os": "linux"}, "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "status": {"capacity": resources, "allocatable": resources}});
        let status = self.post("/api/v1/nodes", &node).await.status;
        assert!(matches!(status, 201 | 409), "{status}");
    }
}

impl Helm<'_> {
    fn twin(&self) -> Option<&Twin> {
        let twin = self.server.twin.as_ref()?;
        let version = if self.four { "v4.3.1" } else { "v3.22.0" };
        twin.with(|w| {
            let settings = w.settings_mut();
            settings.helm = serde_json::from_value(json!(version)).expect("a version");
            if settings.charts.is_empty() {
                settings.charts = serde_json::from_value(twin_charts()["charts"].clone()).expect("charts");
            }
        });
        Some(twin)
    }

    /// A call in the helm's namespace.
    pub(crate) async fn run(&self, argv: &[&str]) -> Out {
        self.run_with(argv, None).await
    }

    /// A call with a values file, named by `-f values.json` at its end.
    pub(crate) async fn run_with(&self, argv: &[&str], values: Option<&Value>) -> Out {
        if let Some(twin) = self.twin() {
            let mut words: Vec<String> = vec!["helm".into()];
            words.extend(argv.iter().map(|a| (*a).to_owned()));
            words.extend(["--namespace".into(), self.ns.clone()]);
            let mut call = ProgramCall::new(words);
            if let Some(values) = values {
                call.argv.extend(["-f".into(), "values.json".into()]);
                call = call.file("values.json", values.to_string());
            }
            let out = twin.run_program(&call);
            return Out { exit: out.exit, stdout: out.stdout, stderr: out.stderr };
        }
        let dir = tempfile::tempdir().expect("a folder");
        let mut command = self.command(argv);
        if let Some(values) = values {
            let path = dir.path().join("values.json");
            std::fs::write(&path, values.to_string()).expect("values");
            command.arg("-f").arg(path);
        }
        let out =
            tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("helm runs");
        Out {
            exit: out.status.code().unwrap_or(137),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }

    fn command(&self, argv: &[&str]) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the real helm is what the twin is compared with")]
        let mut command = Command::new(self.program.as_ref().expect("a helm"));
        command.args(argv).args(["--namespace", &self.ns]).current_dir(charts());
        command.env("KUBECONFIG", kubeconfig());
        command
    }

    /// An upgrade that is killed in its middle.
    pub(crate) async fn killed_upgrade(&self, release: &str, chart: &str) {
        if let Some(twin) = self.twin() {
            twin.inject(Fault::new("program", "helm upgrade *", FaultKind::Killed));
            let out = self.run(&["upgrade", release, chart]).await;
            assert_eq!(out.exit, 137);
            twin.heal();
            return;
        }
        // Its hook never ends, so it waits; once its revision is stored it is killed.
        let before = self.history(release).await.len();
        let mut child = self
            .command(&["upgrade", release, chart, "--set", "hookBehaviour=hold", "--timeout", "120s"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("helm runs");
        for _ in 0..200 {
            if self.history(release).await.len() > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    /// `helm history -o json`.
    pub(crate) async fn history(&self, release: &str) -> Vec<Value> {
        self.run(&["history", release, "-o", "json"]).await.json().as_array().cloned().unwrap_or_default()
    }

    /// `revision:status` of each revision.
    pub(crate) async fn states(&self, release: &str) -> Vec<String> {
        let all = self.history(release).await;
        all.iter()
            .map(|r| format!("{}:{}", r["revision"], r["status"].as_str().unwrap_or_default()))
            .collect()
    }

    pub(crate) async fn deployment(&self, name: &str) -> Value {
        self.server.get(&format!("/apis/apps/v1/namespaces/{}/deployments/{name}", self.ns)).await.expect(200)
    }

    /// A revision as its Secret holds it.
    pub(crate) async fn stored(&self, release: &str, revision: u32) -> (Value, Value) {
        use std::io::Read as _;
        let path = format!("/api/v1/namespaces/{}/secrets/sh.helm.release.v1.{release}.v{revision}", self.ns);
        let secret = self.server.get(&path).await.expect(200);
        let engine = base64::engine::general_purpose::STANDARD;
        let outer = engine.decode(secret["data"]["release"].as_str().expect("data")).expect("base64");
        let inner = engine.decode(outer).expect("base64 again");
        let mut text = String::new();
        flate2::read::GzDecoder::new(inner.as_slice()).read_to_string(&mut text).expect("gzip");
        (secret, serde_json::from_str(&text).expect("JSON"))
    }

    /// Takes a release away, and waits until the definitions that it held are gone: helm does not, and the next
    /// release that holds them is refused while they last.
    pub(crate) async fn uninstalled(&self, release: &str) -> String {
        let list = self.server.get(CRDS).await.expect(200);
        let mark = |of: &Value, name: &str| of["metadata"]["annotations"][name].as_str().map(str::to_owned);
        let held = list["items"].as_array().into_iter().flatten().filter(|crd| {
            mark(crd, "meta.helm.sh/release-name").as_deref() == Some(release)
                && mark(crd, "meta.helm.sh/release-namespace").as_deref() == Some(&self.ns)
        });
        let said = self.run(&["uninstall", release]).await.ok();
        for crd in held {
            let name = crd["metadata"]["name"].as_str().expect("a name");
            // The API server itself waits up to a minute for the objects to go, and then tries anew.
            self.server.wait_gone(&format!("{CRDS}/{name}"), 180).await;
        }
        said
    }

    pub(crate) async fn done(&self) {
        self.server.delete(&format!("/api/v1/namespaces/{}", self.ns)).await.expect(200);
        self.server.wait_gone(&format!("/api/v1/namespaces/{}", self.ns), 90).await;
    }
}
