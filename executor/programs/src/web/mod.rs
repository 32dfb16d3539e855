//! HTTP as a port: one request, one answer. No redirect is followed, and no address is called that hands out credentials.

mod address;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Uri};
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
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use switchback_executor::{
    ports::{Certainty, Classify, FailedCall},
    untrusted::text,
};
use switchback_schemas::{
    journal::{Class, Evidence},
    plan::Method,
};
use tower::{BoxError, Service};

/// Bytes of an answer that are read at most.
const LARGEST: usize = 4 << 20;

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct WebRequest {
    /// The method.
    pub method: Method,
    /// The address; `http` or `https`.
    pub url: String,
    /// Headers, which may hold secrets.
    pub headers: Vec<(String, String)>,
    /// JSON that is sent.
    pub json: Option<String>,
    /// How long it may take, in real time.
    pub within: Duration,
}

impl WebRequest {
    /// A GET.
    pub fn get(url: String, within: Duration) -> Self {
        Self { method: Method::Get, url, headers: Vec::new(), json: None, within }
    }

    /// A POST of JSON.
    pub fn post(url: String, json: String, within: Duration) -> Self {
        Self { method: Method::Post, json: Some(json), ..Self::get(url, within) }
    }

    /// The request for a client: to another address than its own, where somebody else hands it on.
    pub fn build<B>(&self, to: &str, body: impl FnOnce(Bytes) -> B) -> Result<Request<B>, WebError> {
        let mut builder =
            Request::builder().method(self.method.as_str()).uri(to).header("user-agent", "switchback");
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        if self.json.is_some() {
            builder = builder.header("content-type", "application/json");
        }
        let json = self.json.clone().map_or_else(Bytes::new, Bytes::from);
        // The error is not repeated: it may hold the value of a header.
        builder
            .body(body(json))
            .map_err(|_| WebError::Address("address or headers cannot be sent".to_owned()))
    }
}

impl fmt::Debug for WebRequest {
    /// Without the values of headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let mut shown = f.debug_struct("WebRequest");
        shown.field("method", &self.method).field("url", &self.url).field("headers", &headers);
        shown.field("json", &self.json).field("within", &self.within).finish()
    }
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
    /// TLS cannot be spoken on this machine.
    #[error("TLS cannot be spoken: {0}")]
    Tls(String),
}

impl Classify for WebError {
    fn classify(&self) -> FailedCall {
        let (certainty, class) = match self {
            Self::Address(_) => (Certainty::NotDone, Class::Refused),
            Self::NotSent(_) | Self::Tls(_) => (Certainty::NotDone, Class::Unreachable),
            Self::Lost(_) => (Certainty::InDoubt, Class::Unreachable),
            Self::Deadline(_) => (Certainty::InDoubt, Class::Deadline),
        };
        FailedCall::new(certainty, class, Evidence::line(self.to_string()))
    }
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
        let provider = rustls::crypto::ring::default_provider();
        let https = match HttpsConnectorBuilder::new().with_provider_and_native_roots(provider.clone()) {
            Ok(https) => https,
            // A machine that trusts nobody can still ask its neighbours over plain HTTP.
            Err(_) => HttpsConnectorBuilder::new().with_tls_config(trusting_nobody(provider)?),
        };
        let https = https.https_or_http().enable_http1().wrap_connector(http);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(https) })
    }
}

fn trusting_nobody(provider: CryptoProvider) -> Result<ClientConfig, WebError> {
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| WebError::Tls(text::line(&error.to_string())))?;
    Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

#[async_trait]
impl Web for HyperWeb {
    async fn send(&self, request: &WebRequest) -> Result<WebAnswer, WebError> {
        let uri: Uri = request.url.parse().map_err(|_| WebError::Address("it is no URL".to_owned()))?;
        address::check(&uri).map_err(WebError::Address)?;
        let http = request.build(&request.url, Full::from)?;
        let answered = async {
            let response = self.client.request(http).await.map_err(|error| match error.is_connect() {
                true => WebError::NotSent(root_cause(&error)),
                false => WebError::Lost(root_cause(&error)),
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
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
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
            let allowed: Vec<_> = found.await?.filter(|found| !address::is_forbidden(found.ip())).collect();
            if allowed.is_empty() {
                return Err("the name leads to no address that may be called".into());
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// Answers one request with these bytes, and tells what was asked.
    async fn answering(bytes: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let n = socket.read(&mut asked).await.unwrap();
            socket.write_all(bytes.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..n]).into_owned()
        });
        (url, served)
    }

    fn request(url: String, post: Option<&str>) -> WebRequest {
        let within = Duration::from_secs(30);
        match post {
            Some(json) => WebRequest::post(url, json.to_owned(), within),
            None => WebRequest::get(url, within),
        }
    }

    #[tokio::test]
    async fn no_redirect_is_followed() {
        let redirect =
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 2\r\n\r\nno";
        let (url, served) = answering(redirect).await;
        let answer = HyperWeb::new().unwrap().send(&request(url, None)).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (302, b"no".as_slice()));
        assert!(served.await.unwrap().starts_with("GET /x HTTP/1.1"));
    }

    #[tokio::test]
    async fn what_is_posted_is_json() {
        let (url, served) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
        let answer = HyperWeb::new().unwrap().send(&request(url, Some("{}"))).await.unwrap();
        assert_eq!(answer.status, 204);
        let asked = served.await.unwrap();
        assert!(asked.contains("content-type: application/json"), "{asked}");
        assert!(asked.ends_with("{}"), "{asked}");
    }

    #[tokio::test]
    async fn headers_are_sent_and_never_shown() {
        let (url, served) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let secret = vec![("authorization".to_owned(), "Bearer canary".to_owned())];
        let asked = WebRequest { method: Method::Head, headers: secret, ..request(url, None) };
        assert_eq!(HyperWeb::new().unwrap().send(&asked).await.unwrap().status, 200);
        let sent = served.await.unwrap();
        assert!(sent.starts_with("HEAD /x") && sent.contains("authorization: Bearer canary"), "{sent}");
        assert!(!format!("{asked:?}").contains("canary"));
        let broken = WebRequest { headers: vec![("x".to_owned(), "canary\n".to_owned())], ..asked };
        let error = HyperWeb::new().unwrap().send(&broken).await.unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[tokio::test]
    async fn a_broken_connection_and_none_at_all_are_told_apart() {
        let (url, served) = answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort").await;
        let web = HyperWeb::new().unwrap();
        assert!(matches!(web.send(&request(url.clone(), None)).await, Err(WebError::Lost(_))));
        served.await.unwrap();
        assert!(matches!(web.send(&request(url, None)).await, Err(WebError::NotSent(_))));
        let metadata = request("http://169.254.169.254/latest".to_owned(), None);
        assert!(matches!(web.send(&metadata).await, Err(WebError::Address(_))));
    }
}
