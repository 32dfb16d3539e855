//! What the provider knows: the section `cloud:` of a world file, and the same thing while the world runs.
//!
//! Everything is kept by name and written with defaults, so that a world file says only what matters. Fields that only a
//! running world fills are marked so; a snapshot holds them too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod apps;
mod eks;
mod nodegroup;
mod rds;

pub use apps::{App, AppKind};
pub use eks::{
    Addon, AddonVersion, Cluster, DeprecatedUse, Eks, ErrorDetail, Insight, Minor, Refresh, Update,
    UpdateParam, Upgrade,
};
pub use nodegroup::{
    Drain, Instance, InstanceState, Nodegroup, Roll, Scaling, Taint, Template, UpdateConfig,
};
pub(crate) use rds::{DEFAULT_GROUP, default_group};
pub use rds::{
    Database, Instance as DbInstance, Operation, Rds, Settings as DbSettings, Snapshot as DbSnapshot,
};

/// The provider's side of a world.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Cloud {
    /// The account that callers belong to where nothing else is said: twelve digits.
    pub account: String,
    /// The region of everything that names none.
    pub region: String,
    /// The EKS cluster whose API server the Kubernetes face is; the first by name where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face: Option<String>,
    /// Decides which nodes a node group takes first.
    pub seed: u64,
    /// Access keys that are somebody in particular. Any other key is the account's user `twin`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub access_keys: BTreeMap<String, AccessKey>,
    /// Roles that can be assumed, by ARN.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Role>,
    /// EKS.
    pub eks: Eks,
    /// RDS.
    pub rds: Rds,
    /// Subnets by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subnets: BTreeMap<String, Subnet>,
    /// Reservations of capacity by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity_reservations: BTreeMap<String, CapacityReservation>,
    /// Instance types that cannot be had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_capacity: Vec<String>,
    /// Secrets Manager: texts by name or ARN.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Of a running world: how the next operation that is started will end (a fault of the kind `fails`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doom: Option<ErrorDetail>,
}

/// Somebody's access key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AccessKey {
    /// Who it is: the ARN of a user or of an assumed role. Its account is theirs.
    pub arn: String,
    /// Its secret; requests of it are then refused unless their signature is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The token that must come with it, of temporary credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// When it stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Of a running world: the role that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Role {
    /// Operations that it allows, such as `eks:*`.
    pub allow: Vec<String>,
    /// Operations that it denies although they are allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Accounts that may assume it; every one where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusts: Vec<String>,
}

impl Default for Role {
    fn default() -> Self {
        Self { allow: vec!["*".into()], deny: Vec::new(), trusts: Vec::new() }
    }
}

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Subnet {
    /// Its zone, such as `eu-west-1a`.
    pub zone: String,
    /// Addresses that are free. Nodes that come take one each, nodes that go give it back.
    pub free: i64,
    /// Its CIDR block.
    pub cidr: String,
    /// Its VPC.
    pub vpc: String,
    /// Whose it is, where not the cloud's account.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// Tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A reservation of capacity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CapacityReservation {
    /// Its instance type.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// Instances that it is for.
    pub total: i64,
    /// Instances of it that are free.
    pub available: i64,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

impl Cloud {
    /// The cluster whose API server the Kubernetes face is.
    pub fn face(&self) -> Option<&str> {
        self.face.as_deref().or_else(|| self.eks.clusters.keys().next().map(String::as_str))
    }

    /// Whether there is anything to it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
