//! The driver against a scripted helm and a scripted cluster.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};
use switchback_executor::ports::{Call, Capturing, Failure, Helm as _, Kube, Look, Member};
use switchback_schemas::{
    Digest,
    journal::{At, Class, Evidence, Outcome, Verdict},
    name::{ObjectName, ObjectRef},
    plan::{
        BoundObject, Chart, Handover, HelmEffect, HelmInstall, HelmRollback, HelmUpgrade, KubeCapture,
        KubeCondition, KubeEffect, Proof, Roll,
    },
};

use super::HelmDriver;
use crate::{
    charts::NamedCharts,
    helm::{HelmTarget, values},
    port::{Arg, Exit, Invocation, Programs, RunError, Settled},
};

/// Everything that was done, in order.
type Log = Arc<Mutex<Vec<String>>>;

/// Plays helm: a history that each writing call moves on.
struct Scripted {
    log: Log,
    histories: Mutex<VecDeque<Value>>,
    values: Value,
    settled: Settled,
    upgrade: Exit,
}

fn exit(code: i32, stderr: &str) -> Exit {
    Exit { code: Some(code), stdout: Vec::new(), stderr: stderr.as_bytes().to_vec() }
}

fn printed(text: &impl ToString) -> Exit {
    Exit { code: Some(0), stdout: text.to_string().into_bytes(), stderr: Vec::new() }
}

#[async_trait]
impl Programs for Scripted {
    async fn run(&self, call: &Invocation) -> Result<Exit, RunError> {
        let words: Vec<String> = call
            .argv
            .iter()
            .map(|arg| match arg {
                Arg::Text(text) => text.clone(),
                Arg::File(name) => format!("@{name}={}", String::from_utf8_lossy(&call.files[name])),
            })
            .collect();
        let verb = words.get(1).cloned().unwrap_or_default();
        Ok(match verb.as_str() {
            "version" => printed(&"v4.3.1\n"),
            "get" => printed(&self.values),
            "history" => {
                let mut histories = self.histories.lock().unwrap();
                let history =
                    if histories.len() > 1 { histories.pop_front() } else { histories.front().cloned() };
                match history {
                    Some(Value::Null) | None => exit(1, "Error: release: not found\n"),
                    Some(history) => printed(&history),
                }
            }
            verb => {
                self.log.lock().unwrap().push(words.join(" "));
                if verb == "upgrade" { self.upgrade.clone() } else { printed(&"") }
            }
        })
    }

    async fn settle(&self, _slot: &str, _within: Duration) -> Result<Settled, RunError> {
        Ok(self.settled)
    }
}

/// Plays the cluster: every object is there, and patches are logged.
struct Cluster {
    log: Log,
    patch: Outcome,
    copies: bool,
}

#[async_trait]
impl Kube for Cluster {
    async fn apply(&self, _call: &Call, effect: &KubeEffect<Value, BoundObject>) -> Outcome {
        if let KubeEffect::Delete(delete) = effect {
            self.log.lock().unwrap().push(format!("delete {}", delete.object.object));
            return self.patch.clone();
        }
        let KubeEffect::Patch(patch) = effect else { panic!("{effect:?}") };
        let set: Vec<String> = patch.set.iter().map(|set| format!("{} {}", set.pointer, set.to)).collect();
        self.log.lock().unwrap().push(format!("patch {} {}", patch.object.object, set.join(" ")));
        self.patch.clone()
    }

    async fn check(&self, _call: &Call, _condition: &KubeCondition<Value, BoundObject>) -> Verdict {
        Verdict::holds("it is so")
    }

    async fn capture(&self, what: &KubeCapture<BoundObject>) -> Result<Capturing, Failure> {
        panic!("nothing is captured: {what:?}")
    }

    async fn members(&self, _call: &Call, roll: &Roll) -> Result<Vec<Member>, Failure> {
        panic!("there are no nodes for {roll:?}")
    }

    async fn census(&self) -> Result<Look, Failure> {
        panic!("nothing is counted")
    }

    async fn keep_release(
        &self,
        _call: &Call,
        release: &ObjectName,
        revision: u64,
    ) -> Result<Evidence, Failure> {
        self.log.lock().unwrap().push(format!("copy {release} {revision}"));
        match self.copies {
            true => Ok(Evidence::line("it is kept")),
            false => Err(Failure { class: Class::Refused, evidence: Evidence::line("it cannot be kept") }),
        }
    }

    async fn detach_release(&self, _call: &Call, release: &ObjectName, detached: bool) -> Outcome {
        self.log.lock().unwrap().push(format!("detach {release} {detached}"));
        Outcome::Done { evidence: Evidence::default() }
    }

    async fn proof(&self) -> Result<Proof, Failure> {
        panic!("nobody asks who it is")
    }
}

/// A driver over both, and the log of what it did.
struct Scene {
    histories: Vec<Value>,
    settled: Settled,
    upgrade: Exit,
    patch: Outcome,
    copies: bool,
}

impl Scene {
    fn new(histories: Vec<Value>) -> Self {
        let patch = Outcome::Done { evidence: Evidence::default() };
        Self { histories, settled: Settled::Free, upgrade: printed(&""), patch, copies: true }
    }

    async fn apply(self, attempt: u32, effect: &HelmEffect<Value>) -> (Outcome, Vec<String>) {
        let log = Log::default();
        let programs = Scripted {
            log: log.clone(),
            histories: Mutex::new(self.histories.into()),
            values: json!({"a": 1, "db": {"password": "hunter2"}}),
            settled: self.settled,
            upgrade: self.upgrade,
        };
        let cluster = Cluster { log: log.clone(), patch: self.patch, copies: self.copies };
        let driver = HelmDriver::new(
            Arc::new(programs),
            Arc::new(NamedCharts),
            Arc::new(cluster),
            HelmTarget::default(),
        );
        let at = At::forward(&"demo/upgrade".parse().unwrap());
        let first = Call::first("r-1".parse().unwrap(), at, "cluster".parse().unwrap(), "t".into());
        let call = Call { attempt, ..first };
        let outcome = driver.apply(&call, effect).await;
        let log = log.lock().unwrap().clone();
        (outcome, log)
    }
}

fn history(statuses: &[&str]) -> Value {
    let entry = |(i, status): (usize, &&str)| json!({"revision": i + 1, "status": status, "updated": "now"});
    statuses.iter().enumerate().map(entry).collect()
}

fn upgrade() -> HelmEffect<Value> {
    let before = json!({"a": 1, "db": {"password": "hunter2"}});
    let set = json!({"a": 2});
    HelmEffect::Upgrade(HelmUpgrade {
        release: ObjectName::namespaced("ns", "demo"),
        chart: Chart {
            name: "demo".into(),
            repository: "oci://r.example/c".into(),
            version: "2.0.0".parse().unwrap(),
            digest: Digest::of(""),
        },
        values: values::digest(&values::merged(&before, &set)),
        set,
        takes: Vec::new(),
        leaves: Vec::new(),
    })
}

fn rollback(keep_crds: &[&str]) -> HelmEffect<Value> {
    HelmEffect::Rollback(HelmRollback {
        release: ObjectName::namespaced("ns", "demo"),
        to: json!(1),
        keep_crds: keep_crds.iter().map(|crd| (*crd).to_owned()).collect(),
        takes: Vec::new(),
        leaves: Vec::new(),
    })
}

const UPGRADE: &str = "helm upgrade demo oci://r.example/c/demo --version 2.0.0 --namespace ns \
    --reset-then-reuse-values --values @values.json={\"a\":2} --history-max 10 --timeout 5m0s";
const ROLLBACK: &str = "helm rollback demo 1 --namespace ns --history-max 10 --timeout 5m0s";

#[tokio::test]
async fn an_upgrade_writes_no_more_than_what_changes() {
    let scene = Scene::new(vec![history(&["deployed"]), history(&["superseded", "deployed"])]);
    let (outcome, log) = scene.apply(1, &upgrade()).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(log, [UPGRADE]);
}

#[tokio::test]
async fn values_that_changed_since_the_plan_stop_an_upgrade() {
    let HelmEffect::Upgrade(mut effect) = upgrade() else { unreachable!() };
    effect.values = Digest::of("other");
    let (outcome, log) =
        Scene::new(vec![history(&["deployed"])]).apply(1, &HelmEffect::Upgrade(effect)).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    assert!(log.is_empty());
}

#[tokio::test]
async fn p34_a_pending_release_of_somebody_else_is_left_alone() {
    let scene = Scene::new(vec![history(&["deployed", "pending-upgrade"])]);
    let (outcome, log) = scene.apply(1, &upgrade()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    assert!(log.is_empty());
}

#[tokio::test]
async fn p34_a_pending_release_of_our_dead_helm_is_rolled_back_first() {
    let scene = Scene::new(vec![
        history(&["deployed", "pending-upgrade"]),
        history(&["superseded", "pending-upgrade", "deployed"]),
    ]);
    let (outcome, log) = scene.apply(2, &upgrade()).await;
    let Outcome::Done { evidence } = outcome else { panic!("{outcome:?}") };
    assert_eq!(evidence.0.last().map(String::as_str), Some("it is kept"));
    assert_eq!(log, ["copy ns/demo 2", ROLLBACK, UPGRADE]);
}

#[tokio::test]
async fn p34_a_pending_release_that_cannot_be_copied_is_not_repaired() {
    let scene = Scene { copies: false, ..Scene::new(vec![history(&["deployed", "pending-upgrade"])]) };
    let (outcome, log) = scene.apply(2, &upgrade()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
    assert_eq!(log, ["copy ns/demo 2"]);
}

#[tokio::test]
async fn p34_while_our_helm_of_before_lives_nothing_is_called() {
    let scene =
        Scene { settled: Settled::Ended, ..Scene::new(vec![history(&["deployed", "pending-upgrade"])]) };
    let (outcome, log) = scene.apply(2, &upgrade()).await;
    assert!(matches!(outcome, Outcome::InDoubt { class: Class::Crashed, .. }), "{outcome:?}");
    assert!(log.is_empty());
}

#[tokio::test]
async fn a_failure_is_not_done_only_if_no_revision_came_of_it() {
    let failed = || exit(1, "Error: UPGRADE FAILED: execution error\n");
    let scene = Scene { upgrade: failed(), ..Scene::new(vec![history(&["deployed"])]) };
    let (outcome, _) = scene.apply(1, &upgrade()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
    let histories = vec![history(&["deployed"]), history(&["deployed", "failed"])];
    let (outcome, _) = Scene { upgrade: failed(), ..Scene::new(histories) }.apply(1, &upgrade()).await;
    let Outcome::InDoubt { class: Class::Refused, evidence } = outcome else { panic!("{outcome:?}") };
    assert!(
        evidence.0.iter().any(|line| line.contains("revision 2 of release ns/demo is failed")),
        "{evidence:?}"
    );
}

/// What a killed helm does not say is no refusal: its upgrade is looked at and repeated, and not rolled back.
#[tokio::test]
async fn p34_a_helm_that_was_killed_has_refused_nothing() {
    let histories = vec![history(&["deployed"]), history(&["deployed", "pending-upgrade"])];
    let killed = Scene { upgrade: exit(137, ""), ..Scene::new(histories) };
    let (outcome, _) = killed.apply(1, &upgrade()).await;
    assert!(matches!(outcome, Outcome::InDoubt { class: Class::Crashed, .. }), "{outcome:?}");
}

#[tokio::test]
async fn p35_crds_are_marked_before_a_rollback_that_would_delete_them() {
    let scene = || Scene::new(vec![history(&["superseded", "deployed"])]);
    let (outcome, log) = scene().apply(1, &rollback(&["xs.demo.dev"])).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert!(log[0].contains("xs.demo.dev"), "{log:?}");
    assert!(log[0].contains("helm.sh~1resource-policy"), "{log:?}");
    assert_eq!(log[1], ROLLBACK);
    let refused = Outcome::NotDone { class: Class::Denied, evidence: Evidence::default() };
    let (outcome, log) =
        Scene { patch: refused.clone(), ..scene() }.apply(1, &rollback(&["xs.demo.dev"])).await;
    assert_eq!((outcome, log.len()), (refused, 1));
}

#[tokio::test]
async fn p37_a_rollback_needs_a_revision_that_was_good() {
    for statuses in [&["failed", "deployed"][..], &[]] {
        let (outcome, log) = Scene::new(vec![history(statuses)]).apply(1, &rollback(&[])).await;
        assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
        assert!(log.is_empty());
    }
}

fn handed() -> Vec<Handover> {
    let object = |name: &str| ObjectRef::new("v1", "ConfigMap", &ObjectName::namespaced("ns", name));
    vec![Handover {
        other: Some(ObjectName::namespaced("ns", "old")),
        objects: vec![object("a"), object("b")],
    }]
}

fn install() -> HelmEffect<Value> {
    let HelmEffect::Upgrade(upgrade) = upgrade() else { unreachable!() };
    let HelmUpgrade { release, chart, set, .. } = upgrade;
    let values = values::digest(&set);
    HelmEffect::Install(HelmInstall { release, chart, set, values, takes: handed() })
}

#[tokio::test]
async fn what_an_install_takes_over_is_marked_before_helm_is_called() {
    let scene = Scene::new(vec![Value::Null, history(&["deployed"])]);
    let (outcome, log) = scene.apply(1, &install()).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    for (number, name) in ["a", "b"].iter().enumerate() {
        assert!(log[number].starts_with(&format!("patch ConfigMap ns/{name} ")), "{log:?}");
        assert!(log[number].contains(r#"release-name "demo""#), "{log:?}");
    }
    assert_eq!(
        log[2],
        "helm install demo oci://r.example/c/demo --version 2.0.0 --namespace ns --values @values.json={\"a\":2} --timeout 5m0s"
    );
}

/// Nothing was changed by the first mark that is refused; by a second one something was.
#[tokio::test]
async fn a_refusal_is_not_done_only_if_nothing_was_marked() {
    let refused = Outcome::NotDone { class: Class::Refused, evidence: Evidence::default() };
    let first = Scene { patch: refused.clone(), ..Scene::new(vec![Value::Null]) };
    assert_eq!(first.apply(1, &install()).await.0, refused);
    // helm finds a release that was not there, or renders nothing: the marks stand.
    let HelmEffect::Upgrade(mut effect) = upgrade() else { unreachable!() };
    effect.takes = handed();
    effect.values = Digest::of("other");
    let (outcome, log) =
        Scene::new(vec![history(&["deployed"])]).apply(1, &HelmEffect::Upgrade(effect)).await;
    assert!(matches!(outcome, Outcome::InDoubt { class: Class::Conflict, .. }), "{outcome:?}");
    assert_eq!(log.len(), 2, "{log:?}");
}

#[tokio::test]
async fn an_install_over_a_release_that_is_there_is_left_alone_unless_it_is_our_own_try() {
    let (outcome, log) = Scene::new(vec![history(&["deployed"])]).apply(2, &install()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    assert!(log.is_empty(), "{log:?}");
    let (outcome, log) = Scene::new(vec![history(&["pending-install"])]).apply(1, &install()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    assert!(log.is_empty(), "{log:?}");
    let scene = Scene::new(vec![history(&["pending-install"]), history(&["deployed"])]);
    let (outcome, log) = scene.apply(2, &install()).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(log[..2], ["copy ns/demo 1", "delete Secret ns/sh.helm.release.v1.demo.v1"]);
}
