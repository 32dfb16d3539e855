//! EKS: what its API describes, and its updates.

pub(crate) mod facts;
pub(crate) mod updates;

use aws_sdk_eks::types::{Addon, Cluster, Nodegroup};

use crate::{aws::Session, classify::CallError};

/// A cluster; `None` when EKS says that there is none.
pub(crate) async fn cluster(session: &Session, name: &str) -> Result<Option<Cluster>, CallError> {
    let sent = session.eks.describe_cluster().name(name).send();
    let found = absent(session.call(sent).await)?;
    there(found, |answer| answer.cluster, "a cluster")
}

/// A node group.
pub(crate) async fn nodegroup(
    session: &Session,
    cluster: &str,
    name: &str,
) -> Result<Option<Nodegroup>, CallError> {
    let sent = session.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name).send();
    let found = absent(session.call(sent).await)?;
    there(found, |answer| answer.nodegroup, "a node group")
}

/// An add-on.
pub(crate) async fn addon(session: &Session, cluster: &str, name: &str) -> Result<Option<Addon>, CallError> {
    let sent = session.eks.describe_addon().cluster_name(cluster).addon_name(name).send();
    let found = absent(session.call(sent).await)?;
    there(found, |answer| answer.addon, "an add-on")
}

/// What is not there, if the API itself says so.
pub(crate) fn absent<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn there<A, T>(
    answer: Option<A>,
    held: impl FnOnce(A) -> Option<T>,
    what: &str,
) -> Result<Option<T>, CallError> {
    let Some(answer) = answer else { return Ok(None) };
    match held(answer) {
        Some(found) => Ok(Some(found)),
        None => Err(CallError::Garbled { what: format!("it describes {what} and holds none") }),
    }
}

/// The name of an Auto Scaling group's instances' tag that EKS sets with the cluster's name.
pub(crate) fn cluster_tags(cluster: &str) -> [String; 2] {
    ["eks:cluster-name".to_owned(), format!("kubernetes.io/cluster/{cluster}")]
}
