//! A served twin and a client that signs like an SDK does, without a secret that anybody checks.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use switchback_twin::{Clocking, Handle, Twin, World, serve};

pub(crate) const CLUSTER: &str = "mlops-platform-dev";

pub(crate) struct Scene {
    pub(crate) twin: Twin,
    handle: Handle,
    /// Access key, and the session token of temporary credentials.
    pub(crate) key: (String, Option<String>),
}

/// An answer: status, error type, body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) error: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// Text of the first element of a name.
    pub(crate) fn element(&self, name: &str) -> &str {
        let (_, rest) =
            self.text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {}", self.text));
        rest.split_once(&format!("</{name}>")).unwrap().0
    }
}

pub(crate) fn world() -> World {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/mlops-platform.yaml");
    World::open(&path).unwrap()
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::of(world()).await
    }

    pub(crate) async fn of(world: World) -> Self {
        let twin = Twin::new(world);
        let handle = serve(&twin, "127.0.0.1:0".parse().unwrap(), Clocking::Manual).await.unwrap();
        Self { twin, handle, key: ("AKIATEST".into(), None) }
    }

    pub(crate) fn root(&self) -> String {
        format!("http://{}", self.handle.addr)
    }

    pub(crate) fn minutes(&self, n: u64) {
        self.twin.advance_by(Duration::from_mins(n));
    }

    async fn send(
        &self,
        service: &str,
        method: &str,
        path: &str,
        kind: &str,
        body: String,
    ) -> Result<Answer, String> {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let scope = format!("Credential={}/20261120/eu-west-1/{service}/aws4_request", self.key.0);
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.root()))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature=00"),
            )
            .header("x-amz-date", "20261120T100000Z")
            .header("content-type", kind);
        if let Some(token) = &self.key.1 {
            request = request.header("x-amz-security-token", token);
        }
        let response =
            client.request(request.body(Full::new(body.into())).unwrap()).await.map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let error = response.headers().get("x-amzn-errortype").map(|v| v.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let code =
            text.split_once("<Code>").and_then(|(_, r)| r.split_once("</Code>")).map(|(c, _)| c.to_owned());
        Ok(Answer { status, error: error.or(code).unwrap_or_default(), text })
    }

    /// A call of EKS.
    pub(crate) async fn try_eks(&self, method: &str, path: &str, body: Value) -> Result<Answer, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("eks", method, path, "application/json", body).await
    }

    pub(crate) async fn eks(&self, method: &str, path: &str, body: Value) -> Answer {
        self.try_eks(method, path, body).await.unwrap()
    }

    /// A read of EKS that has to be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.eks("GET", path, Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// A call of a service that takes a form.
    pub(crate) async fn form(&self, service: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = format!("Action={action}&Version=2014-10-31");
        for (name, value) in fields {
            let value: String =
                value
                    .bytes()
                    .map(|b| {
                        if b.is_ascii_alphanumeric() {
                            char::from(b).to_string()
                        } else {
                            format!("%{b:02X}")
                        }
                    })
                    .collect();
            body.extend(["&", name, "=", &value]);
        }
        self.send(service, "POST", "/", "application/x-www-form-urlencoded", body).await.unwrap()
    }

    /// An update of the cluster, a node group or an add-on.
    pub(crate) async fn update(&self, id: &str, of: &str) -> Value {
        self.get(&format!("/clusters/{CLUSTER}/updates/{id}{of}")).await["update"].clone()
    }

    /// A read of the Kubernetes face.
    pub(crate) async fn kube(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let mut request = http::Request::get(format!("{}{path}", self.root()));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = client.request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}
