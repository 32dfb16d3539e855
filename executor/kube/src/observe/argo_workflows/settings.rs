//! What a workflow controller is told: by its arguments, its variables and its ConfigMap.

use serde_json::Value;
use switchback_executor::untrusted::manifest;
use switchback_schemas::{
    inventory::argo_workflows::{Persistence, WorkflowController},
    name::ObjectName,
};

use super::super::lists::Lists;
use crate::{
    api::{Reader, Sought},
    fields::text,
    nodes::built_in,
};

/// The name of its image, whatever registry it comes from.
const IMAGE: &str = "workflow-controller";
/// What the ConfigMap is called where no argument says it.
const CONFIG_MAP: &str = "workflow-controller-configmap";
/// The label of a namespace that says which pods it admits.
const ENFORCE: &str = "/metadata/labels/pod-security.kubernetes.io~1enforce";

/// The controller's container, where a Deployment has one.
pub(super) fn container(object: &Value) -> Option<&Value> {
    if text(object, "/kind") != "Deployment" {
        return None;
    }
    let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array)?;
    containers.iter().find(|container| {
        let image = text(container, "/image").split('@').next().unwrap_or_default();
        let last = image.rsplit('/').next().unwrap_or_default();
        last.split(':').next() == Some(IMAGE)
    })
}

/// What a Deployment that runs a controller is told.
pub(super) async fn controller(
    lists: &mut Lists,
    reader: &Reader,
    deployment: &Value,
) -> Option<WorkflowController> {
    let container = container(deployment)?;
    let namespace = text(deployment, "/metadata/namespace");
    let map = argument(container, "--configmap").unwrap_or(CONFIG_MAP);
    let config_map = ObjectName::namespaced(namespace, map);
    let settings = config(lists, reader, &config_map).await;
    let instance = text(&settings, "/instanceID");
    let only = flag(container, "--namespaced")
        .then(|| argument(container, "--managed-namespace").unwrap_or(namespace).to_owned());
    let strategy = text(deployment, "/spec/strategy/type");
    Some(WorkflowController {
        deployment: ObjectName::namespaced(namespace, text(deployment, "/metadata/name")),
        image: text(container, "/image").to_owned(),
        executor_image: argument(container, "--executor-image").map(str::to_owned),
        leader_election: elects(container),
        // What the API server fills in.
        strategy: if strategy.is_empty() { "RollingUpdate" } else { strategy }.to_owned(),
        managed_namespace: only,
        instance_id: (!instance.is_empty()).then(|| instance.to_owned()),
        config_map,
        default_account: settings
            .pointer("/workflowDefaults/spec/serviceAccountName")
            .and_then(Value::as_str)
            .map(str::to_owned),
        persistence: persistence(&settings),
        restricted: restricted(lists, reader, namespace).await,
    })
}

/// The value of an argument: the one after its name, or behind `=`.
fn argument<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let args = container.get("args").and_then(Value::as_array)?;
    let mut args = args.iter().filter_map(Value::as_str);
    while let Some(arg) = args.next() {
        if arg == name {
            return args.next();
        }
        if let Some(value) = arg.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
    }
    None
}

/// Whether a switch is on: by its name alone, or by `=true`.
fn flag(container: &Value, name: &str) -> bool {
    let args = container.get("args").and_then(Value::as_array).into_iter().flatten();
    let on = |arg: &str| arg == name || arg.strip_prefix(name) == Some("=true");
    args.filter_map(Value::as_str).any(on)
}

fn elects(container: &Value) -> bool {
    let env = container.get("env").and_then(Value::as_array).into_iter().flatten();
    let off = |variable: &Value| {
        text(variable, "/name") == "LEADER_ELECTION_DISABLE" && text(variable, "/value") == "true"
    };
    !env.into_iter().any(off)
}

/// The settings in a ConfigMap, which hold names of Secrets and no secret.
async fn config(lists: &mut Lists, reader: &Reader, name: &ObjectName) -> Value {
    let found = async {
        let resource = built_in("v1", "ConfigMap")?;
        reader.look(Sought::new(&resource, name.namespace.as_deref(), &name.name)).await
    };
    let found = found.await.unwrap_or_else(|error| lists.missing(format!("ConfigMap {name}"), &error));
    let Some(map) = found else { return Value::Null };
    match settings(&map) {
        Ok(settings) => settings,
        Err(why) => {
            lists.note(format!("ConfigMap {name}"), &why);
            Value::Null
        }
    }
}

/// All settings stand in one text, or each under a key of its own.
fn settings(map: &Value) -> Result<Value, String> {
    let yaml = |key: &str| -> Result<Option<Value>, String> {
        let Some(text) = map.pointer("/data").and_then(|data| data.get(key)?.as_str()) else {
            return Ok(None);
        };
        let parsed = manifest::objects(text).map_err(|error| error.to_string())?;
        Ok(parsed.into_iter().next())
    };
    if let Some(whole) = yaml("config")? {
        return Ok(whole);
    }
    let instance = map.pointer("/data/instanceID").cloned();
    let defaults = yaml("workflowDefaults")?;
    let persistence = yaml("persistence")?;
    Ok(serde_json::json!({"persistence": persistence, "instanceID": instance, "workflowDefaults": defaults}))
}

fn persistence(settings: &Value) -> Option<Persistence> {
    let found = settings.get("persistence")?;
    let database = ["postgresql", "mysql"].into_iter().find(|kind| found.get(kind).is_some())?;
    let is = |field: &str| found.get(field).and_then(Value::as_bool) == Some(true);
    Some(Persistence {
        database: database.to_owned(),
        archive: is("archive"),
        skip_migration: is("skipMigration"),
    })
}

async fn restricted(lists: &mut Lists, reader: &Reader, namespace: &str) -> bool {
    let found = async {
        let resource = built_in("v1", "Namespace")?;
        reader.look(Sought::new(&resource, None, namespace)).await
    };
    let found = found.await.unwrap_or_else(|error| lists.missing(format!("Namespace {namespace}"), &error));
    found.is_some_and(|namespace| text(&namespace, ENFORCE) == "restricted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_controller_is_known_by_its_image() {
        let of = |image: &str| json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
        assert!(container(&of("quay.io/argoproj/workflow-controller:v3.7.11")).is_some());
        assert!(container(&of("registry:5000/workflow-controller@sha256:00")).is_some());
        assert!(container(&of("quay.io/argoproj/argocli:v3.7.11")).is_none());
    }

    #[test]
    fn arguments_and_switches_are_read_in_both_shapes() {
        let told = json!({"args": ["--configmap", "a", "--executor-image=b", "--namespaced"],
            "env": [{"name": "LEADER_ELECTION_DISABLE", "value": "true"}]});
        assert_eq!(argument(&told, "--configmap"), Some("a"));
        assert_eq!(argument(&told, "--executor-image"), Some("b"));
        assert_eq!(argument(&told, "--managed-namespace"), None);
        assert!(flag(&told, "--namespaced") && !elects(&told));
        assert!(!flag(&json!({"args": ["--namespaced=false"]}), "--namespaced"));
    }

    #[test]
    fn a_database_is_found_wherever_it_is_written() {
        let whole = "instanceID: blue\npersistence:\n  archive: true\n  postgresql:\n    host: db\n";
        let found = settings(&json!({"data": {"config": whole}})).unwrap();
        assert_eq!(text(&found, "/instanceID"), "blue");
        let database = persistence(&found).unwrap();
        assert_eq!(
            (database.database.as_str(), database.archive, database.skip_migration),
            ("postgresql", true, false)
        );
        let parts = json!({"data": {"persistence": "skipMigration: true\nmysql: {host: db}\n", "instanceID": "green"}});
        let found = settings(&parts).unwrap();
        assert_eq!(text(&found, "/instanceID"), "green");
        assert!(persistence(&found).unwrap().skip_migration);
        assert!(persistence(&settings(&json!({"data": {"config": "parallelism: 5\n"}})).unwrap()).is_none());
        assert!(settings(&json!({"data": {"config": "a: [\n"}})).is_err());
    }
}
