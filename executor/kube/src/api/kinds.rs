//! From a kind to the path that serves it.

use std::{collections::BTreeMap, sync::Arc};

use switchback_schemas::name::ObjectRef;
use tokio::sync::{Mutex, OnceCell};

use super::classify::CallError;
use super::{
    Reader,
    discovery::{Resources, split},
};

/// A kind as a version of the API serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Empty for the core group.
    pub(crate) group: String,
    /// The version.
    pub(crate) version: String,
    /// The kind.
    pub(crate) kind: String,
    /// Its plural, as it stands in paths.
    pub(crate) plural: String,
    /// Whether its objects live in namespaces.
    pub(crate) namespaced: bool,
}

impl Resource {
    /// Group and version.
    pub(crate) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// Kinds that every supported API server serves like this, so that nothing has to be asked.
const BUILT_IN: [(&str, &str, &str, bool); 18] = [
    ("v1", "Node", "nodes", false),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Pod", "pods", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Service", "services", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("apps/v1", "ReplicaSet", "replicasets", true),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("apps/v1", "DaemonSet", "daemonsets", true),
    ("batch/v1", "Job", "jobs", true),
    ("batch/v1", "CronJob", "cronjobs", true),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", true),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        false,
    ),
    (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        false,
    ),
];

/// Resources of one group and version, by kind; absent when the version is not served.
type Served = Option<Arc<Resources>>;

/// Finds the resources of kinds. Lives as long as one call of a driver or one observation, so it never goes stale.
pub(crate) struct Kinds<'api> {
    reader: &'api Reader,
    asked: Mutex<BTreeMap<String, Served>>,
    groups: OnceCell<Vec<String>>,
}

impl<'api> Kinds<'api> {
    pub(crate) fn new(reader: &'api Reader) -> Self {
        Self { reader, asked: Mutex::default(), groups: OnceCell::new() }
    }

    /// One of the kinds that are always there.
    pub(crate) fn built_in(api_version: &str, kind: &str) -> Option<Resource> {
        let (_, _, plural, namespaced) =
            BUILT_IN.iter().find(|(version, name, ..)| *version == api_version && *name == kind)?;
        let (group, version) = split(api_version);
        Some(Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: (*plural).to_owned(),
            namespaced: *namespaced,
        })
    }

    /// The resource of a kind; `None` when the API server does not serve it in this version, by two looks.
    pub(crate) async fn find(&self, api_version: &str, kind: &str) -> Result<Option<Resource>, CallError> {
        if let Some(resource) = Self::built_in(api_version, kind) {
            return Ok(Some(resource));
        }
        let served = match self.served(api_version).await {
            Err(CallError::Odd(_)) => return self.reader.once_more(api_version, kind).await,
            served => served?,
        };
        match &served {
            Some(resources) if resources.contains_key(kind) => Ok(resources.get(kind).cloned()),
            // Its path and the list of all groups are two answers already.
            None if !self.groups().await?.iter().any(|api| api == api_version) => Ok(None),
            _ => self.reader.once_more(api_version, kind).await,
        }
    }

    /// Every group and version that is served, asked for once.
    async fn groups(&self) -> Result<&[String], CallError> {
        self.groups.get_or_try_init(|| Box::pin(self.reader.served())).await.map(Vec::as_slice)
    }

    /// Every resource of a group and version; none when it is not served.
    pub(crate) async fn all(&self, api_version: &str) -> Result<Vec<Resource>, CallError> {
        let served = self.served(api_version).await?;
        Ok(served.iter().flat_map(|served| served.values().cloned()).collect())
    }

    async fn served(&self, api_version: &str) -> Result<Served, CallError> {
        let mut asked = self.asked.lock().await;
        if let Some(served) = asked.get(api_version) {
            return Ok(served.clone());
        }
        let served = self.reader.resources(api_version).await?.map(Arc::new);
        asked.insert(api_version.to_owned(), served.clone());
        Ok(served)
    }

    /// The resource of an object's kind; an error when it is not served.
    pub(crate) async fn of(&self, object: &ObjectRef) -> Result<Resource, CallError> {
        let found = self.find(&object.api_version, &object.kind).await?;
        found.ok_or_else(|| CallError::NotServed {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_are_always_there_need_no_asking() {
        assert_eq!(Kinds::built_in("v1", "Node").unwrap().api_version(), "v1");
        assert_eq!(Kinds::built_in("apps/v1beta1", "Deployment"), None);
    }
}
