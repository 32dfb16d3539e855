//! Who is told a tracking server, and who is told a database.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_schemas::{
    inventory::servers::{DatabaseUser, Logger, VariableFrom},
    name::{ObjectName, ObjectRef},
    plan::HOP_ANNOTATION,
};

use super::{
    address::Address,
    containers,
    settings::{from, words},
};
use crate::{fields::text, pods::owners::controller};

/// The variable that a client of MLflow reads.
const VARIABLE: &str = "MLFLOW_TRACKING_URI";
/// What stands for a text that is no address.
const ELSEWHERE: &str = "elsewhere";
/// How hosts of RDS end.
const RDS: [&str; 2] = [".rds.amazonaws.com", ".rds.amazonaws.com.cn"];

/// A pod that is told a tracking server.
pub(in crate::observe) struct Told {
    workload: ObjectRef,
    server: String,
}

/// What a pod is told, under its topmost owner.
pub(in crate::observe) fn told(pod: &Value, owners: &[ObjectRef]) -> Option<Told> {
    let list =
        |field: &str| pod.pointer(&format!("/spec/{field}")).and_then(Value::as_array).into_iter().flatten();
    let containers = list("containers").chain(list("initContainers"));
    let variables = containers.flat_map(|c| c.get("env").and_then(Value::as_array).into_iter().flatten());
    let mut servers = variables.filter(|variable| text(variable, "/name") == VARIABLE).map(|variable| {
        match from(variable) {
            VariableFrom::Text(address) if !address.is_empty() => address,
            // A path, or a word such as `databricks`: no server of this cluster.
            VariableFrom::Text(_) => ELSEWHERE.to_owned(),
            _ => String::new(),
        }
    });
    // A later container is as good as an earlier one: they are told one server, or two are counted as the last.
    let server = servers.next_back()?;
    let itself = || {
        let name = ObjectName::namespaced(text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
        ObjectRef::new("v1", "Pod", &name)
    };
    Some(Told { workload: owners.last().cloned().unwrap_or_else(itself), server })
}

/// Pods by workload and server.
pub(super) fn loggers(told: Vec<Told>) -> Vec<Logger> {
    let mut counted: BTreeMap<(ObjectRef, String), u64> = BTreeMap::new();
    for Told { workload, server } in told {
        *counted.entry((workload, server)).or_default() += 1;
    }
    counted.into_iter().map(|((workload, server), pods)| Logger { workload, pods, server }).collect()
}

/// Workloads that are told a host of RDS by a variable or on their command line, except those that a run made for its own hop.
pub(super) fn databases(workloads: &[Value]) -> Vec<DatabaseUser> {
    let mut users = BTreeSet::new();
    let of_a_run = |object: &Value| {
        let annotations = object.pointer("/metadata/annotations");
        annotations.is_some_and(|annotations| annotations.get(HOP_ANNOTATION).is_some())
    };
    let others = workloads.iter().filter(|object| controller(object).is_none() && !of_a_run(object));
    for object in others {
        let name =
            ObjectName::namespaced(text(object, "/metadata/namespace"), text(object, "/metadata/name"));
        let workload = ObjectRef::new(text(object, "/apiVersion"), text(object, "/kind"), &name);
        for container in containers(object) {
            let variables = container.get("env").and_then(Value::as_array).into_iter().flatten();
            let values = variables.map(|variable| text(variable, "/value").to_owned());
            for value in values.chain(words(container)) {
                if let Some((host, database)) = on_rds(&value) {
                    users.insert(DatabaseUser { workload: workload.clone(), host, database });
                }
            }
        }
    }
    users.into_iter().collect()
}

/// Host and database of a text that is an address on RDS, or `HOST`, `HOST:PORT`, `--option=HOST`.
fn on_rds(value: &str) -> Option<(String, String)> {
    let is_host = |host: &str| {
        let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        RDS.iter().any(|end| host.ends_with(end)) && host.bytes().all(part)
    };
    let value = match value.strip_prefix("--").and_then(|option| option.split_once('=')) {
        Some((_, value)) => value,
        None => value,
    };
    if let Some(address) = Address::of(value) {
        return is_host(address.host()).then(|| (address.host().to_owned(), address.database().to_owned()));
    }
    let host = value.split_once(':').map_or(value, |(host, _)| host);
    is_host(host).then(|| (host.to_owned(), String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(variable: &Value) -> Value {
        json!({"metadata": {"namespace": "ml", "name": "p"}, "spec": {"containers": [{"env": [variable]}]}})
    }

    #[test]
    fn pods_of_one_workload_are_counted_together() {
        let owner = ObjectRef::new("batch/v1", "Job", &ObjectName::namespaced("ml", "train"));
        let address = json!({"name": "MLFLOW_TRACKING_URI", "value": "http://u:hunter2@mlflow.mlops:5000"});
        let secret =
            json!({"name": "MLFLOW_TRACKING_URI", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
        let pods = [&address, &address, &secret, &json!({"name": "OTHER", "value": "x"})];
        let told: Vec<Told> =
            pods.iter().filter_map(|v| told(&pod(v), std::slice::from_ref(&owner))).collect();
        let loggers: Vec<(u64, String)> = loggers(told).into_iter().map(|l| (l.pods, l.server)).collect();
        assert_eq!(loggers, [(1, String::new()), (2, "http://mlflow.mlops:5000".to_owned())]);
        let words = json!({"name": "MLFLOW_TRACKING_URI", "value": "databricks"});
        assert_eq!(super::told(&pod(&words), &[]).unwrap().server, ELSEWHERE);
        let bare = super::told(&pod(&address), &[]).unwrap();
        assert_eq!(bare.workload.to_string(), "Pod ml/p");
    }

    #[test]
    fn what_a_run_made_for_itself_is_no_other_user() {
        let job = |annotations: Value| {
            let env = json!([{"name": "PGHOST", "value": "db.c0ffee.eu-central-1.rds.amazonaws.com"}]);
            json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"namespace": "ml", "name": "j", "annotations": annotations},
                "spec": {"template": {"spec": {"containers": [{"name": "c", "env": env}]}}},
            })
        };
        assert_eq!(databases(&[job(json!({}))]).len(), 1);
        assert_eq!(databases(&[job(json!({"switchback.dev/hop": "mlflow/mlflow@3.18.0"}))]), []);
    }

    #[test]
    fn users_of_an_instance_are_found_by_its_host() {
        let host = "db.c0ffee.eu-central-1.rds.amazonaws.com";
        for (value, database) in [
            (format!("postgres://u:hunter2@{host}:5432/grafana?sslmode=require"), "grafana"),
            (format!("{host}:5432"), ""),
            (host.to_owned(), ""),
            (format!("--postgres-host={host}"), ""),
        ] {
            assert_eq!(on_rds(&value), Some((host.to_owned(), database.to_owned())), "{value}");
        }
        assert_eq!(on_rds("postgres://db.example.com/x"), None);
        assert_eq!(on_rds(&format!("hunter2 {host}")), None);
    }
}
