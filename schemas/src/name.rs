//! Names: the newtypes that keep one kind of text from being taken for another.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Serialises a type through `Display` and `FromStr`, with a JSON Schema of a string that has a pattern.
macro_rules! serde_as_text {
    ($name:ident, $what:literal, $pattern:expr) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "description": $what, "pattern": $pattern})
            }
        }
    };
}
pub(crate) use serde_as_text;

/// A text that is not a name of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct BadName {
    what: &'static str,
    text: String,
}

impl BadName {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(80).collect() }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $pattern:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks a text and takes it as a name.
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(BadName::new($what, &text))
                }
            }

            /// The nearest name to a text: other characters become `-`, and what is too long ends in a digest.
            pub fn sanitized(text: &str) -> Self {
                let lower = text.to_ascii_lowercase();
                let keep = |c: char| if c.is_ascii_alphanumeric() || "-._@:/".contains(c) { c } else { '-' };
                let mut name: String = lower.chars().map(keep).collect();
                if name.len() > MAX {
                    let digest = crate::Digest::of(text).short(12);
                    name = format!("{}-{digest}", name.chars().take(MAX - 13).collect::<String>());
                }
                let valid: fn(&str) -> bool = $valid;
                if valid(&name) {
                    return Self(name);
                }
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
                let plain: String = name.chars().take(MAX - 1).map(plain).collect();
                Self(format!("x{plain}"))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        serde_as_text!($name, $what, $pattern);
    };
}

name! {
    /// An AWS account: twelve digits. Text, since a number would lose its leading zeros.
    Account, "an AWS account of 12 digits", "^[0-9]{12}$",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

const MAX: usize = 253;

fn words(text: &str, extra: &[u8]) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || extra.contains(&b);
    text.len() <= MAX
        && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && text.bytes().all(ok)
}

fn path(text: &str) -> bool {
    text.len() <= MAX && text.split('/').all(|part| words(part, b"._@:"))
}

name! {
    /// A step's stable path, such as `karpenter/karpenter@1.8.8/controller`: the hop ([`crate::HopId`]), and what is done. Ids do
    /// not change when other parts of a plan do.
    StepId, "a step id: lower-case parts joined by '/'", r"^[a-z0-9][a-z0-9._@:-]*(/[a-z0-9][a-z0-9._@:-]*)*$", path
}

name! {
    /// The name of a component, such as `karpenter`.
    ComponentName, "a component name", "^[a-z0-9][a-z0-9-]*$", |text| words(text, b"")
}

name! {
    /// The name a person gave to something in a manifest (a platform, a target, a pool, a window, …).
    Label, "a name of lower-case letters, digits, '-' and '.'", "^[a-z0-9][a-z0-9.-]*$", |text| words(text, b".")
}

name! {
    /// Names a savepoint in its plan, such as `start` or `karpenter/karpenter@1.8.8`.
    SavepointId, "a savepoint id", "^[a-z0-9][a-z0-9._@:-]*(/[a-z0-9][a-z0-9._@:-]*)*$", path
}

name! {
    /// Names one run of one plan. Minted by the executor; never derived from the platform's name.
    RunId, "a run id", "^[a-z0-9][a-z0-9-]*$", |text| words(text, b"")
}

name! {
    /// What an item of a roll is known by: the UID of the node or object, never its name.
    ItemKey, "an item key (a UID)", "^[a-z0-9][a-z0-9._:-]*$", |text| words(text, b"._:")
}

/// A namespaced Kubernetes name. `namespace` is absent for cluster-scoped objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectName {
    /// The namespace, for namespaced kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectName {
    /// A name in a namespace.
    pub fn namespaced(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), name: name.into() }
    }

    /// The name of a cluster-scoped object.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { namespace: None, name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A Kubernetes object: API version, kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRef {
    /// Group and version, such as `apps/v1` or `v1`.
    pub api_version: String,
    /// The kind, such as `Deployment`.
    pub kind: String,
    /// The namespace, for namespaced kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// An object in a namespace, or a cluster-scoped one.
    pub fn new(api_version: &str, kind: &str, name: &ObjectName) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: name.namespace.clone(),
            name: name.name.clone(),
        }
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        group(&self.api_version)
    }

    /// What makes two references the same object, in whatever version of its group each is written: group, kind, namespace,
    /// name.
    pub fn identity(&self) -> (&str, &str, Option<&str>, &str) {
        (self.group(), &self.kind, self.namespace.as_deref(), &self.name)
    }
}

/// The group of an API version; empty for the core group.
pub fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Whether objects of a built-in kind live in namespaces; `None` for kinds of other groups.
pub fn is_namespaced(group: &str, kind: &str) -> Option<bool> {
    Some(match group {
        "" => !matches!(kind, "Namespace" | "Node" | "PersistentVolume" | "ComponentStatus"),
        "apps"
        | "autoscaling"
        | "batch"
        | "coordination.k8s.io"
        | "discovery.k8s.io"
        | "events.k8s.io"
        | "policy" => true,
        "networking.k8s.io" => matches!(kind, "Ingress" | "NetworkPolicy"),
        "rbac.authorization.k8s.io" => matches!(kind, "Role" | "RoleBinding"),
        "resource.k8s.io" => matches!(kind, "ResourceClaim" | "ResourceClaimTemplate"),
        "storage.k8s.io" => kind == "CSIStorageCapacity",
        "admissionregistration.k8s.io"
        | "apiextensions.k8s.io"
        | "apiregistration.k8s.io"
        | "certificates.k8s.io"
        | "flowcontrol.apiserver.k8s.io"
        | "node.k8s.io"
        | "scheduling.k8s.io" => false,
        _ => return None,
    })
}

/// The resource of a kind, by the rule that the kinds of Kubernetes itself follow; a guess for kinds with an odd plural.
pub fn plural(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    match lower.strip_suffix('y') {
        _ if lower == "endpoints" => lower,
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if lower.ends_with('s') => format!("{lower}es"),
        _ => format!("{lower}s"),
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_ids_are_paths() {
        assert!(StepId::new("karpenter/karpenter@1.8.8/crds").is_ok());
        for text in ["", "/a", "a/", "a//b", "A", "a b", "../a", "-a", &"a".repeat(300)] {
            assert!(StepId::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_text_has_a_nearest_name() {
        for text in ["", "/", "Ä b", "a//b", "-x", "ok/fine@1.2", &"y/".repeat(400)] {
            assert!(StepId::new(StepId::sanitized(text).as_str()).is_ok(), "{text}");
            assert!(Label::new(Label::sanitized(text).as_str()).is_ok(), "{text}");
        }
        assert_eq!(StepId::sanitized("ok/fine@1.2").as_str(), "ok/fine@1.2");
    }

    #[test]
    fn resources_of_kinds() {
        for (kind, resource) in [
            ("Deployment", "deployments"),
            ("NetworkPolicy", "networkpolicies"),
            ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
            ("CSIStorageCapacity", "csistoragecapacities"),
            ("Endpoints", "endpoints"),
            ("FlowSchema", "flowschemas"),
            ("Ingress", "ingresses"),
            ("IngressClass", "ingressclasses"),
            ("IPAddress", "ipaddresses"),
            ("Gateway", "gateways"),
        ] {
            assert_eq!(plural(kind), resource);
        }
    }

    #[test]
    fn names_are_checked_when_read() {
        assert!(serde_json::from_str::<RunId>("\"r-1\"").is_ok());
        assert!(serde_json::from_str::<RunId>("\"--kubeconfig=x\"").is_err());
    }
}
