//! Conditions: the one language for "done when", "verify", "held", "safe to close", gates and read-sets.
//!
//! A condition holds, fails, or cannot be read. Failing and not being readable are never the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CloudRef, Command, InsightCategory, Operand, Target};
use crate::{
    Seconds, Version,
    name::{Label, ObjectName},
};

/// Something that can be asked of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Condition {
    /// All of them hold.
    All {
        /// The conditions.
        of: Vec<Condition>,
    },
    /// At least one of them holds.
    Any {
        /// The conditions.
        of: Vec<Condition>,
    },
    /// A field of an object passes a test. A missing object has no fields.
    Field {
        /// The object.
        object: Target,
        /// JSON pointer into the object; empty for the object itself.
        pointer: String,
        /// What must be true of it.
        is: Test,
    },
    /// Of the objects found, so many pass all tests.
    Count {
        /// Which objects.
        find: Find,
        /// What each of them must pass.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        each: Vec<FieldTest>,
        /// How many must pass; absent means every one that was found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<u64>,
        /// How many may pass.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u64>,
    },
    /// A Deployment, DaemonSet or StatefulSet has its observed generation, all replicas updated and
    /// available, and none of the old ones left.
    Rollout {
        /// The object.
        object: Target,
    },
    /// A Helm release's last revision.
    Release {
        /// The release.
        release: ObjectName,
        /// Its chart's version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chart_version: Option<Version>,
        /// Its revision.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Operand>,
        /// Digest of the values that were given by a person, as compact sorted JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        values: Option<crate::Digest>,
    },
    /// No pod is left on the node that a drain would have to move.
    Drained {
        /// The node.
        node: Target,
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
    /// Ready nodes of a pool.
    NodesReady {
        /// The pool.
        pool: Label,
        /// How many must be Ready and schedulable.
        at_least: u64,
    },
    /// An HTTP request is answered as expected.
    Http {
        /// The address. `http` or `https`; never a metadata address.
        url: String,
        /// The status that must come back.
        status: u16,
        /// A text that the body must hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contains: Option<String>,
    },
    /// The value of an instant PromQL query.
    Prometheus {
        /// The server.
        url: String,
        /// The query.
        query: String,
        /// How the value is compared.
        compare: Compare,
        /// The threshold, a decimal number as text.
        threshold: String,
        /// What no data means.
        missing: Missing,
    },
    /// A field of something that an API of the cloud provider describes passes a test. A missing thing has no fields.
    Cloud {
        /// The thing.
        of: CloudRef,
        /// JSON pointer into the answer; empty for the whole.
        pointer: String,
        /// What must be true of it.
        is: Test,
    },
    /// The EKS insights of a category have no error, no warning about this minor and nothing unknown, except for findings that somebody
    /// accepted. Findings that are older than a day are unknown (user-pain P-01, P-09).
    Insights {
        /// The cluster.
        target: Label,
        /// Which of them.
        category: InsightCategory,
        /// The minor that they are about.
        kubernetes: Version,
        /// Findings that are accepted, by name, each until an instant: at it and after it the finding counts again.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        accepted_until: BTreeMap<String, Timestamp>,
    },
    /// The subnets of an EKS cluster have so many free addresses together, and no subnet none.
    FreeAddresses {
        /// The cluster.
        target: Label,
        /// How many.
        at_least: u64,
    },
    /// A command ends with exit code 0.
    Command(Command),
}

/// What must be true of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Test {
    /// It is there.
    Present {},
    /// It is not there.
    Absent {},
    /// It is equal to this.
    Equals(Operand),
    /// It is not equal to this, or not there.
    Differs(Operand),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is a text that contains this, or a list that holds it; an object is held by a list if one of its members
    /// has at least these fields (`{"type": "Ready", "status": "True"}` finds a condition).
    Contains(Value),
    /// It is a whole number of at least this.
    AtLeast(u64),
    /// It is a version of at least this.
    VersionAtLeast(Version),
    /// It is a version below this.
    VersionBelow(Version),
}

/// A test of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldTest {
    /// JSON pointer into the object.
    pub pointer: String,
    /// What must be true of it.
    pub is: Test,
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

/// How a number is compared with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// At most the threshold.
    AtMost,
    /// At least the threshold.
    AtLeast,
    /// Below the threshold.
    Below,
    /// Above the threshold.
    Above,
}

/// What it means that a query has no data. Missing is never healthy by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Unknown: the step holds.
    Unknown,
    /// The check fails.
    Fail,
    /// The check passes, because no data is what health looks like here (an error counter).
    Pass,
}

/// A condition that must come true after an effect, and stay true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verify {
    /// What must hold.
    pub condition: Condition,
    /// How long it must hold without a break.
    #[serde(default, skip_serializing_if = "Seconds::is_zero")]
    pub settle: Seconds,
    /// How long it may take to come true, settling included.
    pub within: Seconds,
    /// For people: which `Verification`, or what it shows.
    pub title: String,
}
