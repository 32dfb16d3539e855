//! Claims for pods that wait.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    AWS, CLASS_HASH, FINALIZER, GROUP, MADE_BY, MINOR, POOL, POOL_HASH, class_hash, class_of, is, minor,
    pool_hash, pool_of, unschedulable,
};
use crate::cloud::instance_types::capacity;
use crate::kube::controllers::scheduler;
use crate::world::key::{list, set, text};
use crate::world::{Key, World, amount};

/// What a machine of a pool looks like: its first instance type with what it holds.
struct Machine {
    labels: Vec<(String, String)>,
    capacity: Value,
}

fn machine(pool: &Value) -> Machine {
    let mut labels = vec![
        ("kubernetes.io/os".to_owned(), "linux".to_owned()),
        ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
    ];
    let mut instance = "m5.2xlarge".to_owned();
    for requirement in list(pool, "/spec/template/spec/requirements") {
        let Some(first) = list(requirement, "/values").first().and_then(Value::as_str) else { continue };
        if text(requirement, "/operator") != "In" {
            continue;
        }
        if text(requirement, "/key") == "node.kubernetes.io/instance-type" {
            first.clone_into(&mut instance);
        } else {
            labels.push((text(requirement, "/key").to_owned(), first.to_owned()));
        }
    }
    labels.push(("node.kubernetes.io/instance-type".into(), instance.clone()));
    if let Some(own) = pool.pointer("/spec/template/metadata/labels").and_then(Value::as_object) {
        labels.extend(own.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())));
    }
    labels.push((POOL.into(), text(pool, "/metadata/name").to_owned()));
    Machine { labels, capacity: capacity(&instance) }
}

/// A node as this pool would make it, for the scheduler's rules.
fn imagined(pool: &Value, machine: &Machine) -> Value {
    let mut node =
        json!({"metadata": {"name": ""}, "spec": {"taints": list(pool, "/spec/template/spec/taints")}});
    for (name, value) in &machine.labels {
        set(&mut node, &["metadata", "labels", name], value.clone().into());
    }
    node
}

fn asks(pod: &Value, resource: &str) -> i64 {
    list(pod, "/spec/containers")
        .iter()
        .map(|c| {
            let of = |kind: &str| {
                c.pointer(&format!("/resources/{kind}")).and_then(|r| r.get(resource)).map(amount)
            };
            of("requests").or_else(|| of("limits")).unwrap_or(0)
        })
        .sum()
}

/// Makes as many claims as the waiting pods need.
pub(super) fn provision(world: &mut World, version: &str) {
    let waiting: Vec<_> =
        world.list("", "pods", None).filter(|(_, p)| unschedulable(p)).map(|(_, p)| p.clone()).collect();
    if waiting.is_empty() {
        return;
    }
    let mut pools: Vec<_> = world
        .list(GROUP, "nodepools", None)
        .filter(|(_, p)| is(p, "Ready") && text(p, "/metadata/deletionTimestamp").is_empty())
        .map(|(_, p)| p.clone())
        .collect();
    pools.sort_by_key(|p| std::cmp::Reverse(p.pointer("/spec/weight").and_then(Value::as_i64).unwrap_or(0)));
    let mut rest = waiting;
    for pool in pools {
        let name = text(&pool, "/metadata/name").to_owned();
        if world.settings().karpenter.no_capacity.contains(&name) {
            continue;
        }
        let machine = machine(&pool);
        let node = imagined(&pool, &machine);
        let (mine, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|p| scheduler::fits_rules(p, &node));
        rest = others;
        if mine.is_empty() {
            continue;
        }
        // Pods that a machine will take that is on its way, or that has just come, need no other one.
        let coming = world
            .list(GROUP, "nodeclaims", None)
            .filter(|(_, c)| {
                pool_of(c) == name
                    && text(c, "/metadata/deletionTimestamp").is_empty()
                    && (!is(c, "Initialized") || is_free(world, c, &mine))
            })
            .count();
        let needed = machines(&mine, &machine);
        let limit =
            pool.pointer("/spec/limits/nodes").and_then(Value::as_str).and_then(|l| l.parse::<usize>().ok());
        let have = world.list(GROUP, "nodeclaims", None).filter(|(_, c)| pool_of(c) == name).count();
        let room = limit.map_or(usize::MAX, |l| l.saturating_sub(have));
        for _ in 0..needed.saturating_sub(coming).min(room) {
            claim(world, &pool, version, None);
        }
    }
}

/// Whether the node of a claim holds nothing yet and one of these pods may run on it.
fn is_free(world: &World, claim: &Value, pods: &[Arc<Value>]) -> bool {
    let node = Key::core("nodes", "", text(claim, "/status/nodeName"));
    let of_daemons = |pod: &Value| {
        list(pod, "/metadata/ownerReferences").iter().any(|owner| text(owner, "/kind") == "DaemonSet")
    };
    world.get(&node).is_some_and(|node| pods.iter().any(|pod| scheduler::fits_rules(pod, node)))
        && world.pods_on(&node.name).iter().all(|(_, pod)| of_daemons(pod))
}

/// How many machines these pods fill, first come first served.
fn machines(pods: &[Arc<Value>], machine: &Machine) -> usize {
    const RESOURCES: [&str; 3] = ["cpu", "memory", "nvidia.com/gpu"];
    let whole = RESOURCES.map(|r| machine.capacity.get(r).map_or(0, amount));
    let mut open: Vec<[i64; 3]> = Vec::new();
    for pod in pods {
        let wants = RESOURCES.map(|r| asks(pod, r));
        let fits = |free: &[i64; 3]| free.iter().zip(&wants).all(|(f, w)| f >= w);
        if !fits(&whole) {
            continue;
        }
        let at = open.iter().position(&fits).unwrap_or_else(|| {
            open.push(whole);
            open.len() - 1
        });
        if let Some(free) = open.get_mut(at) {
            for (f, w) in free.iter_mut().zip(&wants) {
                *f -= w;
            }
        }
    }
    open.len()
}

/// Makes a claim of a pool. `old` gives it hashes of its own, as if made before a change.
pub(crate) fn claim(world: &mut World, pool: &Value, version: &str, name: Option<String>) -> Key {
    let pool_name = text(pool, "/metadata/name");
    let name = name.unwrap_or_else(|| format!("{pool_name}-{}", world.suffix()));
    let machine = machine(pool);
    let class = class_of(world, pool.pointer("/spec/template/spec"));
    let mut spec = pool.pointer("/spec/template/spec").cloned().unwrap_or_else(|| json!({}));
    if spec.get("requirements").is_none() {
        set(&mut spec, &["requirements"], json!([]));
    }
    let key = Key::new(GROUP, "nodeclaims", "", &name);
    let api_version = world.stored_kind(&key).map(|kind| kind.api_version());
    let mut object = json!({
        "apiVersion": api_version, "kind": "NodeClaim",
        "metadata": {
            "finalizers": [FINALIZER],
            "annotations": {POOL_HASH: pool_hash(pool), MADE_BY: version, MINOR: minor(world)},
            "ownerReferences": [{"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "name": pool_name,
                "uid": text(pool, "/metadata/uid"), "blockOwnerDeletion": true}],
        },
        "spec": spec,
        "status": {"capacity": machine.capacity, "allocatable": machine.capacity},
    });
    if let Some(class) = class {
        set(&mut object, &["metadata", "annotations", CLASS_HASH], class_hash(&class).into());
        set(
            &mut object,
            &["metadata", "labels", &format!("{AWS}/ec2nodeclass")],
            text(&class, "/metadata/name").into(),
        );
    }
    for (label, value) in machine.labels {
        set(&mut object, &["metadata", "labels", &label], value.into());
    }
    world.create(key.clone(), object);
    key
}
