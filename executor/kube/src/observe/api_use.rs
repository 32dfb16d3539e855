//! Who uses APIs that go away: what the API server counted, and in which version managers last wrote.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_schemas::{
    inventory::{ApiUse, RequestedApi, WrittenBy},
    name::{ObjectName, ObjectRef},
};

use super::lists::Lists;
use crate::{
    api::{Kinds, Query, Reader, Resource},
    classify::CallError,
    fields::text,
};

/// The metric; it has a series for each deprecated API that was called since the API server started.
const METRIC: &str = "apiserver_requested_deprecated_apis";

/// Built-in groups that had, or still have, a version that a later minor no longer serves, and whose objects are stored (source:
/// the lifecycle of types in kubernetes/api, `planner/src/components/eks/removed-apis.yaml`). The core group and `apps` have none since 1.16.
const GROUPS: [&str; 12] = [
    "admissionregistration.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "resource.k8s.io",
    "storage.k8s.io",
];

/// Written by kubelets and controllers alone, every few seconds, in the version that their release knows.
const HEARTBEATS: [&str; 1] = ["leases"];

pub(super) async fn read(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>, apis: &[String]) -> ApiUse {
    let requested = match reader.text("/metrics").await {
        Ok(metrics) => Some(requested(&metrics)),
        Err(error) => lists.missing("metrics of the API server".to_owned(), &error),
    };
    ApiUse { requested, written: written(lists, reader, kinds, apis).await }
}

/// Calls to deprecated APIs, from the API server's metrics in their text form.
fn requested(metrics: &str) -> Vec<RequestedApi> {
    let series = metrics.lines().filter_map(|line| line.strip_prefix(METRIC)?.strip_prefix('{'));
    let apis: BTreeSet<RequestedApi> = series.filter_map(api).collect();
    apis.into_iter().collect()
}

/// One series: `group="batch",removed_release="1.25",resource="cronjobs",subresource="",version="v1beta1"} 1`.
fn api(series: &str) -> Option<RequestedApi> {
    let (labels, value) = series.rsplit_once('}')?;
    // A gauge that was set back says nothing.
    if value.split_whitespace().next()?.parse::<f64>().ok()? == 0.0 {
        return None;
    }
    let label = |name: &str| {
        let found = labels.split(',').find_map(|label| label.trim().strip_prefix(name)?.strip_prefix("=\""));
        found.and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
    };
    let resource = match label("subresource") {
        sub if sub.is_empty() => label("resource"),
        sub => format!("{}/{sub}", label("resource")),
    };
    let api = RequestedApi {
        group: label("group"),
        version: label("version"),
        resource,
        removed_in: label("removed_release").parse().ok(),
    };
    (!api.version.is_empty() && !api.resource.is_empty()).then_some(api)
}

/// Objects whose managers last wrote them in an early version. `None` when nothing could be listed.
async fn written(
    lists: &mut Lists,
    reader: &Reader,
    kinds: &Kinds<'_>,
    apis: &[String],
) -> Option<Vec<WrittenBy>> {
    let mut found = BTreeSet::new();
    let mut listed = false;
    for resource in resources(lists, kinds, apis).await {
        let query = Query::metadata();
        let objects: Result<Vec<Value>, CallError> = reader.list(&resource, &query).await;
        match objects {
            Ok(objects) => {
                listed = true;
                found.extend(objects.iter().flat_map(|object| early(&resource, object)));
            }
            // What is served without being kept, such as a review, cannot be listed.
            Err(error) if error.is_no_path() => {}
            Err(error) => {
                lists.missing::<()>(
                    format!("managers of {} ({})", resource.kind, resource.api_version()),
                    &error,
                );
            }
        }
    }
    listed.then(|| found.into_iter().collect())
}

/// Every resource of the groups, once, in the latest of the versions that serve it.
async fn resources(lists: &mut Lists, kinds: &Kinds<'_>, apis: &[String]) -> Vec<Resource> {
    let mut resources: Vec<Resource> = Vec::new();
    let of_group = |api: &&String| api.split_once('/').is_some_and(|(group, _)| GROUPS.contains(&group));
    let mut versions: Vec<&String> = apis.iter().filter(of_group).collect();
    versions.sort_by_key(|api| is_early(api));
    for api in versions {
        match kinds.all(api).await {
            Ok(all) => {
                for resource in all {
                    let known = resources
                        .iter()
                        .any(|one| one.group == resource.group && one.plural == resource.plural);
                    if !known && !HEARTBEATS.contains(&resource.plural.as_str()) {
                        resources.push(resource);
                    }
                }
            }
            Err(error) => lists.missing(format!("resources of {api}"), &error),
        }
    }
    resources
}

/// Versions before the first stable one are those that go away.
fn is_early(api_version: &str) -> bool {
    let version = api_version.rsplit('/').next().unwrap_or_default();
    version.contains("alpha") || version.contains("beta")
}

/// The managers of an object that last wrote it in an early version.
fn early(resource: &Resource, object: &Value) -> Vec<WrittenBy> {
    let namespace = text(object, "/metadata/namespace");
    let name = text(object, "/metadata/name");
    let name = match namespace {
        "" => ObjectName::cluster(name),
        namespace => ObjectName::namespaced(namespace, name),
    };
    let object_ref = ObjectRef::new(&resource.api_version(), &resource.kind, &name);
    let managers = object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    let early = managers.filter(|entry| is_early(text(entry, "/apiVersion")));
    early
        .map(|entry| WrittenBy {
            object: object_ref.clone(),
            manager: text(entry, "/manager").to_owned(),
            api_version: text(entry, "/apiVersion").to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn deprecated_calls_are_read_from_the_metrics() {
        let metrics = r#"# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="batch",removed_release="1.25",resource="cronjobs",subresource="status",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",resource="gone",subresource="",version="v1beta1"} 0
apiserver_requested_total{group="batch",version="v1beta1"} 7
"#;
        let read = requested(metrics);
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].resource.as_str(), &read[0].removed_in), ("endpoints", &None));
        assert_eq!((read[1].group.as_str(), read[1].resource.as_str()), ("batch", "cronjobs/status"));
        assert_eq!(read[1].removed_in.as_ref().map(ToString::to_string).as_deref(), Some("1.25"));
    }

    #[test]
    fn only_early_versions_are_of_interest() {
        let resource = Resource {
            group: "flowcontrol.apiserver.k8s.io".into(),
            version: "v1".into(),
            kind: "FlowSchema".into(),
            plural: "flowschemas".into(),
            namespaced: false,
        };
        let entry = |manager: &str, version: &str| json!({"manager": manager, "apiVersion": format!("flowcontrol.apiserver.k8s.io/{version}")});
        let object = json!({"metadata": {"name": "s", "managedFields": [entry("helm", "v1beta3"), entry("new", "v1")]}});
        let found = early(&resource, &object);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].object.to_string(), "FlowSchema s");
        assert_eq!(
            (found[0].manager.as_str(), found[0].api_version.as_str()),
            ("helm", "flowcontrol.apiserver.k8s.io/v1beta3")
        );
    }
}
