//! Services of the cluster, reached through its API server.
//!
//! A runner outside of the cluster cannot resolve `http://mlflow.mlops.svc:5000`; the API server can, and it asks on behalf of
//! who may `get` `services/proxy` (kubernetes.io, "Access Services Running on Clusters", read 2026-11-20).

use std::sync::Arc;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use switchback_model::service::Service;
use switchback_programs::{Web, WebAnswer, WebError, WebRequest};

/// Bytes of an answer that are read at most.
const LARGEST: usize = 4 << 20;

/// HTTP that goes to services of the cluster through the API server, and to everything else as it is.
pub(crate) struct ClusterWeb {
    outside: Arc<dyn Web>,
    client: kube::Client,
}

impl ClusterWeb {
    pub(crate) fn new(outside: Arc<dyn Web>, client: kube::Client) -> Self {
        Self { outside, client }
    }

    async fn ask(&self, request: &WebRequest, service: &Service) -> Result<WebAnswer, WebError> {
        let lost = |error: &dyn std::fmt::Display| WebError::Lost(error.to_string());
        // The API server hands the Host header on. Servers that look at it (MLflow does) shall see what their clients send.
        let host = service.host.parse().map_err(|_| WebError::Address("it names no host".to_owned()))?;
        let mut asked = request.build(&path(service), |json| Body::from(json.to_vec()))?;
        asked.headers_mut().insert(http::header::HOST, host);
        let answer = self.client.send(asked).await.map_err(|error| lost(&error))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|error| lost(&error))?;
        Ok(WebAnswer { status, body: body.to_bytes().to_vec() })
    }
}

#[async_trait]
impl Web for ClusterWeb {
    async fn send(&self, request: &WebRequest) -> Result<WebAnswer, WebError> {
        let Some(service) = Service::of_url(&request.url) else {
            return self.outside.send(request).await;
        };
        let answered = tokio::time::timeout(request.within, self.ask(request, &service)).await;
        let answer = answered.map_err(|_| WebError::Deadline(request.within.as_secs()))??;
        // The API server's own words, not the service's: nothing was asked.
        match (answer.status, from_api_server(&answer.body)) {
            (401 | 403 | 503, Some(said)) => Err(WebError::NotSent(said)),
            _ => Ok(answer),
        }
    }
}

/// What the API server said instead of a service, if it did.
fn from_api_server(body: &[u8]) -> Option<String> {
    let status: serde_json::Value = serde_json::from_slice(body).ok()?;
    (status.get("kind")?.as_str()? == "Status").then_some(())?;
    Some(status.get("message")?.as_str()?.to_owned())
}

/// The path of a Service's proxy at the API server.
fn path(Service { namespace, name, path, .. }: &Service) -> String {
    format!("/api/v1/namespaces/{namespace}/services/{name}/proxy/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_services_of_the_cluster_go_through_the_api_server() {
        let to = |url: &str| Service::of_url(url).map(|service| path(&service));
        let at = |rest: &str| Some(format!("/api/v1/namespaces/mlops/services/{rest}"));
        let host = Service::of_url("http://mlflow.mlops.svc:5000/version").map(|service| service.host);
        assert_eq!(host.as_deref(), Some("mlflow.mlops.svc:5000"), "what a client in the cluster sends");
        assert_eq!(to("http://mlflow.mlops.svc:5000/version"), at("mlflow:5000/proxy/version"));
        assert_eq!(to("http://mlflow.mlops.svc.cluster.local/a/b?c=d"), at("mlflow/proxy/a/b?c=d"));
        assert_eq!(to("https://mlflow.mlops.svc:8443/"), at("https:mlflow:8443/proxy/"));
        for outside in [
            "http://mlflow.example.com/version",
            "http://svc/",
            "http://a.b.c.svc/",
            "http://.mlops.svc/",
            "http://x.mlops.svc@evil/",
            "http://../x.svc/",
            "mlflow.mlops.svc",
        ] {
            assert_eq!(to(outside), None, "{outside}");
        }
    }

    #[test]
    fn an_answer_of_the_api_server_is_told_from_that_of_a_service() {
        let status = br#"{"kind":"Status","status":"Failure","message":"no endpoints available for service \"mlflow\"","code":503}"#;
        assert_eq!(from_api_server(status).as_deref(), Some("no endpoints available for service \"mlflow\""));
        assert_eq!(from_api_server(b"3.8.1"), None);
        assert_eq!(from_api_server(br#"{"kind":"Pod"}"#), None);
    }
}
