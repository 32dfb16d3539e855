//! What a plan names of a cloud provider: resources, and fields of what its APIs describe.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{Label, serde_as_text};

/// The name of an AWS resource: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn(String);

/// A text that is not the name of an AWS resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an ARN such as arn:aws:eks:eu-central-1:111122223333:cluster/NAME")]
pub struct BadArn(String);

impl Arn {
    /// An EKS cluster.
    pub fn eks_cluster(region: &str, account: &str, name: &str) -> Self {
        Self(format!("arn:{}:eks:{region}:{account}:cluster/{name}", partition(region)))
    }

    /// An RDS instance.
    pub fn rds_instance(region: &str, account: &str, name: &str) -> Self {
        Self(format!("arn:{}:rds:{region}:{account}:db:{name}", partition(region)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, number: usize) -> &str {
        self.0.splitn(6, ':').nth(number).unwrap_or_default()
    }

    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// The service, such as `eks`.
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// The region.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The account.
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// The resource's own name: what follows its type.
    pub fn name(&self) -> &str {
        let resource = self.part(5);
        resource.split_once(['/', ':']).map_or(resource, |(_, name)| name)
    }
}

fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

impl FromStr for Arn {
    type Err = BadArn;

    fn from_str(text: &str) -> Result<Self, BadArn> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let good = match parts.as_slice() {
            ["arn", partition, service, _, account, resource] => {
                partition.starts_with("aws")
                    && !service.is_empty()
                    && account.bytes().all(|b| b.is_ascii_digit())
                    && !resource.is_empty()
            }
            _ => false,
        };
        let plain = text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic());
        if good && plain { Ok(Self(text.to_owned())) } else { Err(BadArn(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

serde_as_text!(Arn, "the name of an AWS resource", "^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+$");

/// An AWS resource that is a target, and the roles that are taken on to speak to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsResource {
    /// Its name, which holds account and region.
    pub arn: Arn,
    /// Roles by purpose.
    #[serde(default, skip_serializing_if = "Roles::is_empty")]
    pub roles: Roles,
}

/// IAM roles by purpose; where none is given, the credentials at hand are used as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Roles {
    /// To look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<Arn>,
    /// To go forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<Arn>,
    /// To roll back; the role to go forward when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Arn>,
}

impl Roles {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Something that an API of the provider describes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloudRef {
    /// The target that it belongs to.
    pub target: Label,
    /// What it is.
    pub kind: CloudKind,
    /// Its name; absent for what the target itself is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Kinds of things that APIs of the provider describe. Their fields are those of the API's answer, in its own spelling; the
/// README of `executor/aws` lists the ones that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CloudKind {
    /// `DescribeCluster`: `version`, `status`, `platformVersion`, `upgradePolicy`, …
    EksCluster,
    /// `DescribeAddon`: `addonVersion`, `status`, …
    EksAddon,
    /// `DescribeNodegroup`: `version`, `releaseVersion`, `status`, `amiType`, `scalingConfig`, …
    EksNodegroup,
    /// `DescribeDBInstances`: `DBInstanceStatus`, `DbiResourceId`, `DBInstanceClass`, …
    RdsInstance,
    /// `DescribeDBSnapshots`: `Status`, `PercentProgress`, …
    RdsSnapshot,
}

/// What insights are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InsightCategory {
    /// Whether the cluster is ready for the next minor.
    UpgradeReadiness,
    /// Whether it can roll back to the last one.
    RollbackReadiness,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_its_parts() {
        let arn = Arn::eks_cluster("eu-central-1", "111122223333", "mlops");
        assert_eq!(arn.as_str(), "arn:aws:eks:eu-central-1:111122223333:cluster/mlops");
        assert_eq!(
            (arn.service(), arn.region(), arn.account(), arn.name()),
            ("eks", "eu-central-1", "111122223333", "mlops")
        );
        let db = Arn::rds_instance("cn-north-1", "111122223333", "flow");
        assert_eq!((db.partition(), db.name()), ("aws-cn", "flow"));
        assert_eq!(arn.as_str().parse(), Ok(arn));
        for bad in [
            "",
            "arn:aws:eks",
            "arn:aws:eks:r:account:cluster/x",
            "urn:aws:eks:r:1:cluster/x",
            "arn:aws:eks:r:1:a b",
        ] {
            assert!(bad.parse::<Arn>().is_err(), "{bad}");
        }
    }
}
