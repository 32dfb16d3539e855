//! The cluster itself: its version, its identity, the APIs it serves.

use serde_json::Value;
use switchback_schemas::{Version, inventory::Cluster};

use crate::{api::Reader, classify::CallError, fields::text, nodes::kube_system_uid};

pub(super) async fn read(reader: &Reader) -> Result<Cluster, CallError> {
    let version = parse_version(&reader.version().await?)?;
    let kube_system_uid = kube_system_uid(reader).await?;
    Ok(Cluster { version, kube_system_uid, apis: reader.served().await? })
}

fn parse_version(version: &Value) -> Result<Version, CallError> {
    let git = text(version, "/gitVersion");
    let garbled = || CallError::Garbled { what: format!("{git:?} as the version of the API server") };
    git.parse().map_err(|_| garbled())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn versions_of_platforms_are_read() {
        for (git, minor) in [("v1.33.4-eks-5ca49cb", 33), ("v1.36.3", 36), ("v1.32.1+k3s1", 32)] {
            assert_eq!(parse_version(&json!({"gitVersion": git})).unwrap().minor(), minor);
        }
        assert!(parse_version(&json!({})).is_err());
    }
}
