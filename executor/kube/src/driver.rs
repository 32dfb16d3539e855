//! The driver: all that an API server answers.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use switchback_executor::ports::{Call, Capturing, Classify as _, Failure, Kube, Look, Member};
use switchback_schemas::{
    journal::{Evidence, Outcome, Verdict},
    name::ObjectName,
    plan::{BoundObject, KubeCapture, KubeCondition, KubeEffect, Proof, Roll},
};

use crate::{
    api::{Reader, Writer},
    candidates, captures, census, conditions,
    connect::{self, ConnectError},
    effects,
    nodes::kube_system_uid,
    release_backup, release_records,
};

/// How long one request may take. Lists of thousands of objects come in pages, so no single request is long.
pub const IO_DEADLINE: Duration = Duration::from_mins(1);

/// How long a request about the claim on the platform may take. A process that takes a run over waits longer than this, and than a
/// check is believed, so that the other has stopped by then.
pub(crate) const CLAIM_DEADLINE: Duration = Duration::from_secs(30);

/// Speaks to one API server.
///
/// It keeps nothing between calls and retries nothing. A request that is not answered in time is in doubt when it writes
/// and unreadable when it reads.
#[derive(Clone)]
pub struct KubeDriver {
    api: Writer,
}

impl KubeDriver {
    /// For a context of a kubeconfig; the current one when none is named.
    pub async fn connect(kubeconfig: &Path, context: Option<&str>) -> Result<Self, ConnectError> {
        Ok(Self::over(connect::client(kubeconfig, context).await?))
    }

    /// Over a client, such as one of an in-process service.
    pub fn over(client: kube::Client) -> Self {
        Self::with_deadline(client, IO_DEADLINE)
    }

    /// The same with another deadline for each request.
    pub fn with_deadline(client: kube::Client, deadline: Duration) -> Self {
        Self { api: Writer::new(Reader::new(client, deadline)) }
    }
}

#[async_trait]
impl Kube for KubeDriver {
    async fn apply(&self, call: &Call, effect: &KubeEffect<Value, BoundObject>) -> Outcome {
        effects::apply(&self.api, call, effect).await
    }

    async fn check(&self, call: &Call, condition: &KubeCondition<Value, BoundObject>) -> Verdict {
        conditions::check(&self.api.read, call, condition).await
    }

    async fn capture(&self, what: &KubeCapture<BoundObject>) -> Result<Capturing, Failure> {
        captures::capture(&self.api.read, what).await
    }

    async fn members(&self, call: &Call, roll: &Roll) -> Result<Vec<Member>, Failure> {
        candidates::members(&self.api.read, call, roll).await
    }

    async fn census(&self) -> Result<Look, Failure> {
        census::look(&self.api.read).await.map_err(|error| error.failure())
    }

    async fn keep_release(
        &self,
        call: &Call,
        release: &ObjectName,
        revision: u64,
    ) -> Result<Evidence, Failure> {
        release_backup::keep(&self.api, call, release, revision).await
    }

    async fn detach_release(&self, _: &Call, release: &ObjectName, detached: bool) -> Outcome {
        release_records::detach(&self.api, release, detached).await.unwrap_or_else(|error| error.of_write())
    }

    async fn proof(&self) -> Result<Proof, Failure> {
        shown(&self.api.read).await
    }
}

async fn shown(api: &Reader) -> Result<Proof, Failure> {
    let uid = kube_system_uid(api).await.map_err(|error| error.failure())?;
    Ok(Proof::KubeSystem { uid })
}
