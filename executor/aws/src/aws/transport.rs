//! HTTP for every client: one stack, rustls on ring, and a count of what was sent.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_smithy_http_client::{
    Builder, Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector, http_client_fn,
    },
    orchestrator::HttpRequest,
};

use super::CONNECT;

/// Sends requests and counts them.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    sent: Arc<AtomicU64>,
}

impl Transport {
    pub(super) fn new() -> Self {
        Self { sent: Arc::default() }
    }

    /// What the SDK sends with.
    pub(super) fn client(&self) -> SharedHttpClient {
        let inner = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let sent = Arc::clone(&self.sent);
        http_client_fn(move |settings, components| {
            let connector = inner.http_connector(settings, components);
            SharedHttpConnector::new(Counted { connector, sent: Arc::clone(&sent) })
        })
    }

    /// What the signed client sends with.
    pub(super) fn connector(&self) -> SharedHttpConnector {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        let connector = SharedHttpConnector::new(connector);
        SharedHttpConnector::new(Counted { connector, sent: Arc::clone(&self.sent) })
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Counted {
    connector: SharedHttpConnector,
    sent: Arc<AtomicU64>,
}

impl HttpConnector for Counted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.connector.call(request)
    }
}
