//! The one client that rows speak through: a method, a path, a body; a status and JSON back.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use switchback_twin::{Twin, World};

pub(crate) mod answer;
pub(crate) mod beside;
pub(crate) mod objects;
pub(crate) mod programs;

pub(crate) use answer::Answer;

/// Where the definitions of custom resources are.
pub(crate) const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Kinds of patches.
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// A server under test.
pub(crate) struct Server {
    client: Client,
    pub(crate) twin: Option<Twin>,
    /// A namespace of the row's own.
    pub(crate) ns: String,
    /// A prefix for names outside namespaces.
    pub(crate) id: String,
    /// Something could not be run: the row does not count as passed.
    pub(crate) partial: AtomicBool,
    /// Where a controller's own program works: a control plane of the row's own.
    own: Option<beside::Own>,
}

pub(crate) fn env(name: &str) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the suite is told by its environment where the cluster is"
    )]
    std::env::var(name).ok().filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// Says something that the test harness does not swallow.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "contract: {text}");
}

fn kubeconfig() -> PathBuf {
    env("SWITCHBACK_KUBECONFIG").expect("SWITCHBACK_KUBECONFIG names a cluster (see tests/cluster)")
}

impl Server {
    /// The twin, in process.
    pub(crate) async fn twin(row: &str) -> Self {
        let start = "2026-11-20T10:00:00Z".parse().expect("an instant");
        let twin = Twin::new(World::new(start));
        twin.advance_by(Duration::from_secs(1));
        let client = Client::new(twin.kube(), "default");
        Self::ready(client, Some(twin), row).await
    }

    /// The real server.
    pub(crate) async fn real(row: &str) -> Self {
        let client = Client::try_from(config(&kubeconfig()).await).expect("a client");
        Self::ready(client, None, row).await
    }

    async fn ready(client: Client, twin: Option<Twin>, row: &str) -> Self {
        let row: String = row.replace('_', "-").chars().take(34).collect();
        // What an earlier run left behind on a real server is not in the way.
        let id = match &twin {
            Some(_) => row.trim_end_matches('-').to_owned(),
            None => format!("{}-{:x}", row.trim_end_matches('-'), std::process::id()),
        };
        let ns = format!("c-{id}");
        let server = Self { client, twin, ns, id, partial: AtomicBool::new(false), own: None };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": server.ns}});
        server.post("/api/v1/namespaces", &namespace).await.expect(201);
        // Two controllers make what every namespace has.
        for made in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
            server.wait(&format!("/api/v1/namespaces/{}/{made}", server.ns), 60, |_| true).await;
        }
        server
    }

    /// The same server for the holder of a token.
    pub(crate) async fn as_token(&self, token: &str) -> Self {
        let client = if let Some(twin) = &self.twin {
            Client::new(Bearer(twin.kube(), token.to_owned()), "default")
        } else {
            let mut config = config(&kubeconfig()).await;
            config.auth_info = kube::config::AuthInfo::default();
            config.auth_info.token = Some(token.to_owned().into());
            Client::try_from(config).expect("a client")
        };
        Self {
            client,
            twin: self.twin.clone(),
            ns: self.ns.clone(),
            id: self.id.clone(),
            partial: AtomicBool::new(false),
            own: None,
        }
    }

    /// Ends a row: cleans up, and notes that it passed.
    pub(crate) async fn done(&self, name: &str) {
        self.delete(&format!("/api/v1/namespaces/{}", self.ns)).await;
        if !self.partial.load(Ordering::Relaxed) {
            crate::readme::passed(name);
        }
    }

    /// A call.
    pub(crate) async fn call(&self, method: &str, path: &str, kind: &str, body: Option<&Value>) -> Answer {
        let bytes = body.map(|b| b.to_string().into_bytes()).unwrap_or_default();
        let mut request = http::Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header("content-type", kind);
        }
        self.send(request.body(Body::from(bytes)).expect("a request")).await
    }

    async fn send(&self, request: http::Request<Body>) -> Answer {
        let of = format!("{} {}", request.method(), request.uri());
        let response = self.client.send(request).await.unwrap_or_else(|e| panic!("{of}: {e}"));
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Answer::new(&of, &parts, &bytes)
    }

    /// Reads a path in one of the forms that the server offers.
    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Answer {
        let request = http::Request::get(path).header("accept", accept);
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, "application/json", Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, "application/json", Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, kind: &str, body: &Value) -> Answer {
        self.call("PATCH", path, kind, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, "", None).await
    }

    pub(crate) async fn delete_with(&self, path: &str, options: &Value) -> Answer {
        self.call("DELETE", path, "application/json", Some(options)).await
    }

    /// Lets a moment pass: on the twin its clock moves, a real server is waited for.
    pub(crate) async fn moment(&self) {
        match &self.twin {
            Some(twin) => twin.advance_by(Duration::from_millis(100)),
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }

    /// Asks until the object is there and fits.
    pub(crate) async fn wait(&self, path: &str, seconds: u32, fits: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..seconds * 10 {
            let answer = self.get(path).await;
            if answer.status == 200 && fits(&answer.body) {
                return answer.body;
            }
            last = answer.body;
            self.moment().await;
        }
        panic!("{path}: not within {seconds} s, last seen: {last:#}");
    }

    /// Asks until it is gone.
    pub(crate) async fn wait_gone(&self, path: &str, seconds: u32) {
        let mut last = Value::Null;
        for _ in 0..seconds * 10 {
            let answer = self.get(path).await;
            if answer.status == 404 {
                return;
            }
            last = answer.body;
            self.moment().await;
        }
        panic!("{path}: still there after {seconds} s: {:#}", json!([last["metadata"], last["status"]]));
    }

    /// Everything a watch says until it ends by itself after `seconds`.
    pub(crate) async fn watch(&self, path: &str, seconds: u32) -> Vec<Value> {
        let join = if path.contains('?') { '&' } else { '?' };
        let uri = format!("{path}{join}watch=true&timeoutSeconds={seconds}");
        let request = http::Request::get(uri).body(Body::empty()).expect("a request");
        let response = self.client.send(request).await.expect("a watch");
        assert_eq!(response.status(), 200, "{path}");
        if let Some(twin) = &self.twin {
            twin.advance_by(Duration::from_secs(u64::from(seconds)));
        }
        let bytes = response.into_body().collect().await.expect("events").to_bytes();
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")))
            .collect()
    }
}

async fn config(path: &std::path::Path) -> Config {
    let kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
    config.default_retry = false;
    config
}

/// Puts a token on every request.
#[derive(Clone)]
struct Bearer<S>(S, String);

impl<S: tower::Service<http::Request<Body>>> tower::Service<http::Request<Body>> for Bearer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let value = format!("Bearer {}", self.1).parse().expect("a header");
        request.headers_mut().insert(http::header::AUTHORIZATION, value);
        self.0.call(request)
    }
}
