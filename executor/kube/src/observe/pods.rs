//! Pods, whose they are, and the budgets that cover them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_executor::untrusted::text::line;
use switchback_schemas::{
    inventory::{Budget, Pod},
    name::ObjectRef,
};

use super::{
    lists::Lists,
    mlflow::{Told, told},
};
use crate::{
    api::{Kinds, Query, Reader},
    fields::{name, number, text, texts},
    pods::{
        budgets,
        filters::{Standing, is_finished, standing},
        gpus,
        needs::{self, Places},
        objections,
        owners::{Chain, Owners},
    },
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
    let places = places(lists, reader, kinds, &objects).await;
    let mut found = Vec::new();
    let mut of_others: BTreeMap<ObjectRef, Vec<Value>> = BTreeMap::new();
    let mut servers = Vec::new();
    for object in objects.iter().filter(|object| !is_finished(object)) {
        let (chain, trouble) = owners.chain_so_far(object).await;
        if let (Some(error), Some(last)) = (trouble, chain.top()) {
            lists.note(format!("the owner of {}", last.object), &error.to_string());
        }
        let owners: Vec<ObjectRef> = chain.owners.iter().map(|owner| owner.object.clone()).collect();
        for owner in owners.iter().filter(|owner| Kinds::built_in(&owner.api_version, &owner.kind).is_none())
        {
            of_others.entry(owner.clone()).or_default().push(object.clone());
        }
        servers.extend(told(object, &owners));
        if !text(object, "/spec/nodeName").is_empty() {
            found.push(pod(object, &chain, owners, &places));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Pods { standing: found, budgets: budgets_of(&lists.budgets, &objects), of_others, told: servers }
}

/// Where claims of pods are. Volumes are listed only where a pod has one.
async fn places(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>, pods: &[Value]) -> Places {
    if pods.iter().all(|pod| needs::claims(pod).next().is_none()) {
        return Places::new();
    }
    let claims = lists.list(reader, kinds, ("v1", "PersistentVolumeClaim"), &Query::all()).await;
    let volumes = lists.list(reader, kinds, ("v1", "PersistentVolume"), &Query::all()).await;
    needs::places(&claims, &volumes)
}

fn pod(object: &Value, chain: &Chain, owners: Vec<ObjectRef>, places: &Places) -> Pod {
    let moves = standing(object) == Standing::Moves;
    let workload =
        chain.top().map_or_else(|| text(object, "/metadata/uid").to_owned(), |top| top.uid.clone());
    Pod {
        name: name(object),
        node: text(object, "/spec/nodeName").to_owned(),
        labels: texts(object, "/metadata/labels"),
        owners,
        workload,
        owner_unread: chain.unread.as_deref().map(line),
        started: text(object, "/status/startTime").parse().ok(),
        objections: if moves { objections::of_pod(object) } else { BTreeSet::new() },
        needs: moves.then(|| needs::of(object, places)),
        gpu: gpus::held_by(object),
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
