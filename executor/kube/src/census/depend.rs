//! What depends on pods: Services, budgets, `InferenceServices`. Each is ready or not, and wants to be only where there is something
//! behind it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_executor::{ports::Look, untrusted};
use switchback_schemas::{
    Seconds,
    journal::{Counted, Progress},
};

use super::{pods::Pods, workloads::release};
use crate::{
    api::{Kinds, Query, Reader},
    classify::CallError,
    fields::{has_condition, number, text, texts},
    pods::{budgets::Budget, owners::Owner},
};

/// Where `InferenceServices` are served.
const INFERENCE: &str = "serving.kserve.io/v1beta1";

fn counted(object: &Value, (wanted, ready): (bool, bool), through: BTreeSet<String>) -> Counted {
    let owner = Owner::itself(object);
    Counted {
        uid: owner.uid,
        object: owner.object,
        desired: u64::from(wanted),
        ready: u64::from(ready),
        progress: Progress::Lasting,
        start: Seconds(0),
        release: release(object),
        groups: BTreeSet::new(),
        through,
    }
}

/// Services that select pods: whether an endpoint is ready.
pub(super) fn services(services: &[Value], slices: &[Value], pods: &Pods, look: &mut Look) {
    let mut ready: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for slice in slices {
        let labels = slice.pointer("/metadata/labels");
        let service = labels.and_then(|labels| labels.get("kubernetes.io/service-name")?.as_str());
        let Some(service) = service else { continue };
        let endpoints = slice.get("endpoints").and_then(Value::as_array).into_iter().flatten();
        // An endpoint that does not say so is ready.
        let mut is_ready = endpoints
            .map(|endpoint| endpoint.pointer("/conditions/ready").and_then(Value::as_bool) != Some(false));
        *ready.entry((text(slice, "/metadata/namespace"), service)).or_default() |=
            is_ready.any(|ready| ready);
    }
    for service in services {
        let selector = texts(service, "/spec/selector");
        let (namespace, name) = (text(service, "/metadata/namespace"), text(service, "/metadata/name"));
        let behind = pods.owners_of(namespace, |pod| {
            let label = |key: &str| pod.pointer("/metadata/labels")?.get(key)?.as_str();
            selector.iter().all(|(key, value)| label(key) == Some(value))
        });
        if !selector.is_empty() && !behind.is_empty() {
            let ready = ready.get(&(namespace, name)).copied().unwrap_or(false);
            look.counted.push(counted(service, (true, ready), behind));
        }
    }
}

/// Budgets: whether they allow a disruption. One that allows none although all of its pods are healthy is meant so.
pub(super) fn budgets(budgets: &[Value], pods: &Pods, look: &mut Look) {
    for (object, budget) in budgets.iter().zip(Budget::all(budgets)) {
        let behind = pods.owners_of(text(object, "/metadata/namespace"), |pod| budget.covers(pod));
        let lacks = number(object, "/status/currentHealthy") < number(object, "/status/expectedPods");
        let allows = budget.allowed() > 0;
        look.counted.push(counted(object, (allows || lacks, allows), behind));
    }
}

/// `InferenceServices`, where they are served: whether they say that they are Ready.
pub(super) async fn inference(api: &Reader, kinds: &Kinds<'_>, look: &mut Look) -> Result<(), CallError> {
    let Some(resource) = kinds.find(INFERENCE, "InferenceService").await? else { return Ok(()) };
    for object in api.list(&resource, &Query::all()).await? {
        let through = [text(&object, "/metadata/uid").to_owned()].into();
        let mut one = counted(&object, (true, has_condition(&object, "Ready")), through);
        one.uid.push_str("/ready");
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let not = |condition: &&Value| text(condition, "/status") == "False";
        if let Some(condition) = conditions.into_iter().flatten().find(not) {
            let (kind, reason) = (text(condition, "/type"), text(condition, "/reason"));
            let line = format!("{kind}: {reason}: {}", text(condition, "/message"));
            look.causes.insert(one.uid.clone(), untrusted::text::line(&line));
        }
        look.counted.push(one);
    }
    Ok(())
}
