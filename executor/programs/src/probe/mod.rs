//! Probes: the conditions `http` and `prometheus`, and what a query says before something changes.
//!
//! What cannot be reached is unknown, never a failure: a runner without a network must not roll anything back.

mod http;
mod prometheus;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use switchback_executor::ports::{Capturing, Failure, Probes};
use switchback_schemas::{
    journal::Verdict,
    plan::{PromQuery, WebCondition},
};

use crate::{Lookup, web::Web};

/// How long one request may take. A model may think for a while.
const WITHIN: Duration = Duration::from_secs(30);

/// Asks HTTP endpoints and Prometheus.
pub struct ProbeDriver {
    web: Arc<dyn Web>,
    lookup: Lookup,
}

impl ProbeDriver {
    /// Over a client; `lookup` reads the executor's environment.
    pub fn new(web: Arc<dyn Web>, lookup: Lookup) -> Self {
        Self { web, lookup }
    }
}

#[async_trait]
impl Probes for ProbeDriver {
    async fn check(&self, condition: &WebCondition<Value>) -> Verdict {
        match condition {
            WebCondition::Http { request, status, contains, json } => {
                let wanted = http::Wanted { status: *status, contains: contains.as_deref(), json };
                self.http(request, &wanted).await
            }
            WebCondition::Prometheus { query, is, missing } => self.prometheus(query, is, *missing).await,
        }
    }

    async fn capture(&self, query: &PromQuery) -> Result<Capturing, Failure> {
        self.baseline(query).await
    }
}
