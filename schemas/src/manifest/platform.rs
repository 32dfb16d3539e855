//! The kind `Platform`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OnFailure;
use crate::{
    name::{Account, Label, ObjectRef},
    plan::{Arn, AwsResource, Capacity, Channel, Day, PodSelector, Roles, Strategy, Then, WindowUse},
    seconds::Length,
};

/// What the platform is: its targets, pools, workloads, times and people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Platform {
    /// What steps act on, by name. Exactly one cluster in this version, and any number of databases.
    pub targets: BTreeMap<Label, TargetSpec>,
    /// Pools of nodes. A node that no pool matches is never moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolSpec>,
    /// What a drain does to which pods; the first class that matches wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<ClassSpec>,
    /// When steps may start, and when not. Without a forward window, at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSpec>,
    /// Who owns what; `switchback init` writes what it found evidence for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<OwnerRule>,
    /// Who is notified, and where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// What has to be approved, and by whom.
    #[serde(default)]
    pub approvals: ApprovalPolicy,
    /// What upgrades take when they do not say it themselves.
    #[serde(default)]
    pub defaults: Defaults,
}

/// Something that steps act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TargetSpec {
    /// A Kubernetes cluster.
    Cluster(ClusterTarget),
    /// A database.
    Database(DatabaseTarget),
}

impl TargetSpec {
    /// What it is at AWS.
    pub fn aws(&self) -> Option<AwsResource> {
        let (arn, roles) = match self {
            Self::Cluster(cluster) => {
                let eks = cluster.eks.as_ref()?;
                (Arn::eks_cluster(&eks.region, eks.account.as_str(), &eks.name), &eks.roles)
            }
            Self::Database(DatabaseTarget { rds }) => {
                (Arn::rds_instance(&rds.region, rds.account.as_str(), &rds.instance), &rds.roles)
            }
        };
        Some(AwsResource { arn, roles: roles.clone() })
    }
}

/// A Kubernetes cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterTarget {
    /// UID of the namespace `kube-system`. Without it the observed one is taken; with it an inventory of another
    /// cluster is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_system_uid: Option<String>,
    /// The EKS cluster that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eks: Option<EksTarget>,
}

/// A cluster of EKS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksTarget {
    /// Its name.
    pub name: String,
    /// The region.
    #[schemars(regex(pattern = "^[a-z]{2}(-[a-z]+)+-[0-9]+$"))]
    pub region: String,
    /// The account.
    pub account: Account,
    /// Roles by purpose.
    #[serde(default, skip_serializing_if = "Roles::is_empty")]
    pub roles: Roles,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseTarget {
    /// The RDS instance that it is. Aurora clusters are not built yet.
    pub rds: RdsTarget,
}

/// An instance of RDS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RdsTarget {
    /// Its name.
    #[schemars(regex(pattern = "^[a-zA-Z](-?[a-zA-Z0-9])*$"), length(max = 63))]
    pub instance: String,
    /// The region.
    #[schemars(regex(pattern = "^[a-z]{2}(-[a-z]+)+-[0-9]+$"))]
    pub region: String,
    /// The account.
    pub account: Account,
    /// Roles by purpose.
    #[serde(default, skip_serializing_if = "Roles::is_empty")]
    pub roles: Roles,
}

/// A pool of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolSpec {
    /// Its name.
    pub name: Label,
    /// Labels of its nodes.
    pub match_labels: BTreeMap<String, String>,
    /// Lower tiers move first.
    #[serde(default)]
    pub tier: u32,
    /// What kind of capacity it runs on.
    pub capacity: Capacity,
    /// How its nodes move.
    pub strategy: Strategy,
}

/// What a drain does to which pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClassSpec {
    /// Its name.
    pub name: Label,
    /// Which pods; everything that is given must match.
    pub select: PodSelector,
    /// What a drain does to them.
    pub on_drain: DrainSpec,
    /// Pods of one owner move together or not at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gang: bool,
}

/// What a drain does to the pods of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum DrainSpec {
    /// Wait until they end by themselves.
    Wait {
        /// How long.
        max: Length,
        /// What happens then: `park` or `evict`.
        then: Then,
    },
    /// Evict them; their owner starts them again elsewhere.
    Requeue {},
    /// Evict them.
    Evict {},
    /// Never touch them.
    Never {},
}

/// A time in which steps may start, or may not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowSpec {
    /// Its name.
    pub name: Label,
    /// `forward`, `rollback` or `freeze`.
    pub used_for: WindowUse,
    /// IANA name of the time zone, such as `Europe/Berlin`.
    pub zone: String,
    /// Days on which it begins; empty means every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// When it begins, such as `02:00`.
    pub start: Time,
    /// How long it lasts.
    pub length: Length,
}

/// Kinds of owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerKind {
    /// A Helm release.
    Helm,
    /// People with kubectl; changed by server-side apply.
    Kubectl,
    /// Calls of the EKS API: of clusters, not of objects.
    Eks,
    /// Argo CD or Flux.
    Gitops,
    /// Terraform.
    Terraform,
    /// A controller that writes the object by itself.
    Operator,
}

/// Who owns an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerRule {
    /// The object.
    pub object: ObjectRef,
    /// Its owner.
    pub owner: OwnerKind,
}

/// What has to be approved, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// Whether a run needs an approval of the whole plan before its first effect. Points of no return always need one.
    #[serde(default)]
    pub before_start: bool,
    /// Whether an unverified name counts.
    #[serde(default)]
    pub allow_asserted: bool,
    /// How many different people must approve; 1 when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub quorum: Option<u32>,
}

/// What upgrades take when they do not say it themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defaults {
    /// What follows a failure, where the price of the rollback allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Waivers are judged as of this instant instead of the observation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Classes of facts about versions that no state on the way may lie outside of, as if a vendor required them. Without
    /// any, such states are chosen last and named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refuse: BTreeSet<PathClass>,
}

/// Classes of facts about which versions work together that are no requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathClass {
    /// What a vendor tested.
    Tested,
    /// What a vendor documents.
    Documented,
    /// That something is known at all, where it is known of other versions.
    NoFact,
}
