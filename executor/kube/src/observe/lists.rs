//! The lists that an observation is made of, each read once.

use serde_json::Value;
use switchback_executor::untrusted::text;
use switchback_schemas::inventory::{Subject, Unread};

use crate::{
    api::{Kinds, Query, Reader, Resource},
    claims::{self, Claim},
    classify::CallError,
    conditions::stored::{CRD_KIND, CRD_VERSION},
    nodes::built_in,
};

/// Built-in controllers of pods.
const CONTROLLERS: [(&str, &str); 5] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
];

/// Objects as they were listed, and what could not be.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) nodes: Vec<Value>,
    pub(super) pods: Vec<Value>,
    /// Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs.
    pub(super) workloads: Vec<Value>,
    pub(super) budgets: Vec<Value>,
    /// Secrets that hold Helm's releases.
    pub(super) releases: Vec<Value>,
    pub(super) crds: Vec<Value>,
    /// Validating and mutating webhook configurations.
    pub(super) webhooks: Vec<Value>,
    /// What could not be read.
    pub(super) unread: Vec<Unread>,
}

impl Lists {
    pub(super) async fn read(reader: &Reader, kinds: &Kinds<'_>) -> Self {
        let mut lists = Self::default();
        lists.nodes = lists.list(reader, kinds, ("v1", "Node"), &Query::all()).await;
        lists.pods = lists.list(reader, kinds, ("v1", "Pod"), &Query::all()).await;
        for controller in CONTROLLERS {
            let found = lists.list(reader, kinds, controller, &Query::all()).await;
            lists.workloads.extend(found);
        }
        let budgets = ("policy/v1", "PodDisruptionBudget");
        lists.budgets = lists.list(reader, kinds, budgets, &Query::all()).await;
        let of_helm = Query { labels: Some("owner=helm".to_owned()), ..Query::all() };
        lists.releases = lists.list(reader, kinds, ("v1", "Secret"), &of_helm).await;
        lists.crds = lists.list(reader, kinds, (CRD_VERSION, CRD_KIND), &Query::all()).await;
        for kind in ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] {
            let kind = ("admissionregistration.k8s.io/v1", kind);
            let found = lists.list(reader, kinds, kind, &Query::all()).await;
            lists.webhooks.extend(found);
        }
        lists
    }

    /// All objects of a kind; none, and a line under `unread`, when they cannot be listed.
    pub(super) async fn list(
        &mut self,
        reader: &Reader,
        kinds: &Kinds<'_>,
        (api_version, kind): (&str, &str),
        query: &Query,
    ) -> Vec<Value> {
        let listed = async {
            let resource = match kinds.find(api_version, kind).await? {
                Some(resource) => resource,
                None => built_in(api_version, kind)?,
            };
            reader.list(&resource, query).await
        };
        let what = Subject::Objects { api_version: api_version.to_owned(), kind: kind.to_owned() };
        listed.await.unwrap_or_else(|error| self.missing(what, &error))
    }

    /// All objects of a resource.
    pub(super) async fn list_resource(&mut self, reader: &Reader, resource: &Resource) -> Vec<Value> {
        let what = Subject::Objects { api_version: resource.api_version(), kind: resource.kind.clone() };
        reader.list(resource, &Query::all()).await.unwrap_or_else(|error| self.missing(what, &error))
    }

    /// All NodeClaims.
    pub(super) async fn claims(&mut self, reader: &Reader, kinds: &Kinds<'_>) -> Vec<Claim> {
        claims::all(reader, kinds)
            .await
            .unwrap_or_else(|error| self.missing(claims::subject("NodeClaim"), &error))
    }

    /// Notes that something could not be read, and goes on without it.
    pub(super) fn missing<T: Default>(&mut self, what: impl Into<Subject>, error: &CallError) -> T {
        self.note(what, &error.to_string());
        T::default()
    }

    /// Notes that something could not be read.
    pub(super) fn note(&mut self, what: impl Into<Subject>, why: &str) {
        let what = match what.into() {
            Subject::Other(what) => Subject::Other(text::line(&what)),
            known => known,
        };
        self.unread.push(Unread { what, why: text::line(why) });
    }
}
