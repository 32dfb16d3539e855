//! Helm releases, with helm 3 and helm 4: on the twin by its table, on the cluster by the programs.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Value, json};
use switchback_executor::{
    ports::{Call, Capturing, Helm as _, Kube as _},
    untrusted::manifest,
};
use switchback_kube::{Observing, observe};
use switchback_programs::{
    Arg, Charts, Exit, HelmDriver, HelmTarget, Invocation, NamedCharts, OsPrograms, Programs, Resolver,
    RunError, Settled, VerifiedCharts,
};
use switchback_schemas::{
    Digest,
    journal::{Class, Outcome},
    lock::{Ask, Asks},
    manifest::ChartSource,
    name::ObjectName,
    plan::{BoundObject, Chart, HelmEffect, HelmRollback, HelmUpgrade, KubeCapture, KubeCondition},
};
use switchback_twin::{ProgramCall, Twin};

use crate::scene::{Scene, access, call, charts, done, on_both};

on_both!(a_release_goes_forward_and_back);

/// One helm and what it needs.
struct Helm {
    programs: Arc<dyn Programs>,
    charts: Arc<dyn Charts>,
    target: HelmTarget,
    /// Charts as `NAME/VERSION/`.
    repository: PathBuf,
    cache: tempfile::TempDir,
}

/// The twin's table of programs.
struct Table(Twin);

#[async_trait]
impl Programs for Table {
    async fn run(&self, call: &Invocation) -> Result<Exit, RunError> {
        let words = call.argv.iter().map(|arg| match arg {
            Arg::Text(text) | Arg::File(text) => text.clone(),
        });
        let mut asked = ProgramCall::new(words);
        for (name, content) in &call.files {
            asked = asked.file(name, String::from_utf8_lossy(content));
        }
        let ended = self.0.run_program(&asked);
        Ok(Exit {
            code: Some(ended.exit).filter(|code| *code != 137),
            stdout: ended.stdout.into_bytes(),
            stderr: ended.stderr.into_bytes(),
        })
    }

    async fn settle(&self, _slot: &str, _within: Duration) -> Result<Settled, RunError> {
        Ok(Settled::Free)
    }
}

fn helms(scene: &Scene) -> Vec<Helm> {
    if let Some(twin) = &scene.twin {
        let data = std::fs::read_to_string(charts().join("../worlds/charts.yaml")).unwrap();
        let data: Value = serde_yaml::from_str(&data).unwrap();
        twin.with(|world| {
            world.settings_mut().charts = serde_json::from_value(data["charts"].clone()).unwrap();
        });
        let cache = tempfile::tempdir().unwrap();
        return vec![Helm {
            programs: Arc::new(Table(twin.clone())),
            charts: Arc::new(NamedCharts),
            target: HelmTarget::default(),
            repository: charts(),
            cache,
        }];
    }
    let access = access();
    let programs = [access.helm3.clone(), access.helm4.clone()].into_iter().flatten();
    programs
        .map(|program| {
            let cache = tempfile::tempdir().unwrap();
            let env = [("PATH", "/usr/bin:/bin"), ("HOME", &*cache.path().to_string_lossy())]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            let programs: Arc<dyn Programs> =
                Arc::new(OsPrograms::new(cache.path().join("programs"), BTreeMap::from(env)));
            let target = HelmTarget {
                program: Some(program.to_string_lossy().into_owned()),
                kubeconfig: Some(access.kubeconfig.clone()),
                context: None,
            };
            let verified = VerifiedCharts::new(programs.clone(), target.clone(), cache.path().join("pulled"));
            Helm { programs, charts: Arc::new(verified), target, repository: charts(), cache }
        })
        .collect()
}

impl Helm {
    fn driver(&self, scene: &Scene) -> HelmDriver {
        HelmDriver::new(
            self.programs.clone(),
            self.charts.clone(),
            Arc::new(scene.driver()),
            self.target.clone(),
        )
    }

    /// A release's first revision, as somebody installed it before there was a plan.
    async fn install(&self, release: &ObjectName, chart: &Chart, values: &Value) {
        let program = self.target.program.as_deref().unwrap_or("helm");
        let mut argv = [program, "install", &release.name].map(Arg::from).to_vec();
        argv.extend(self.charts.fetch(chart).await.unwrap());
        let namespace = release.namespace.as_deref().unwrap();
        argv.extend(["--namespace", namespace, "--values"].map(Arg::from));
        argv.push(Arg::File("values.json".to_owned()));
        if let Some(kubeconfig) = &self.target.kubeconfig {
            argv.extend([Arg::from("--kubeconfig"), kubeconfig.to_string_lossy().into_owned().into()]);
        }
        let call = Invocation {
            slot: format!("install_{namespace}_{}", release.name),
            argv,
            env: BTreeMap::new(),
            files: BTreeMap::from([("values.json".to_owned(), values.to_string().into_bytes())]),
            within: Duration::from_mins(5),
        };
        let exit = self.programs.run(&call).await.unwrap();
        assert!(exit.is_success(), "{:?}", exit.complaint());
    }

    /// What a revision recorded: objects and hooks, in any order.
    async fn get(&self, release: &ObjectName, revision: u64) -> [Vec<Value>; 2] {
        let program = self.target.program.as_deref().unwrap_or("helm");
        let (namespace, revision) = (release.namespace.as_deref().unwrap(), revision.to_string());
        let mut found = [Vec::new(), Vec::new()];
        for (what, found) in ["manifest", "hooks"].into_iter().zip(&mut found) {
            let words =
                [program, "get", what, &release.name, "--namespace", namespace, "--revision", &revision];
            let mut argv = words.map(Arg::from).to_vec();
            if let Some(kubeconfig) = &self.target.kubeconfig {
                argv.extend([Arg::from("--kubeconfig"), kubeconfig.to_string_lossy().into_owned().into()]);
            }
            let call = Invocation {
                slot: format!("get_{namespace}_{}", release.name),
                argv,
                env: BTreeMap::new(),
                files: BTreeMap::new(),
                within: Duration::from_mins(1),
            };
            let exit = self.programs.run(&call).await.unwrap();
            assert!(exit.is_success(), "{:?}", exit.complaint());
            *found = manifest::objects(&exit.printed()).unwrap();
            manifest::sort(found);
        }
        found
    }

    fn chart(&self, version: &str, digest: Digest) -> Chart {
        Chart {
            name: "demo".into(),
            repository: self.repository.to_string_lossy().into_owned(),
            version: version.parse().unwrap(),
            digest,
        }
    }
}

fn upgrade(release: &ObjectName, chart: Chart, set: &Value, values: &Value) -> HelmEffect<Value> {
    HelmEffect::Upgrade(HelmUpgrade {
        release: release.clone(),
        chart,
        set: set.clone(),
        takes: Vec::new(),
        leaves: Vec::new(),
        values: Digest::of(values.to_string()),
    })
}

fn is(release: &ObjectName, version: &str, values: &Value) -> KubeCondition<Value, BoundObject> {
    KubeCondition::Release {
        chart: None,
        release: release.clone(),
        chart_version: Some(version.parse().unwrap()),
        revision: None,
        values: Some(Digest::of(values.to_string())),
    }
}

const CRD: &str = "templateds.demo.switchback.test";

async fn a_release_goes_forward_and_back(scene: &Scene) {
    scene.open_node().await;
    for (number, helm) in helms(scene).iter().enumerate() {
        one_helm(scene, helm, &ObjectName::namespaced(&scene.ns, format!("demo{number}"))).await;
    }
}

/// Digests of both charts; where they are checked, as resolving found them.
async fn digests(scene: &Scene, helm: &Helm, release: &ObjectName) -> [Digest; 2] {
    if scene.twin.is_some() {
        return [Digest::of("1"), Digest::of("2")];
    }
    let inventory =
        observe(scene.client.clone(), &Observing::at("2026-11-20T10:00:00Z".parse().unwrap())).await.unwrap();
    let ask = |version: &str| Ask {
        release: release.clone(),
        chart: "demo".into(),
        source: ChartSource::Directory(helm.repository.to_string_lossy().into_owned()),
        version: version.parse().unwrap(),
        set: json!({"replicas": 2}),
        crd_directories: Vec::new(),
    };
    let asks = Asks {
        manifests: Digest::of(""),
        observation: inventory.observation.clone(),
        charts: vec![ask("2.0.0"), ask("1.0.0")],
        addons: Vec::new(),
        aws: std::collections::BTreeMap::new(),
        plain: switchback_schemas::inventory::Plain::default(),
    };
    let charts =
        VerifiedCharts::new(helm.programs.clone(), helm.target.clone(), helm.cache.path().join("pulled"));
    let resolver = Resolver::new(helm.programs.clone(), charts, helm.target.clone());
    let lock = resolver.resolve(&asks, &inventory, "2026-11-20T10:00:01Z".parse().unwrap()).await.unwrap();
    let [first, second] = &lock.renders[..] else { panic!("{} renders", lock.renders.len()) };
    assert_eq!((first.chart.version.as_str(), first.app_version.as_str()), ("1.0.0", "1.0"));
    assert_eq!(second.values, Digest::of(json!({"replicas": 2}).to_string()));
    let kinds: Vec<&str> = second.objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["CustomResourceDefinition", "Deployment"]);
    assert_eq!(second.objects[1]["spec"]["replicas"], 2);
    assert_eq!((second.hooks.len(), second.hooks[0].events[0].as_str()), (1, "pre-upgrade"));
    assert_eq!(second.crds[0]["metadata"]["name"], "plains.demo.switchback.test");
    assert_eq!(second.images, ["example.invalid/demo:2.0", "example.invalid/hook:1"]);
    assert!(!second.unstable);
    [first.chart.digest, second.chart.digest]
}

async fn one_helm(scene: &Scene, helm: &Helm, release: &ObjectName) {
    let driver = helm.driver(scene);
    let [one, two] = digests(scene, helm, release).await;
    let first = json!({"db": {"password": "hunter2"}, "replicas": 1});
    helm.install(release, &helm.chart("1.0.0", one), &first).await;
    assert!(scene.check(&call(), &is(release, "1.0.0", &first)).await.is_holding());
    let captured = scene.driver().capture(&KubeCapture::Revision(release.clone())).await.unwrap();
    assert_eq!(captured, Capturing::Scalar(json!(1)));

    // Only what changes is given; what the release had stays, secrets and all.
    let (set, both) = (json!({"replicas": 2}), json!({"db": {"password": "hunter2"}, "replicas": 2}));
    let stale = upgrade(release, helm.chart("2.0.0", two), &set, &json!({"replicas": 2}));
    let outcome = driver.apply(&call(), &stale).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    if scene.twin.is_none() {
        let other = upgrade(release, helm.chart("2.0.0", Digest::of("other")), &set, &both);
        let outcome = driver.apply(&call(), &other).await;
        assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
    }
    let forward = upgrade(release, helm.chart("2.0.0", two), &set, &both);
    // What it would write is known before, and nothing of it is.
    let HelmEffect::Upgrade(asked) = &forward else { panic!("no upgrade") };
    let rehearsal = driver.rehearse(&HelmEffect::Upgrade(asked.clone())).await.unwrap();
    let deployment = rehearsal.writes.iter().find(|object| object["kind"] == "Deployment").unwrap();
    assert_eq!(
        (&deployment["metadata"]["namespace"], &deployment["spec"]["replicas"]),
        (&json!(scene.ns), &json!(2))
    );
    let said = done(&driver.apply(&call(), &forward).await);
    assert!(said.ends_with("revision 2"), "{said}");
    assert!(scene.check(&call(), &is(release, "2.0.0", &both)).await.is_holding());

    // A release shows no secret in an inventory.
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let inventory = observe(scene.client.clone(), &Observing::at(at)).await.unwrap();
    let observed = inventory.releases.iter().find(|found| found.name == *release).unwrap();
    assert_eq!(observed.revisions.last().unwrap().crds, [CRD]);
    assert_eq!(observed.values_digest, Digest::of(both.to_string()));
    assert!(!String::from_utf8(inventory.to_json().unwrap()).unwrap().contains("hunter2"));

    // P-35: the older chart does not hold the CRD; rolled back as it is, Helm would delete it and every object of it.
    let object = json!({"apiVersion": "demo.switchback.test/v1", "kind": "Templated",
        "metadata": {"name": "precious", "namespace": scene.ns}});
    let path = format!("/apis/demo.switchback.test/v1/namespaces/{}/templateds", scene.ns);
    scene.wait(&path, |_| true).await;
    scene.put(object).await;
    let back = |to: u64| {
        let keep_crds = vec![CRD.to_owned()];
        HelmEffect::Rollback(HelmRollback {
            release: release.clone(),
            to: json!(to),
            keep_crds,
            takes: Vec::new(),
            leaves: Vec::new(),
        })
    };
    let outcome = driver.apply(&call(), &back(9)).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
    done(&driver.apply(&call(), &back(1)).await);
    assert!(scene.check(&call(), &is(release, "1.0.0", &first)).await.is_holding());
    assert!(
        scene.get(&format!("{path}/precious")).await.is_some(),
        "the rollback deleted the objects of the CRD"
    );

    // The CRD stands, and the last revision does not hold it: helm 3 refuses to roll back to one that does.
    done(&driver.apply(&call(), &back(2)).await);
    assert!(scene.check(&call(), &is(release, "2.0.0", &both)).await.is_holding());
    assert!(scene.get(&format!("{path}/precious")).await.is_some(), "the CRD was made anew");
    let [recorded, made] = [helm.get(release, 2).await, helm.get(release, 4).await];
    assert_eq!(made, recorded, "objects and hooks, word for word");
    done(&driver.apply(&call(), &back(1)).await);

    // P-34: another client's pending revision is left alone; our own, of a helm that died, is repaired.
    pend(scene, release, 5).await;
    let again = upgrade(release, helm.chart("2.0.0", two), &set, &both);
    let outcome = driver.apply(&call(), &again).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    let pending = record(scene, release, 6).await;
    let said = done(&driver.apply(&Call { attempt: 2, ..call() }, &again).await);
    assert!(scene.check(&call(), &is(release, "2.0.0", &both)).await.is_holding());
    // A copy of what the dead helm wrote last is kept beside it, and helm does not take it for a record.
    let copy = said.split("kept in Secret ").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    let copy = copy.rsplit('/').next().unwrap();
    let copy = scene.get(&format!("/api/v1/namespaces/{}/secrets/{copy}", scene.ns)).await.unwrap();
    assert_eq!((&copy["data"], &copy["type"]), (&pending["data"], &json!("switchback.dev/release-copy")));
    let crd = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}");
    scene.call("DELETE", &crd, None).await;
    scene.gone(&crd).await;
}

/// P-34: the executor dies while its helm is at work; the helm goes on, and the next process finds it by its lock.
#[tokio::test]
#[ignore = "needs a real API server: `cluster test -- tests/cluster/suite`"]
async fn p34_a_helm_that_outlived_its_executor_is_waited_for() {
    let scene = Scene::real("outlived").await;
    scene.open_node().await;
    for (number, helm) in helms(&scene).iter().enumerate() {
        let release = ObjectName::namespaced(&scene.ns, format!("demo{number}"));
        let [one, _] = digests(&scene, helm, &release).await;
        let none = json!({});
        helm.install(&release, &helm.chart("1.0.0", one), &none).await;
        let hold = json!({"hookBehaviour": "hold"});
        let effect = upgrade(&release, helm.chart("1.0.0", one), &hold, &hold);
        let executor = tokio::spawn({
            let (driver, effect) = (helm.driver(&scene), effect.clone());
            async move { driver.apply(&call(), &effect).await }
        });
        let job = format!("/apis/batch/v1/namespaces/{}/jobs/{}-pre", scene.ns, release.name);
        scene.wait(&job, |job| job["status"]["active"] == 1).await;
        executor.abort();
        assert!(executor.await.is_err(), "helm did not wait for its hook");
        // Its hook is let go, so that it ends; until then the next process waits.
        let next = helm.driver(&scene);
        let again = Call { attempt: 2, ..call() };
        let (outcome, ()) = tokio::join!(next.apply(&again, &effect), let_go(&scene, &release));
        let Outcome::InDoubt { class: Class::Crashed, evidence } = outcome else { panic!("{outcome:?}") };
        assert!(evidence.0[0].contains("look again"), "{evidence:?}");
        // A child that another test is starting may have a copy of the lock until its exec.
        let slot = format!("helm_{}_{}", scene.ns, release.name);
        let settled = helm.programs.settle(&slot, Duration::from_secs(5)).await;
        assert!(matches!(settled, Ok(Settled::Free | Settled::Ended)), "{settled:?}");
    }
    scene.done().await;
}

/// Lets the pods of a release's hook complete.
async fn let_go(scene: &Scene, release: &ObjectName) {
    let pods = format!("/api/v1/namespaces/{}/pods", scene.ns);
    let of_hook = format!("{pods}?labelSelector=job-name%3D{}-pre", release.name);
    for pod in scene.get(&of_hook).await.unwrap()["items"].as_array().unwrap() {
        let path = format!("{pods}/{}", pod["metadata"]["name"].as_str().unwrap());
        scene
            .patch(&path, &json!({"metadata": {"annotations": {"cluster.switchback.test/pod": null}}}))
            .await;
    }
}

/// What helm wrote of a revision.
async fn record(scene: &Scene, release: &ObjectName, revision: u64) -> Value {
    let name = format!("sh.helm.release.v1.{}.v{revision}", release.name);
    scene.get(&format!("/api/v1/namespaces/{}/secrets/{name}", scene.ns)).await.unwrap()
}

/// Leaves a release as a killed upgrade does: a further revision that is pending. Made of the last one, so that it holds
/// what helm wrote.
async fn pend(scene: &Scene, release: &ObjectName, last: u64) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use std::io::{Read, Write};
    let secrets = format!("/api/v1/namespaces/{}/secrets", scene.ns);
    let name = |revision: u64| format!("sh.helm.release.v1.{}.v{revision}", release.name);
    let mut secret = record(scene, release, last).await;
    let data = secret["data"]["release"].as_str().unwrap();
    let packed = STANDARD.decode(STANDARD.decode(data).unwrap()).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let mut stored: Value = serde_json::from_str(&text).unwrap();
    stored["version"] = json!(last + 1);
    stored["info"]["status"] = json!("pending-upgrade");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(stored.to_string().as_bytes()).unwrap();
    let data = STANDARD.encode(STANDARD.encode(packed.finish().unwrap()));
    secret["data"] = json!({"release": data});
    let mut labels = secret["metadata"]["labels"].clone();
    labels["version"] = json!((last + 1).to_string());
    labels["status"] = json!("pending-upgrade");
    secret["metadata"] = json!({"name": name(last + 1), "namespace": scene.ns, "labels": labels});
    let (status, body) = scene.call("POST", &secrets, Some(("application/json", &secret))).await;
    assert_eq!(status, 201, "{body}");
}
