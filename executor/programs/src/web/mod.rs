//! HTTP as a port: one request, one answer. No redirect is followed, and no address is called that hands out credentials.

mod address;

use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::TokioExecutor,
};
use switchback_executor::foreign::text;
use tower::{BoxError, Service};

/// Bytes of an answer that are read at most.
const LARGEST: usize = 4 << 20;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRequest {
    /// The address; `http` or `https`.
    pub url: String,
    /// JSON to be posted; a GET when there is none.
    pub post: Option<String>,
    /// How long it may take, in real time.
    pub within: Duration,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer. The address is not repeated: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// An address that is none, or that must not be called.
    #[error("the address cannot be called: {0}")]
    Address(String),
    /// No connection was made, so nothing was sent.
    #[error("no connection could be made: {0}")]
    NotSent(String),
    /// The connection broke after the request may have left.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// No answer in time.
    #[error("no answer within {0} s")]
    Deadline(u64),
    /// There are no trusted certificates on this machine.
    #[error("no trusted certificates were found on this machine: {0}")]
    NoRoots(String),
}

/// Sends requests.
#[async_trait]
pub trait Web: Send + Sync {
    /// Sends one request.
    async fn send(&self, request: &WebRequest) -> Result<WebAnswer, WebError>;
}

/// HTTP over sockets, with the certificates that this machine trusts.
#[derive(Clone)]
pub struct HyperWeb {
    client: Client<HttpsConnector<HttpConnector<Guarded>>, Full<Bytes>>,
}

impl HyperWeb {
    /// A client; nothing is sent.
    pub fn new() -> Result<Self, WebError> {
        let mut http = HttpConnector::new_with_resolver(Guarded(GaiResolver::new()));
        http.enforce_http(false);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots((*provider).clone())
            .map_err(|error| WebError::NoRoots(text::line(&error.to_string())))?;
        let https = https.https_or_http().enable_http1().wrap_connector(http);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(https) })
    }
}

#[async_trait]
impl Web for HyperWeb {
    async fn send(&self, request: &WebRequest) -> Result<WebAnswer, WebError> {
        let uri: Uri = request.url.parse().map_err(|_| WebError::Address("it is no URL".to_owned()))?;
        address::check(&uri).map_err(WebError::Address)?;
        let builder = Request::builder().uri(uri).header("user-agent", "switchback");
        let http = match &request.post {
            Some(json) => builder
                .method(Method::POST)
                .header("content-type", "application/json")
                .body(Full::from(json.clone())),
            None => builder.method(Method::GET).body(Full::default()),
        };
        let http = http.map_err(|_| WebError::Address("it is no URL".to_owned()))?;
        let answered = async {
            let response = self.client.request(http).await.map_err(|error| match error.is_connect() {
                true => WebError::NotSent(chain(&error)),
                false => WebError::Lost(chain(&error)),
            })?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| WebError::Lost(text::line(&error.to_string())))?;
            Ok(WebAnswer { status, body: body.to_bytes().to_vec() })
        };
        match tokio::time::timeout(request.within, answered).await {
            Ok(answered) => answered,
            Err(_) => Err(WebError::Deadline(request.within.as_secs())),
        }
    }
}

/// The last cause of an error; the ones above only wrap it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    text::line(&last.to_string())
}

/// Resolves names, and leaves out addresses that must not be called.
#[derive(Clone)]
struct Guarded(GaiResolver);

impl Service<Name> for Guarded {
    type Response = std::vec::IntoIter<std::net::SocketAddr>;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.0.call(name);
        Box::pin(async move {
            let allowed: Vec<_> = found.await?.filter(|found| !is_forbidden(found.ip())).collect();
            if allowed.is_empty() {
                return Err("the name leads to no address that may be called".into());
            }
            Ok(allowed.into_iter())
        })
    }
}

fn is_forbidden(ip: IpAddr) -> bool {
    address::is_forbidden(ip)
}
