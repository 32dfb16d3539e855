//! Pods, whose they are, and the budgets that cover them.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    inventory::{Budget, Pod},
    name::{ObjectName, ObjectRef},
};

use super::{
    lists::Lists,
    mlflow::{Told, told},
};
use crate::{
    api::{Kinds, Reader},
    fields::{number, text, texts},
    pods::{budgets, filters::is_finished, gpus, owners::Owners},
};

/// What is known of pods.
pub(super) struct Pods {
    /// Pods that stand on nodes.
    pub(super) standing: Vec<Pod>,
    /// Budgets.
    pub(super) budgets: Vec<Budget>,
    /// Pods of controllers that are no built-in kind, by controller.
    pub(super) of_others: BTreeMap<ObjectRef, Vec<Value>>,
    /// Pods that are told a tracking server of MLflow.
    pub(super) told: Vec<Told>,
}

pub(super) async fn read(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Pods {
    let objects = std::mem::take(&mut lists.pods);
    let mut owners = Owners::new(reader, kinds);
    owners.know(&lists.workloads);
    let mut standing = Vec::new();
    let mut of_others: BTreeMap<ObjectRef, Vec<Value>> = BTreeMap::new();
    let mut servers = Vec::new();
    for object in objects.iter().filter(|object| !is_finished(object)) {
        let (chain, trouble) = owners.chain_so_far(object).await;
        let chain: Vec<ObjectRef> = chain.into_iter().map(|owner| owner.object).collect();
        if let (Some(error), Some(last)) = (trouble, chain.last()) {
            lists.note(format!("the owner of {last}"), &error.to_string());
        }
        for owner in chain.iter().filter(|owner| Kinds::built_in(&owner.api_version, &owner.kind).is_none()) {
            of_others.entry(owner.clone()).or_default().push(object.clone());
        }
        servers.extend(told(object, &chain));
        if !text(object, "/spec/nodeName").is_empty() {
            standing.push(pod(object, chain));
        }
    }
    standing.sort_by(|a, b| a.name.cmp(&b.name));
    Pods { standing, budgets: budgets_of(&lists.budgets, &objects), of_others, told: servers }
}

fn pod(object: &Value, owners: Vec<ObjectRef>) -> Pod {
    let volumes = object.pointer("/spec/volumes").and_then(Value::as_array);
    Pod {
        name: name(object),
        node: text(object, "/spec/nodeName").to_owned(),
        labels: texts(object, "/metadata/labels"),
        owners,
        gpu: gpus::held_by(object),
        local_data: volumes.into_iter().flatten().any(|volume| volume.get("emptyDir").is_some()),
    }
}

fn budgets_of(objects: &[Value], pods: &[Value]) -> Vec<Budget> {
    let mut budgets: Vec<Budget> = objects
        .iter()
        .zip(budgets::Budget::all(objects))
        .map(|(object, budget)| {
            let covered = pods.iter().filter(|pod| !is_finished(pod) && budget.covers(pod));
            let mut covered: Vec<String> =
                covered.map(|pod| text(pod, "/metadata/name").to_owned()).collect();
            covered.sort();
            Budget {
                name: name(object),
                pods: covered,
                allowed: budget.allowed(),
                expected: number(object, "/status/expectedPods"),
                desired_healthy: number(object, "/status/desiredHealthy"),
            }
        })
        .collect();
    budgets.sort_by(|a, b| a.name.cmp(&b.name));
    budgets
}

fn name(object: &Value) -> ObjectName {
    ObjectName::namespaced(text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}
