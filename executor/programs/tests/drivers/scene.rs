//! A platform to drive, and objects on it.

use std::{path::PathBuf, time::Duration};

use kube::client::Body;
use serde_json::{Value, json};
use switchback_cluster::Access;
use switchback_executor::ports::{Call, Kube as _, Looked};
use switchback_kube::KubeDriver;
use switchback_schemas::{
    Seconds,
    journal::{At, Outcome, Verdict, WaitsFor},
    name::{ObjectName, ObjectRef},
    plan::{BoundObject, KubeCondition, KubeEffect},
};
use switchback_twin::{Twin, World};

/// Makes of each body a test on the twin and one on a real API server.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod twin {
            $(#[tokio::test]
            async fn $name() {
                let scene = $crate::scene::Scene::twin(stringify!($name)).await;
                super::$name(&scene).await;
            })+
        }
        mod real {
            $(#[tokio::test]
            #[ignore = "needs a real API server: `cluster test -- tests/cluster/suite`"]
            async fn $name() {
                let scene = $crate::scene::Scene::real(stringify!($name)).await;
                super::$name(&scene).await;
                scene.done().await;
            })+
        }
    };
}
pub(crate) use on_both;

/// A platform.
pub(crate) struct Scene {
    pub(crate) client: kube::Client,
    pub(crate) twin: Option<Twin>,
    /// A namespace of the test's own.
    pub(crate) ns: String,
    /// A prefix for names outside of namespaces.
    pub(crate) id: String,
}

/// The cluster of the test run.
pub(crate) fn access() -> Access {
    Access::from_env().unwrap_or_else(|error| panic!("{error}"))
}

impl Scene {
    pub(crate) async fn twin(test: &str) -> Self {
        let twin = Twin::new(World::new("2026-11-20T10:00:00Z".parse().unwrap()));
        twin.advance_by(Duration::from_secs(1));
        Self::ready(kube::Client::new(twin.kube(), "default"), Some(twin), test).await
    }

    pub(crate) async fn real(test: &str) -> Self {
        let client = switchback_kube::client(&access().kubeconfig, None).await.unwrap();
        Self::ready(client, None, test).await
    }

    async fn ready(client: kube::Client, twin: Option<Twin>, test: &str) -> Self {
        let short: String = test.replace('_', "-").chars().take(30).collect();
        let id = format!("{}-{:x}", short.trim_end_matches('-'), std::process::id());
        let scene = Self { client, twin, ns: format!("d-{id}"), id };
        scene.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scene.ns}})).await;
        scene.wait(&format!("/api/v1/namespaces/{}/serviceaccounts/default", scene.ns), |_| true).await;
        scene
    }

    pub(crate) async fn done(&self) {
        self.call("DELETE", &format!("/api/v1/namespaces/{}", self.ns), None).await;
    }

    pub(crate) fn driver(&self) -> KubeDriver {
        KubeDriver::over(self.client.clone())
    }

    pub(crate) async fn apply(&self, call: &Call, effect: &KubeEffect<Value, BoundObject>) -> Outcome {
        self.driver().apply(call, effect).await
    }

    /// Applies, and once more where a second look is wanted, after the time that it wants.
    pub(crate) async fn twice(&self, call: &Call, effect: &KubeEffect<Value, BoundObject>) -> Outcome {
        let outcome = self.apply(call, effect).await;
        let Outcome::Blocked { waits_for } = &outcome else { return outcome };
        let [WaitsFor::SecondLook { what }] = &waits_for[..] else { return outcome };
        let looked = Some(Looked { what: what.clone(), ago: Seconds(10) });
        self.apply(&Call { looked, ..call.clone() }, effect).await
    }

    pub(crate) async fn check(&self, call: &Call, condition: &KubeCondition<Value, BoundObject>) -> Verdict {
        self.driver().check(call, condition).await
    }

    /// A request, and its answer.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> (u16, Value) {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some((kind, _)) = body {
            request = request.header("content-type", kind);
        }
        let bytes = body.map(|(_, body)| body.to_string().into_bytes()).unwrap_or_default();
        let response = self.client.send(request.body(Body::from(bytes)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let (status, body) = self.call("GET", path, None).await;
        (status == 200).then_some(body)
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Value {
        let (status, body) = self.call("PATCH", path, Some(("application/merge-patch+json", body))).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Creates an object by server-side apply as somebody else.
    pub(crate) async fn put(&self, object: Value) -> Value {
        let path = path_of(&object);
        let query = format!("{path}?fieldManager=somebody&force=true");
        let (status, body) =
            self.call("PATCH", &query, Some(("application/apply-patch+yaml", &object))).await;
        assert!(matches!(status, 200 | 201), "{path}: {status} {body}");
        body
    }

    /// Lets a moment pass: on the twin its clock moves, a real cluster is waited for.
    pub(crate) async fn moment(&self) {
        match &self.twin {
            Some(twin) => twin.advance_by(Duration::from_millis(200)),
            None => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }

    /// Reads until an object fits.
    pub(crate) async fn wait(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        for _ in 0..300 {
            last = self.get(path).await;
            if let Some(object) = last.as_ref().filter(|object| fits(object)) {
                return object.clone();
            }
            self.moment().await;
        }
        panic!("{path}: never as wanted, last {last:#?}");
    }

    /// Waits until an object is gone.
    pub(crate) async fn gone(&self, path: &str) {
        for _ in 0..300 {
            if self.get(path).await.is_none() {
                return;
            }
            self.moment().await;
        }
        panic!("{path}: still there");
    }

    /// A node of the test's own; only pods that ask for it come there.
    pub(crate) async fn node(&self, name: &str) -> BoundObject {
        let name = format!("{}-{name}", self.id);
        let room = json!({"cpu": "32", "memory": "256Gi", "pods": "110"});
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"row": self.id, "kubernetes.io/hostname": name},
                "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "spec": {"taints": [{"key": "row", "value": self.id, "effect": "NoSchedule"}]},
            "status": {"capacity": room, "allocatable": room}});
        let (status, body) = self.call("POST", "/api/v1/nodes", Some(("application/json", &node))).await;
        assert_eq!(status, 201, "{body}");
        let node = self
            .wait(&format!("/api/v1/nodes/{name}"), |node| {
                let ready = node["status"]["conditions"].as_array().is_some_and(|conditions| {
                    conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
                });
                let taints = node["spec"]["taints"].as_array().map_or(0, Vec::len);
                ready && taints == 1
            })
            .await;
        bound("v1", "Node", &node)
    }

    /// A node for pods that tolerate nothing, such as those of hooks. It stays: other tests may use it too.
    pub(crate) async fn open_node(&self) {
        let room = json!({"cpu": "64", "memory": "256Gi", "pods": "110"});
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "open", "labels": {"kubernetes.io/os": "linux"},
                "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "status": {"capacity": room, "allocatable": room}});
        let (status, body) = self.call("POST", "/api/v1/nodes", Some(("application/json", &node))).await;
        assert!(matches!(status, 201 | 409), "{status} {body}");
    }

    /// A rolled out Deployment on the test's own nodes.
    pub(crate) async fn deployment(&self, name: &str, replicas: u64) -> ObjectRef {
        self.put(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.ns, "labels": {"app": name}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}}, "spec": {
                    "nodeSelector": {"row": self.id},
                    "tolerations": [{"key": "row", "operator": "Equal", "value": self.id, "effect": "NoSchedule"}],
                    "containers": [{"name": "c", "image": "example.invalid/app:1"}]}}}}))
            .await;
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/{name}", self.ns);
        self.wait(&path, |found| found["status"]["availableReplicas"] == replicas).await;
        ObjectRef::new("apps/v1", "Deployment", &ObjectName::namespaced(&self.ns, name))
    }

    /// A PodDisruptionBudget over a Deployment's pods, once its controller has seen it.
    pub(crate) async fn budget(&self, name: &str, app: &str, spec: &Value, allowed: u64) {
        let mut spec = spec.clone();
        spec["selector"] = json!({"matchLabels": {"app": app}});
        self.put(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "namespace": self.ns}, "spec": spec}))
            .await;
        let path = format!("/apis/policy/v1/namespaces/{}/poddisruptionbudgets/{name}", self.ns);
        self.wait(&path, |found| {
            found["status"]["disruptionsAllowed"] == allowed
                && found["status"]["expectedPods"].as_u64() > Some(0)
        })
        .await;
    }
}

/// An object as a target that is bound to its UID.
pub(crate) fn bound(api_version: &str, kind: &str, object: &Value) -> BoundObject {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let name = ObjectName { namespace: text("/metadata/namespace"), name: text("/metadata/name").unwrap() };
    BoundObject {
        object: ObjectRef::new(api_version, kind, &name),
        uid: Some(text("/metadata/uid").unwrap()),
        provider_id: text("/spec/providerID"),
    }
}

/// The path of the kinds that tests make.
fn path_of(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let plural = format!("{}s", text("/kind").to_lowercase());
    let api = match text("/apiVersion") {
        "v1" => "/api/v1".to_owned(),
        api => format!("/apis/{api}"),
    };
    match text("/metadata/namespace") {
        "" => format!("{api}/{plural}/{}", text("/metadata/name")),
        namespace => format!("{api}/namespaces/{namespace}/{plural}/{}", text("/metadata/name")),
    }
}

/// A call of a run.
pub(crate) fn call() -> Call {
    Call::first(
        "run-1".parse().unwrap(),
        At::forward(&"test/step".parse().unwrap()),
        "cluster".parse().unwrap(),
        "token".into(),
    )
}

#[track_caller]
pub(crate) fn done(outcome: &Outcome) -> String {
    let Outcome::Done { evidence } = outcome else { panic!("{outcome:?}") };
    evidence.0.join("; ")
}

/// Charts of the repository.
pub(crate) fn charts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/charts")
}
