//! A directory with a twin, manifests and a store, in which commands are run as a person would run them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use switchback_schemas::{codes::Code, plan::Plan, report::Report};
use tempfile::TempDir;

use super::{
    bins::{bins, env, program, root},
    http,
    kubectl::Cluster,
    projection::{self, Projection},
};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Out {
    /// What a command said, and how it ended. A failure says under which code it is explained.
    #[track_caller]
    fn of(output: &Output) -> Self {
        let out = Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let explained = explained(out.code, [out.stdout.as_str(), &out.stderr]);
        assert!(explained, "a failure without a code: {out:?}");
        out
    }

    /// It must have ended like this.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

/// The exit codes of failures.
const FAILURES: [i32; 6] = [1, 4, 6, 64, 69, 70];

/// Whether a command did not fail, or its answer names a code of the table.
pub(crate) fn explained(exit: Option<i32>, answer: [&str; 2]) -> bool {
    let failed = exit.is_some_and(|exit| FAILURES.contains(&exit));
    let words = answer.into_iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    !failed || words.into_iter().any(|word| Code::find(word).is_some())
}

/// A twin that is served by a process of its own.
struct Served {
    child: Child,
    endpoint: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Gone already, or ended now.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A place to run commands in.
pub(crate) struct Scene {
    dir: TempDir,
    twin: Option<Served>,
    /// How commands are told which cluster is meant.
    platform: String,
}

impl Scene {
    /// An empty place with manifests.
    pub(crate) fn new(manifests: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new().prefix("switchback-wire-").tempdir().expect("a directory");
        let scene = Self { dir, twin: None, platform: "--kubeconfig kubeconfig".to_owned() };
        std::fs::create_dir(scene.path("manifests")).expect("a directory");
        for (name, text) in manifests {
            scene.write(&format!("manifests/{name}"), text);
        }
        scene
    }

    /// A place with the twin of the small platform, changed by a function over its world's text.
    pub(crate) fn on_twin(manifests: &[(&str, &str)], world: impl FnOnce(String) -> String) -> Self {
        Self::on_world("karpenter-small.yaml", manifests, world)
    }

    /// A place with the twin of a world of fixtures/worlds, changed by a function over its text.
    pub(crate) fn on_world(
        name: &str,
        manifests: &[(&str, &str)],
        world: impl FnOnce(String) -> String,
    ) -> Self {
        let mut scene = Self::new(manifests);
        let worlds = root().join("fixtures/worlds");
        let text = std::fs::read_to_string(worlds.join(name)).expect("the world");
        for included in ["charts.yaml", "eks.yaml"] {
            std::fs::copy(worlds.join(included), scene.path(included)).expect("what it includes");
        }
        scene.write("world.yaml", &world(text));
        let mut command = scene.command(&bins().exec);
        command.args(["twin", "serve", "world.yaml", "--dir", "."]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the twin starts");
        let out = child.stdout.take().expect("its output");
        let mut endpoint = String::new();
        for line in BufReader::new(out).lines() {
            let line = line.expect("a line");
            if let Some(address) = line.strip_prefix("endpoint") {
                address.trim().clone_into(&mut endpoint);
            }
            // The last thing that it says.
            if line.starts_with("charts") {
                break;
            }
        }
        assert!(!endpoint.is_empty(), "the twin did not come up");
        scene.twin = Some(Served { child, endpoint });
        scene
    }

    /// A place beside a real cluster, with one of its helms and the fixtures' charts.
    pub(crate) fn on_cluster(manifests: &[(&str, &str)], cluster: &Cluster, helm: &str) -> Self {
        let mut scene = Self::new(manifests);
        std::fs::copy(&cluster.kubeconfig, scene.path("kubeconfig")).expect("a kubeconfig");
        std::os::unix::fs::symlink(root().join("fixtures/charts"), scene.path("charts")).expect("charts");
        scene.platform = format!("--kubeconfig kubeconfig --helm {helm}");
        scene
    }

    /// From now on the cluster is spoken to by somebody who may do what the plan says that it needs, and nothing else.
    pub(crate) fn under_roles(&self, cluster: &Cluster) {
        let runner = "switchback-runner";
        let roles = "permissions plan.json --format rbac --bind serviceaccount:kube-system/";
        let roles = self.switchback(&format!("{roles}{runner}")).exits(0).stdout;
        self.write("roles.yaml", &roles);
        cluster.kubectl(&["-n", "kube-system", "create", "serviceaccount", runner]);
        cluster.kubectl(&["apply", "-f", &self.path("roles.yaml").to_string_lossy()]);
        let token = cluster.kubectl(&["-n", "kube-system", "create", "token", runner, "--duration", "2h"]);
        let mut kubeconfig: Value = serde_json::from_str(&self.read("kubeconfig")).expect("JSON");
        kubeconfig["users"][0]["user"] = serde_json::json!({"token": token.trim()});
        self.write("kubeconfig", &kubeconfig.to_string());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file is written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A program in this place, with nothing of the suite's environment that would change what it does.
    pub(crate) fn command(&self, path: &Path) -> Command {
        let mut command = program(path);
        command.current_dir(self.dir.path()).stdin(Stdio::null()).stderr(Stdio::piped());
        for name in ["CI", "SWITCHBACK_STORE", "KUBECONFIG", "NO_COLOR", "COLUMNS"] {
            command.env_remove(name);
        }
        command.env("HOME", self.dir.path()).env("USER", "ada");
        command.env_remove("XDG_STATE_HOME").env_remove("XDG_CACHE_HOME");
        command
    }

    /// Runs `switchback`, which hands over to `switchback-exec` where it must.
    pub(crate) fn switchback(&self, line: &str) -> Out {
        self.switchback_in(line, &BTreeMap::new())
    }

    /// The same with variables.
    pub(crate) fn switchback_in(&self, line: &str, variables: &BTreeMap<&str, &str>) -> Out {
        let mut command = self.command(&bins().switchback);
        command.args(line.split_whitespace()).envs(variables);
        Out::of(&command.output().expect("switchback runs"))
    }

    /// Observes, resolves and plans; the plan.
    pub(crate) fn plan(&self) -> Plan {
        self.observed();
        self.resolved()
    }

    /// The same with an inventory that does not say on which port the twin was.
    pub(crate) fn plan_to_be_kept(&self) -> Plan {
        self.observed();
        let inventory = self.read("inventory.json").replace(self.endpoint(), "http://127.0.0.1:6443");
        self.write("inventory.json", &inventory);
        self.resolved()
    }

    fn resolved(&self) -> Plan {
        self.switchback(&format!("resolve manifests -- {}", self.platform)).exits(0);
        self.planned()
    }

    /// Looks at the cluster, and at what the manifests' targets are at AWS.
    pub(crate) fn observed(&self) -> Out {
        let helm =
            self.platform.split_once(" --helm").map_or(self.platform.as_str(), |(kubeconfig, _)| kubeconfig);
        self.switchback(&format!("observe manifests {helm}")).exits(0)
    }

    /// Plans from what is there.
    pub(crate) fn planned(&self) -> Plan {
        self.switchback("plan manifests -o plan.json").exits(0);
        Plan::from_json(self.read("plan.json").as_bytes()).expect("a plan")
    }

    /// Applies the plan.
    pub(crate) fn apply(&self) -> Out {
        self.on_store("apply plan.json")
    }

    /// A command on the store and the platform.
    pub(crate) fn on_store(&self, line: &str) -> Out {
        self.switchback(&format!("{line} --store store {}", self.platform))
    }

    /// An executor that applies the plan, with its events as lines of JSON.
    pub(crate) fn applying(&self) -> Child {
        self.at_work("apply plan.json")
    }

    /// An executor at work, with its events as lines of JSON.
    pub(crate) fn at_work(&self, line: &str) -> Child {
        let mut command = self.command(&bins().exec);
        command.args(line.split(' ')).args(["--store", "store", "--format", "json"]);
        command.args(self.platform.split(' ')).stdout(Stdio::piped());
        command.spawn().expect("the executor starts")
    }

    /// The report of the store's run.
    pub(crate) fn report(&self) -> Report {
        let out = self.switchback("report --store store --format json").exits(0);
        serde_json::from_str(&out.stdout).expect("a report")
    }

    fn endpoint(&self) -> &str {
        &self.twin.as_ref().expect("a scene with a twin").endpoint
    }

    /// The twin's world.
    pub(crate) fn world(&self) -> Projection {
        projection::of(&http::call(self.endpoint(), "GET", "/_twin/world", ""))
    }

    /// The twin's world when nothing moves any more.
    pub(crate) fn settled(&self) -> Projection {
        self.wait(600);
        self.world()
    }

    /// What the twin's world holds at AWS.
    pub(crate) fn cloud(&self) -> Value {
        http::call(self.endpoint(), "GET", "/_twin/world", "")["cloud"].clone()
    }

    /// Objects of a kind in the twin's world.
    pub(crate) fn objects(&self, kind: &str) -> Vec<Value> {
        projection::objects(&http::call(self.endpoint(), "GET", "/_twin/world", ""), kind)
    }

    /// Asks the twin's process to stop; its exit code.
    pub(crate) fn stop_twin(&mut self) -> Option<i32> {
        let served = self.twin.as_mut().expect("a scene with a twin");
        let sent = program("kill").args(["-s", "TERM", &served.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        served.child.wait().expect("it ends").code()
    }

    /// Adds a fault.
    pub(crate) fn fault(&self, fault: &Value) {
        http::call(self.endpoint(), "POST", "/_twin/faults", &fault.to_string());
    }

    /// Forgets all faults.
    pub(crate) fn heal(&self) {
        http::call(self.endpoint(), "DELETE", "/_twin/faults", "");
    }

    /// How many faults a call has met.
    pub(crate) fn faults_met(&self) -> usize {
        let faults = http::call(self.endpoint(), "GET", "/_twin/faults", "");
        faults.as_array().into_iter().flatten().filter(|fault| fault["seen"].as_u64() > Some(0)).count()
    }

    /// Operations of AWS that were called since they were last forgotten.
    pub(crate) fn called(&self) -> BTreeSet<String> {
        let called = http::call(self.endpoint(), "GET", "/_twin/called", "");
        serde_json::from_value(called).expect("operations")
    }

    /// Forgets which operations of AWS were called.
    pub(crate) fn forget_calls(&self) {
        http::call(self.endpoint(), "DELETE", "/_twin/called", "");
    }

    /// Moves the twin's clock.
    pub(crate) fn wait(&self, seconds: u32) {
        http::call(self.endpoint(), "POST", "/_twin/clock", &format!("{{\"by\": {seconds}}}"));
    }
}

/// How a plan is applied on a twin.
pub(crate) const APPLY: &str = "apply plan.json --kubeconfig kubeconfig --store store";

/// Whether golden files are to be written again.
pub(crate) fn updating() -> bool {
    env("UPDATE").is_some()
}
