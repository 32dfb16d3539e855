//! The claim on a platform, as a Lease of fixed name on its cluster.
//!
//! The name does not depend on manifests, so whatever a platform is called in two repositories, there is one claim on it. The Lease
//! also says of which cluster it is: one that was restored with a backup of another cluster claims nothing.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use switchback_executor::{
    ports::{ClaimPort, Classify as _, Failure, KeptClaim, PlatformClaim},
    untrusted::text::{identity, line},
};
use switchback_model::journal::Head;
use switchback_schemas::{Digest, RunId, journal::Evidence};
use tokio::sync::OnceCell;

use crate::{
    api::{MANAGER, Reader, Resource, Sought, Writer, object_path, query_path},
    classify::CallError,
    driver::CLAIM_DEADLINE,
    fields::text,
    nodes::{built_in, kube_system_uid},
};

/// The namespace of the Lease: one that every cluster has and nobody deletes.
pub const CLAIM_NAMESPACE: &str = "kube-system";
/// The name of the Lease.
pub const CLAIM_NAME: &str = "switchback";

/// The state of a claim whose run is over.
const ENDED: &str = "ended";

/// The claim on the platform of one API server.
pub struct LeaseClaim {
    api: Writer,
    cluster: OnceCell<String>,
}

impl LeaseClaim {
    /// On the cluster of a client.
    pub fn over(client: kube::Client) -> Self {
        Self { api: Writer::new(Reader::new(client, CLAIM_DEADLINE)), cluster: OnceCell::new() }
    }

    async fn cluster(&self) -> Result<&String, CallError> {
        self.cluster.get_or_try_init(|| kube_system_uid(&self.api.read)).await
    }

    async fn lease(&self, claim: &PlatformClaim) -> Result<Value, CallError> {
        let cluster = self.cluster().await?;
        Ok(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": CLAIM_NAME, "namespace": CLAIM_NAMESPACE,
                "labels": {"app.kubernetes.io/managed-by": MANAGER},
                "annotations": {
                    "switchback.dev/cluster": cluster,
                    "switchback.dev/run": claim.run.as_str(),
                    "switchback.dev/plan": claim.plan.to_string(),
                    "switchback.dev/store": claim.store,
                    "switchback.dev/journal": format!("{} {}", claim.anchor.next, claim.anchor.prev),
                    "switchback.dev/state": if claim.ended { ENDED } else { "held" },
                }},
            "spec": {"holderIdentity": claim.holder, "leaseTransitions": claim.epoch,
                "acquireTime": micros(claim.since), "renewTime": micros(claim.renewed)}}))
    }
}

#[async_trait]
impl ClaimPort for LeaseClaim {
    async fn read(&self) -> Result<Option<KeptClaim>, Failure> {
        let read = async {
            let kind = kind()?;
            let Some(lease) = self.api.read.look(sought(&kind)).await? else { return Ok(None) };
            Ok(Some(kept(&lease, self.cluster().await?)))
        };
        read.await.map_err(|error: CallError| told(&error))
    }

    async fn write(
        &self,
        expected: Option<&KeptClaim>,
        claim: &PlatformClaim,
    ) -> Result<Option<KeptClaim>, Failure> {
        let write = async {
            let mut lease = self.lease(claim).await?;
            let manager = [("fieldManager", MANAGER)];
            let written = match expected {
                None => self.api.post(&query_path(&path(None)?, &manager), &lease).await,
                Some(expected) => {
                    if let Some(metadata) = lease.pointer_mut("/metadata").and_then(Value::as_object_mut) {
                        metadata.insert("resourceVersion".to_owned(), json!(expected.version));
                    }
                    self.api.put(&query_path(&path(Some(CLAIM_NAME))?, &manager), &lease).await
                }
            };
            match written {
                Ok(lease) => Ok(Some(kept(&lease, self.cluster().await?))),
                // It was made, written or deleted in between.
                Err(error) if error.is_conflict() || sought(&kind()?).is_gone(&error) => Ok(None),
                Err(error) => Err(error),
            }
        };
        write.await.map_err(|error: CallError| told(&error))
    }
}

fn kind() -> Result<Resource, CallError> {
    built_in("coordination.k8s.io/v1", "Lease")
}

fn sought(kind: &Resource) -> Sought<'_> {
    Sought::new(kind, Some(CLAIM_NAMESPACE), CLAIM_NAME)
}

fn path(name: Option<&str>) -> Result<String, CallError> {
    object_path(&kind()?, Some(CLAIM_NAMESPACE), name, None)
}

fn told(error: &CallError) -> Failure {
    let Failure { class, evidence } = error.failure();
    let about = line(&format!("Lease {CLAIM_NAMESPACE}/{CLAIM_NAME}, which says whose platform it is"));
    Failure { class, evidence: Evidence(std::iter::once(about).chain(evidence.0).collect()) }
}

fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// What a Lease claims; nothing where it is another cluster's, or says what no release of this program writes.
fn kept(lease: &Value, cluster: &str) -> KeptClaim {
    let version = text(lease, "/metadata/resourceVersion").to_owned();
    let of = |key: &str| text(lease, &format!("/metadata/annotations/switchback.dev~1{key}"));
    let claim = || {
        let (next, prev) = of("journal").split_once(' ')?;
        Some(PlatformClaim {
            run: RunId::new(of("run").to_owned()).ok()?,
            plan: of("plan").parse::<Digest>().ok()?,
            epoch: lease.pointer("/spec/leaseTransitions")?.as_u64()?,
            holder: identity(text(lease, "/spec/holderIdentity")),
            store: identity(of("store")),
            since: text(lease, "/spec/acquireTime").parse().ok()?,
            renewed: text(lease, "/spec/renewTime").parse().ok()?,
            anchor: Head { next: next.parse().ok()?, prev: prev.to_owned() },
            ended: of("state") == ENDED,
        })
    };
    let claim = if of("cluster") == cluster { claim() } else { None };
    KeptClaim { claim, version }
}
