//! Conditions that are asked of a Kubernetes API server.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FieldTest, Test};
use crate::{
    Digest, Seconds, Version,
    name::{Label, ObjectName},
    plan::{Arguments, DaemonPods, DeviceHolders, KernelModule, Offers, Operand, Target, argument::mapped},
};

/// Asked of a Kubernetes API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[schemars(rename = "KubeCondition")]
pub enum KubeCondition<V = Operand, T = Target> {
    /// A field of an object passes a test. A missing object has no fields.
    Field {
        /// The object.
        object: T,
        /// JSON pointer into the object; empty for the object itself.
        pointer: String,
        /// What must be true of it.
        is: Test<V>,
    },
    /// Of the objects found, so many pass all tests.
    Count {
        /// Which objects.
        find: Find,
        /// What each of them must pass.
        #[serde(default = "Vec::<FieldTest<V>>::new", skip_serializing_if = "Vec::is_empty")]
        each: Vec<FieldTest<V>>,
        /// How many must pass; absent means every one that was found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<u64>,
        /// How many may pass.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u64>,
    },
    /// Of the objects found that are of some workload classes, at most so many pass all tests. An object is of the class of the pods that
    /// it makes: by its namespace, the labels that `spec.podMetadata` gives them, its own kind and its owners; a pod is by its own.
    CountOfClass {
        /// Which objects.
        find: Find,
        /// Of which classes.
        classes: OfClasses,
        /// What each of them must pass.
        each: Vec<FieldTest<V>>,
        /// How many may pass.
        at_most: u64,
    },
    /// Whoever is named may do what is asked for, as the API server's authorisation says.
    Allowed {
        /// What is asked, one by one.
        reviews: Vec<AccessReview>,
    },
    /// A Deployment, DaemonSet or StatefulSet has its observed generation, all replicas updated and
    /// available, and none of the old ones left.
    Rollout {
        /// The object.
        object: T,
    },
    /// A Helm release's last revision.
    Release {
        /// The release.
        release: ObjectName,
        /// Its chart's name, where it changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chart: Option<String>,
        /// Its chart's version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chart_version: Option<Version>,
        /// Its revision.
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<V>,
        /// Digest of the values that were given by a person, as compact sorted JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        values: Option<Digest>,
    },
    /// Helm knows no such release.
    NoRelease {
        /// The release.
        release: ObjectName,
    },
    /// No pod is left on the node that a drain would have to move.
    Drained {
        /// The node.
        node: T,
    },
    /// The API server can call the conversion webhook of a CRD: its Service has ready endpoints on the named
    /// port and the CA bundle is set. A CRD without a webhook passes.
    ConversionReady {
        /// The CRD.
        crd: String,
    },
    /// Every object of a CRD is stored in this version, and the CRD lists no other.
    StoredAs {
        /// The CRD.
        crd: String,
        /// The version.
        version: String,
    },
    /// Of the lines that pods wrote lately, so many match. Without a pod that passes nothing.
    Logs {
        /// Which pods.
        pods: PodLogs,
        /// A regular expression; a line counts if it matches anywhere in it.
        pattern: String,
        /// How many lines must match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<u64>,
        /// How many lines may match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u64>,
    },
    /// Ready nodes of a pool.
    NodesReady {
        /// The pool.
        pool: Label,
        /// How many must be Ready and schedulable.
        at_least: u64,
    },
    /// A node has pods of DaemonSets, all of them are Ready, and they run the version that is named.
    DaemonPods {
        /// The node.
        node: T,
        /// Which pods.
        pods: DaemonPods,
    },
    /// No pod is left on a node that keeps a driver from being unloaded.
    DevicesFree {
        /// The node.
        node: T,
        /// Which pods do.
        holders: DeviceHolders,
    },
    /// A kernel module of a version is loaded on a node, and nothing else is to be.
    KernelModule {
        /// The node.
        node: T,
        /// The module.
        module: KernelModule,
    },
    /// A node offers what it offered when it was observed.
    Offers {
        /// The node.
        node: T,
        /// What nodes offered.
        offers: Offers,
    },
}

/// What somebody may do: a SubjectAccessReview for each verb.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessReview {
    /// A service account; absent for whoever runs the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<ObjectName>,
    /// In which namespace; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The API group; empty for the core.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The resource, with its subresource behind a slash.
    pub resource: String,
    /// The verbs.
    pub verbs: Vec<String>,
}

/// Workload classes of the plan. Of several that match, the first is an object's class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum OfClasses {
    /// This one.
    Only(Label),
    /// All but these, and what is of none.
    Except(Vec<Label>),
}

impl OfClasses {
    /// Whether they hold a class, or what is of none.
    pub fn hold(&self, class: Option<&Label>) -> bool {
        match self {
            Self::Only(only) => class == Some(only),
            Self::Except(except) => class.is_none_or(|class| !except.contains(class)),
        }
    }

    /// Their names.
    pub fn named(&self) -> &[Label] {
        match self {
            Self::Only(only) => std::slice::from_ref(only),
            Self::Except(except) => except,
        }
    }
}

/// Whose logs are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodLogs {
    /// The namespace.
    pub namespace: String,
    /// Pods with these labels.
    pub labels: BTreeMap<String, String>,
    /// The container; the pod's default one when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// How far back.
    pub since: Seconds,
}

/// Which objects are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Find {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// In one namespace, or everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// With these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl KubeCondition {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<KubeCondition<A::Value, A::Object>, A::Error> {
        Ok(match self {
            Self::Field { object, pointer, is } => {
                KubeCondition::Field { object: by.object(object)?, pointer: pointer.clone(), is: is.map(by)? }
            }
            Self::Count { find, each, at_least, at_most } => KubeCondition::Count {
                find: find.clone(),
                each: mapped(each, |test| test.map(by))?,
                at_least: *at_least,
                at_most: *at_most,
            },
            Self::CountOfClass { find, classes, each, at_most } => KubeCondition::CountOfClass {
                find: find.clone(),
                classes: classes.clone(),
                each: mapped(each, |test| test.map(by))?,
                at_most: *at_most,
            },
            Self::Allowed { reviews } => KubeCondition::Allowed { reviews: reviews.clone() },
            Self::Rollout { object } => KubeCondition::Rollout { object: by.object(object)? },
            Self::Release { release, chart, chart_version, revision, values } => KubeCondition::Release {
                release: release.clone(),
                chart: chart.clone(),
                chart_version: chart_version.clone(),
                revision: revision.as_ref().map(|revision| by.value(revision)).transpose()?,
                values: *values,
            },
            Self::NoRelease { release } => KubeCondition::NoRelease { release: release.clone() },
            Self::Drained { node } => KubeCondition::Drained { node: by.object(node)? },
            Self::ConversionReady { crd } => KubeCondition::ConversionReady { crd: crd.clone() },
            Self::StoredAs { crd, version } => {
                KubeCondition::StoredAs { crd: crd.clone(), version: version.clone() }
            }
            Self::Logs { pods, pattern, at_least, at_most } => KubeCondition::Logs {
                pods: pods.clone(),
                pattern: pattern.clone(),
                at_least: *at_least,
                at_most: *at_most,
            },
            Self::NodesReady { pool, at_least } => {
                KubeCondition::NodesReady { pool: pool.clone(), at_least: *at_least }
            }
            Self::DaemonPods { node, pods } => {
                KubeCondition::DaemonPods { node: by.object(node)?, pods: pods.clone() }
            }
            Self::DevicesFree { node, holders } => {
                KubeCondition::DevicesFree { node: by.object(node)?, holders: holders.clone() }
            }
            Self::KernelModule { node, module } => {
                KubeCondition::KernelModule { node: by.object(node)?, module: module.clone() }
            }
            Self::Offers { node, offers } => {
                KubeCondition::Offers { node: by.object(node)?, offers: offers.clone() }
            }
        })
    }
}
