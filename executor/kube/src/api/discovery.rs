//! What an API server serves. One answer is no evidence that something is not served: only a document that is whole, read twice, and
//! that no other document contradicts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::classify::CallError;
use super::{Reader, Resource, seen::odd};
use crate::fields::text;

/// Resources of one group and version, by kind.
pub(super) type Resources = BTreeMap<String, Resource>;

impl Reader {
    /// The version of the API server, as it reports it.
    pub(crate) async fn version(&self) -> Result<Value, CallError> {
        self.get("/version").await
    }

    /// Every group and version that is served, sorted.
    pub(crate) async fn served(&self) -> Result<Vec<String>, CallError> {
        let core = whole(self.get("/api").await?, "APIVersions", "versions")?;
        let groups = whole(self.get("/apis").await?, "APIGroupList", "groups")?;
        let core = entries(&core, "versions").iter().filter_map(Value::as_str);
        let groups = entries(&groups, "groups").iter().flat_map(|group| entries(group, "versions"));
        let groups = groups.map(|version| text(version, "/groupVersion"));
        let mut served: Vec<String> =
            core.chain(groups).filter(|api| !api.is_empty()).map(str::to_owned).collect();
        served.sort();
        served.dedup();
        Ok(served)
    }

    /// The resources of a group and version; `None` where its path is not there.
    pub(super) async fn resources(&self, api_version: &str) -> Result<Option<Resources>, CallError> {
        let path = match split(api_version) {
            ("", version) => format!("/api/{version}"),
            (group, version) => format!("/apis/{group}/{version}"),
        };
        match self.get(&path).await {
            Ok(list) => {
                let list = whole(list, "APIResourceList", "resources")?;
                match text(&list, "/groupVersion") {
                    found if found == api_version => Ok(Some(read(api_version, &list))),
                    found => {
                        Err(odd(&format!("asked what {api_version} serves, and the answer is of {found:?}")))
                    }
                }
            }
            Err(error) if error.is_no_path() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks once more for a kind that was not found. `None` only where two looks and the list of all groups agree.
    pub(super) async fn once_more(
        &self,
        api_version: &str,
        kind: &str,
    ) -> Result<Option<Resource>, CallError> {
        let unsure = |why: &str| {
            odd(&format!("whether the API server serves {kind} of {api_version} is unknown: {why}"))
        };
        let again = self.resources(api_version).await?;
        if let Some(found) = again.as_ref().and_then(|resources| resources.get(kind)) {
            return Ok(Some(found.clone()));
        }
        match (again, self.served().await?.iter().any(|api| api == api_version)) {
            (Some(_), true) | (None, false) => Ok(None),
            (Some(_), false) => Err(unsure("it is in no list of groups, and its path is there")),
            (None, true) => Err(unsure("the list of groups names it, and its path is not there")),
        }
    }
}

/// Takes a document only if it is of its kind and holds something. No API server serves nothing.
fn whole(document: Value, kind: &str, field: &str) -> Result<Value, CallError> {
    let found = text(&document, "/kind");
    if found != kind {
        return Err(odd(&format!("asked for an {kind}, and the answer is of kind {found:?}")));
    }
    if entries(&document, field).is_empty() {
        return Err(odd(&format!("an {kind} without {field}")));
    }
    Ok(document)
}

fn entries<'a>(document: &'a Value, field: &str) -> &'a [Value] {
    document.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Group and version of an `apiVersion`; the core group is empty.
pub(super) fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn read(api_version: &str, list: &Value) -> Resources {
    let (group, version) = split(api_version);
    let read = |entry: &Value| {
        let text = |field| entry.get(field).and_then(Value::as_str);
        let (plural, kind) = (text("name")?, text("kind")?);
        if plural.contains('/') {
            return None;
        }
        let resource = Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: entry.get("namespaced").and_then(Value::as_bool)?,
        };
        Some((kind.to_owned(), resource))
    };
    entries(list, "resources").iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_of_resources_is_read_without_subresources() {
        let list = json!({"resources": [
            {"name": "nodepools", "kind": "NodePool", "namespaced": false},
            {"name": "nodepools/status", "kind": "NodePool", "namespaced": false},
        ]});
        let found = read("karpenter.sh/v1", &list);
        assert_eq!(found.len(), 1);
        assert_eq!(found["NodePool"].plural, "nodepools");
        assert_eq!(found["NodePool"].api_version(), "karpenter.sh/v1");
    }

    #[test]
    fn b3_a_document_that_is_empty_or_of_another_kind_is_no_evidence() {
        let list = |kind: &str, resources: Value| json!({"kind": kind, "resources": resources});
        assert!(
            whole(list("APIResourceList", json!([{"name": "nodepools"}])), "APIResourceList", "resources")
                .is_ok()
        );
        assert!(whole(list("APIResourceList", json!([])), "APIResourceList", "resources").is_err());
        assert!(whole(list("Status", json!([{}])), "APIResourceList", "resources").is_err());
    }
}
