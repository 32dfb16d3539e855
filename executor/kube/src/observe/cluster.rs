//! The cluster itself: its version, its identity, the APIs it serves.

use serde_json::Value;
use switchback_schemas::{Version, inventory::Cluster};

use crate::{
    api::{Reader, object_path},
    classify::CallError,
    fields::text,
    nodes::built_in,
};

pub(super) async fn read(reader: &Reader) -> Result<Cluster, CallError> {
    let version = reader.get("/version").await?;
    let namespace = built_in("v1", "Namespace")?;
    let namespace = reader.get(&object_path(&namespace, None, Some("kube-system"), None)?).await?;
    let uid = text(&namespace, "/metadata/uid");
    if uid.is_empty() {
        return Err(CallError::Garbled { what: "the namespace kube-system has no UID".to_owned() });
    }
    let (core, groups) = (reader.get("/api").await?, reader.get("/apis").await?);
    Ok(Cluster {
        version: parse_version(&version)?,
        kube_system_uid: uid.to_owned(),
        apis: apis(&core, &groups),
    })
}

fn parse_version(version: &Value) -> Result<Version, CallError> {
    let git = text(version, "/gitVersion");
    let garbled = || CallError::Garbled { what: format!("{git:?} as the version of the API server") };
    git.parse().map_err(|_| garbled())
}

fn apis(core: &Value, groups: &Value) -> Vec<String> {
    let list = |value: &Value, field: &str| -> Vec<Value> {
        value.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let core = list(core, "versions").into_iter().filter_map(|version| version.as_str().map(str::to_owned));
    let groups = list(groups, "groups").into_iter().flat_map(|group| list(&group, "versions"));
    let groups = groups.filter_map(|version| Some(version.get("groupVersion")?.as_str()?.to_owned()));
    let mut apis: Vec<String> = core.chain(groups).collect();
    apis.sort();
    apis.dedup();
    apis
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

    #[test]
    fn apis_are_sorted() {
        let groups =
            json!({"groups": [{"versions": [{"groupVersion": "policy/v1"}, {"groupVersion": "apps/v1"}]}]});
        assert_eq!(apis(&json!({"versions": ["v1"]}), &groups), ["apps/v1", "policy/v1", "v1"]);
    }
}
