//! Which kinds the twin knows: a table for the built-in ones, and whatever CRDs are in the world.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

#[cfg(test)]
use serde_json::Value;

mod cause;
pub(crate) mod crd;
pub(crate) mod schema;

pub(crate) use cause::Cause;
use schema::Schema;

/// One served kind.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "Kubernetes calls it so")]
pub(crate) struct Kind {
    /// API group, empty for core.
    pub group: String,
    /// The served version that was asked for.
    pub version: String,
    /// Plural.
    pub resource: String,
    /// Singular.
    pub singular: String,
    /// Kind.
    pub kind: String,
    /// Lives in a namespace.
    pub namespaced: bool,
    /// Has a status subresource.
    pub status: bool,
    /// Has a scale subresource.
    pub scale: bool,
    /// Counts `metadata.generation`.
    pub generation: bool,
    /// Its shape.
    pub schema: Arc<Schema>,
    /// Short names, for discovery.
    pub short: Vec<String>,
    /// Set for custom kinds.
    pub custom: Option<Arc<crd::Custom>>,
}

impl Kind {
    /// `apiVersion` of its objects.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether an update has to name the version that it replaces.
    pub(crate) fn needs_a_version(&self) -> bool {
        self.custom.is_some() || self.group == "apiextensions.k8s.io"
    }

    /// The verbs that discovery lists.
    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        if VIRTUAL.contains(&self.resource.as_str()) {
            return &["create"];
        }
        if self.resource == SHOWN {
            return &["list"];
        }
        &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    }
}

/// Kinds that are only asked, never stored.
pub(crate) const VIRTUAL: [&str; 3] =
    ["selfsubjectaccessreviews", "selfsubjectreviews", "subjectaccessreviews"];

/// The kind that is only listed, never stored.
pub(crate) const SHOWN: &str = "endpointslices";

struct Row {
    group: &'static str,
    version: &'static str,
    resource: &'static str,
    kind: &'static str,
    short: &'static str,
    flags: &'static str,
}

const fn row(
    group: &'static str,
    version: &'static str,
    resource: &'static str,
    kind: &'static str,
    short: &'static str,
    flags: &'static str,
) -> Row {
    Row { group, version, resource, kind, short, flags }
}

/// Flags: n namespaced, s status, c scale, g generation.
const ROWS: &[Row] = &[
    row("", "v1", "namespaces", "Namespace", "ns", "s"),
    row("", "v1", "nodes", "Node", "no", "s"),
    row("", "v1", "pods", "Pod", "po", "nsg"),
    row("", "v1", "services", "Service", "svc", "ns"),
    row("", "v1", "configmaps", "ConfigMap", "cm", "n"),
    row("", "v1", "secrets", "Secret", "", "n"),
    row("", "v1", "serviceaccounts", "ServiceAccount", "sa", "n"),
    row("", "v1", "events", "Event", "ev", "n"),
    row("apps", "v1", "deployments", "Deployment", "deploy", "nscg"),
    row("apps", "v1", "replicasets", "ReplicaSet", "rs", "nscg"),
    row("apps", "v1", "daemonsets", "DaemonSet", "ds", "nsg"),
    row("apps", "v1", "statefulsets", "StatefulSet", "sts", "nscg"),
    row("discovery.k8s.io", "v1", SHOWN, "EndpointSlice", "", "n"),
    row("batch", "v1", "jobs", "Job", "", "nsg"),
    row("batch", "v1", "cronjobs", "CronJob", "cj", "nsg"),
    row("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", "nsg"),
    row("coordination.k8s.io", "v1", "leases", "Lease", "", "n"),
    row("rbac.authorization.k8s.io", "v1", "roles", "Role", "", "n"),
    row("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", "n"),
    row("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", ""),
    row("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "", ""),
    row("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", "", ""),
    row("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", "", ""),
    row("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", "", ""),
    row("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", "crd", "sg"),
    row(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        "",
        "g",
    ),
    row(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        "",
        "g",
    ),
];

static SCHEMAS: LazyLock<BTreeMap<String, Arc<Schema>>> =
    LazyLock::new(|| schema::parse(include_str!("builtin.schema")).unwrap_or_default());

static BUILTIN: LazyLock<Vec<Arc<Kind>>> = LazyLock::new(|| {
    ROWS.iter()
        .map(|row| {
            Arc::new(Kind {
                group: row.group.into(),
                version: row.version.into(),
                resource: row.resource.into(),
                singular: row.kind.to_lowercase(),
                kind: row.kind.into(),
                namespaced: row.flags.contains('n'),
                status: row.flags.contains('s'),
                scale: row.flags.contains('c'),
                generation: row.flags.contains('g'),
                schema: SCHEMAS.get(row.kind).cloned().unwrap_or_else(Schema::unknown),
                short: if row.short.is_empty() { Vec::new() } else { vec![row.short.into()] },
                custom: None,
            })
        })
        .collect()
});

/// The built-in kinds.
pub(crate) fn builtin() -> &'static [Arc<Kind>] {
    &BUILTIN
}

/// The schema of object metadata, shared by all kinds.
pub(crate) fn metadata_schema() -> Arc<Schema> {
    SCHEMAS.get("ObjectMeta").cloned().unwrap_or_else(Schema::unknown)
}

/// `(group, version)` of an `apiVersion`.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The built-in kind of an object.
#[cfg(test)]
pub(crate) fn builtin_of(object: &Value) -> Option<Arc<Kind>> {
    let (group, version) = split_api_version(object.get("apiVersion")?.as_str()?);
    let kind = object.get("kind")?.as_str()?;
    builtin().iter().find(|k| k.group == group && k.version == version && k.kind == kind).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stored_kind_has_a_schema() {
        schema::parse(include_str!("builtin.schema")).unwrap();
        let stored = |k: &Kind| !VIRTUAL.contains(&k.resource.as_str()) && k.resource != SHOWN;
        for kind in builtin().iter().filter(|k| stored(k)) {
            assert!(SCHEMAS.contains_key(&kind.kind), "{}", kind.kind);
        }
    }
}
