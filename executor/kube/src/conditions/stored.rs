//! Every object of a CRD is stored in one version, and what is read of CRDs in more than one place.

use serde_json::Value;
use switchback_schemas::journal::Verdict;

use super::verdict;
use crate::{
    api::{Reader, Resource, Seen, Sought},
    classify::CallError,
    fields::text,
    nodes::built_in,
};

/// API version of CRDs.
pub(crate) const CRD_VERSION: &str = "apiextensions.k8s.io/v1";
/// Kind of CRDs.
pub(crate) const CRD_KIND: &str = "CustomResourceDefinition";

pub(super) async fn check(api: &Reader, crd: &str, version: &str) -> Result<Verdict, CallError> {
    let Some(object) = find_crd(api, crd).await? else {
        return Ok(verdict(false, &format!("CRD {crd} does not exist")));
    };
    let (storage, stored) = (storage_version(&object), stored_versions(&object));
    let holds = storage == Some(version) && stored == [version];
    let line =
        format!("CRD {crd} stores {}; stored versions: {}", storage.unwrap_or("nothing"), stored.join(", "));
    Ok(verdict(holds, &line))
}

/// Reads a CRD.
pub(crate) async fn find_crd(api: &Reader, crd: &str) -> Result<Option<Seen>, CallError> {
    let kind = built_in(CRD_VERSION, CRD_KIND)?;
    api.look(Sought::new(&kind, None, crd)).await
}

/// The version in which objects are stored from now on.
pub(crate) fn storage_version(crd: &Value) -> Option<&str> {
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array)?;
    let storage = versions.iter().find(|v| v.get("storage").and_then(Value::as_bool) == Some(true))?;
    storage.get("name").and_then(Value::as_str)
}

/// Versions in which objects may be stored.
pub(crate) fn stored_versions(crd: &Value) -> Vec<&str> {
    let stored = crd.pointer("/status/storedVersions").and_then(Value::as_array);
    stored.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The resource that a CRD defines, in one of its versions.
pub(crate) fn resource(crd: &Value, version: &str) -> Resource {
    Resource {
        group: text(crd, "/spec/group").to_owned(),
        version: version.to_owned(),
        kind: text(crd, "/spec/names/kind").to_owned(),
        plural: text(crd, "/spec/names/plural").to_owned(),
        namespaced: text(crd, "/spec/scope") == "Namespaced",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_crd_says_what_it_stores() {
        let crd = json!({
            "spec": {"group": "x.dev", "scope": "Cluster", "names": {"kind": "P", "plural": "ps"},
                "versions": [{"name": "v1beta1", "storage": false}, {"name": "v1", "storage": true}]},
            "status": {"storedVersions": ["v1beta1", "v1"]},
        });
        assert_eq!(storage_version(&crd), Some("v1"));
        assert_eq!(stored_versions(&crd), ["v1beta1", "v1"]);
        assert_eq!(resource(&crd, "v1").api_version(), "x.dev/v1");
    }
}
