//! The platform of a plan, and how each of its targets proves that it is the one.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arn, AwsResource};
use crate::{name::Label, trust::TrustRef};

/// The platform of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformRef {
    /// Its name.
    pub name: Label,
    /// How each target proves that it is the one the plan was made for.
    pub targets: BTreeMap<Label, Identity>,
    /// Who may approve; without it anybody whom an API server names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustRef>,
    /// Whether an approval without a proven identity counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_asserted: bool,
    /// How many different people must approve.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub quorum: u32,
}

impl PlatformRef {
    /// Whether one of its targets is a Kubernetes cluster.
    pub fn has_cluster(&self) -> bool {
        self.targets.values().any(|target| matches!(target, Identity::Cluster { .. }))
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde's skip_serializing_if asks for")]
fn is_one(n: &u32) -> bool {
    *n == 1
}

/// How a target proves its identity before the first effect on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Identity {
    /// A Kubernetes cluster, by the UID of its `kube-system` namespace: it is made with the cluster,
    /// survives upgrades and endpoints, and any reader may see it.
    #[serde(rename_all = "camelCase")]
    Cluster {
        /// UID of the namespace `kube-system`.
        kube_system_uid: String,
        /// The EKS cluster that it is, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        eks: Option<AwsResource>,
    },
    /// A database, by the name of its RDS instance. Its resource id is another one after a restore, so that is no identity; steps
    /// that must not meet another one read it.
    Database {
        /// The instance.
        rds: AwsResource,
    },
}

impl Identity {
    /// What it is at AWS.
    pub fn aws(&self) -> Option<&AwsResource> {
        match self {
            Self::Cluster { eks, .. } => eks.as_ref(),
            Self::Database { rds } => Some(rds),
        }
    }

    /// What has to be shown for it.
    pub fn proofs(&self) -> Vec<Proof> {
        match self {
            Self::Cluster { kube_system_uid, eks } => {
                let uid = Proof::KubeSystem { uid: kube_system_uid.clone() };
                let arn = eks.iter().map(|eks| Proof::Arn { arn: eks.arn.clone() });
                std::iter::once(uid).chain(arn).collect()
            }
            Self::Database { rds } => vec![Proof::Arn { arn: rds.arn.clone() }],
        }
    }
}

/// What a driver can show of the target that it speaks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The namespace `kube-system` has this UID.
    KubeSystem {
        /// The UID.
        uid: String,
    },
    /// The resource describes itself so, to credentials of its account.
    Arn {
        /// The name.
        arn: Arn,
    },
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KubeSystem { uid } => write!(f, "the cluster whose kube-system has UID {uid}"),
            Self::Arn { arn } => arn.fmt(f),
        }
    }
}
