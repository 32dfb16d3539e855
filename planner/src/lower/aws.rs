//! How permissions call what is at AWS.

use switchback_schemas::plan::{Arn, Permission};

use super::permission;

/// An action of IAM on a resource.
pub fn iam(action: &str, resource: impl AsRef<str>) -> Permission {
    permission(action, Permission::IAM, resource.as_ref(), None)
}

/// Add-ons or managed groups of a cluster by their name; AWS appends an id to each.
pub fn of_cluster(cluster: &Arn, kind: &str, name: &str) -> String {
    format!("{}:{kind}/{}/{name}/*", beside(cluster, "eks"), cluster.name())
}

/// Something of RDS in the account and region of an instance.
pub fn of_rds(instance: &Arn, kind: &str, name: &str) -> String {
    format!("{}:{kind}:{name}", beside(instance, "rds"))
}

/// Roles of the account, which may be handed on.
pub fn roles(of: &Arn) -> String {
    format!("arn:{}:iam::{}:role/*", of.partition(), of.account())
}

/// The beginning of the names of a service's resources in the same account and region.
pub fn beside(of: &Arn, service: &str) -> String {
    format!("arn:{}:{service}:{}:{}", of.partition(), of.region(), of.account())
}
