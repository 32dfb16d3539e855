//! Instances of node groups: where they come up, the nodes that they are, and their end.

use serde_json::{Value, json};

use super::asg;
use crate::cloud::eks;
use crate::cloud::eks::state::{ErrorDetail, Instance, InstanceState, Nodegroup};
use crate::cloud::instance_types::capacity;
use crate::kube::controllers::template_hash;
use crate::world::key::{list, set, text};
use crate::world::{DeleteOptions, Key, Timings, World};

/// The label of a group's nodes.
const GROUP: &str = "eks.amazonaws.com/nodegroup";

/// Launches an instance of a group with an AMI release. It boots for a while.
pub(super) fn launch(
    world: &mut World,
    cluster: &str,
    group: &str,
    release: &str,
) -> Result<String, ErrorDetail> {
    let Some(found) = eks::cluster(world, cluster).ok().and_then(|c| c.nodegroups.get(group)).cloned() else {
        return Err(ErrorDetail::default());
    };
    let kind = found.instance_types.first().cloned().unwrap_or_default();
    if world.cloud().no_capacity.contains(&kind) {
        return Err(ErrorDetail {
            code: "AsgInstanceLaunchFailures".into(),
            message: format!(
                "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient {kind} capacity"
            ),
            resources: vec![asg(cluster, group)],
        });
    }
    let subnet = subnet(world, &found).ok_or_else(|| ErrorDetail {
        code: "InsufficientFreeAddresses".into(),
        message: "Amazon Autoscaling was unable to launch instances because there are not enough free addresses in the subnet associated with your AutoScaling group(s).".into(),
        resources: found.subnets.clone(),
    })?;
    let n = world.count();
    let id = format!("i-{n:017x}");
    let node = format!("ip-10-0-{}-{}.{}.compute.internal", (n >> 8) & 0xFF, n & 0xFF, world.cloud().region);
    let instance = Instance {
        node,
        subnet: subnet.clone(),
        release: release.to_owned(),
        launched: world.now(),
        state: InstanceState::Pending,
        drain: None,
        ends: None,
    };
    let cloud = world.cloud_mut();
    if let Some(subnet) = cloud.subnets.get_mut(&subnet) {
        subnet.free -= 1;
    }
    if let Some(found) = cloud.eks.clusters.get_mut(cluster).and_then(|c| c.nodegroups.get_mut(group)) {
        found.instances.insert(id.clone(), instance);
    }
    Ok(id)
}

/// The subnet with the fewest instances of the group among those with a free address; of equals the roomiest.
fn subnet(world: &World, group: &Nodegroup) -> Option<String> {
    let subnets = &world.cloud().subnets;
    if group.subnets.is_empty() {
        return Some(String::new());
    }
    let used = |id: &str| group.instances.values().filter(|i| i.subnet == id).count();
    group
        .subnets
        .iter()
        .filter_map(|id| {
            subnets.get(id).filter(|s| s.free > 0).map(|s| (used(id), std::cmp::Reverse(s.free), id))
        })
        .min()
        .map(|(_, _, id)| id.clone())
}

/// Launches an instance that is there at once, for the start of a world.
pub(in crate::cloud) fn launch_now(world: &mut World, cluster: &str, group: &str) -> Result<(), String> {
    let release =
        eks::cluster(world, cluster).ok().and_then(|c| c.nodegroups.get(group)).map(|g| g.release.clone());
    let id = launch(world, cluster, group, &release.unwrap_or_default())
        .map_err(|e| format!("node group {group}: {}: {}", e.code, e.message))?;
    join(world, cluster, group, &id);
    Ok(())
}

/// An instance joins as a node.
pub(super) fn join(world: &mut World, cluster: &str, group: &str, id: &str) {
    let Some(found) = eks::cluster(world, cluster).ok().and_then(|c| c.nodegroups.get(group)).cloned() else {
        return;
    };
    let Some(instance) = found.instances.get(id) else { return };
    let region = world.cloud().region.clone();
    let zone =
        world.cloud().subnets.get(&instance.subnet).map_or_else(|| format!("{region}a"), |s| s.zone.clone());
    let kind = found.instance_types.first().cloned().unwrap_or_else(|| "m6i.large".into());
    let patch = instance.release.split('-').next().unwrap_or_default();
    let capacity = if found.capacity.is_null() { capacity(&kind) } else { found.capacity.clone() };
    let arm = found.ami_type.contains("ARM_64");
    let mut labels = json!({
        GROUP: group,
        "eks.amazonaws.com/nodegroup-image": image(&found.ami_type, &instance.release),
        "eks.amazonaws.com/capacityType": found.capacity_type,
        "node.kubernetes.io/instance-type": kind,
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": region,
        "kubernetes.io/hostname": instance.node,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": if arm { "arm64" } else { "amd64" },
    });
    if let Some(driver) = driver(world, &found.ami_type, &instance.release) {
        for (name, value) in discovered(&driver) {
            set(&mut labels, &[name], value.into());
        }
    }
    for (name, value) in &found.labels {
        set(&mut labels, &[name], value.clone().into());
    }
    let taints: Vec<Value> = found
        .taints
        .iter()
        .map(|t| json!({"key": t.key, "value": t.value, "effect": t.kubernetes()}))
        .collect();
    let mut spec = json!({"providerID": format!("aws:///{zone}/{id}")});
    if !taints.is_empty() {
        set(&mut spec, &["taints"], taints.into());
    }
    let address =
        instance.node.split('.').next().unwrap_or_default().trim_start_matches("ip-").replace('-', ".");
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"labels": labels}, "spec": spec,
        "status": {
            "capacity": capacity, "allocatable": capacity,
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": instance.node}],
            "nodeInfo": {"kubeletVersion": format!("v{patch}-eks-{}", short(patch)), "operatingSystem": "linux",
                "architecture": if arm { "arm64" } else { "amd64" }, "osImage": system(&found.ami_type),
                "containerRuntimeVersion": "containerd://2.1.4"},
        },
    });
    let key = Key::core("nodes", "", &instance.node);
    if world.get(&key).is_none() {
        world.create(key, node);
    }
    if let Ok(found) = eks::cluster_mut(world, cluster)
        && let Some(instance) = found.nodegroups.get_mut(group).and_then(|g| g.instances.get_mut(id))
    {
        instance.state = InstanceState::InService;
    }
}

/// The driver that an image of NVIDIA holds, where the world says it.
fn driver(world: &World, ami: &str, release: &str) -> Option<String> {
    let mut minors = world.cloud().eks.versions.values();
    minors.find_map(|minor| minor.drivers.get(release)).filter(|_| ami.contains("NVIDIA")).cloned()
}

/// What GPU feature discovery says of a node with a driver.
fn discovered(driver: &str) -> [(&'static str, &str); 3] {
    [
        ("nvidia.com/gpu.present", "true"),
        ("nvidia.com/cuda.driver-version.full", driver),
        ("nvidia.com/cuda.driver.major", driver.split('.').next().unwrap_or_default()),
    ]
}

fn short(text: &str) -> String {
    template_hash(&text.into()).get(..7).unwrap_or("twin").to_owned()
}

/// The image of a release: another one for each type and release.
fn image(ami: &str, release: &str) -> String {
    let hash = |text: &str| template_hash(&text.into());
    format!("ami-0{}{}", hash(ami).get(..6).unwrap_or("a"), hash(release))
}

fn system(ami: &str) -> &'static str {
    match ami {
        a if a.starts_with("BOTTLEROCKET") => "Bottlerocket OS 1.50.0 (aws-k8s)",
        a if a.starts_with("AL2_") => "Amazon Linux 2",
        _ => "Amazon Linux 2023.9.20251110",
    }
}

/// Whether an instance's node is Ready.
pub(super) fn ready(world: &World, instance: &Instance) -> bool {
    instance.state == InstanceState::InService
        && world.get(&Key::core("nodes", "", &instance.node)).is_some_and(|n| {
            list(n, "/status/conditions")
                .iter()
                .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True")
        })
}

/// Begins to terminate an instance; it is gone after a while.
pub(in crate::cloud) fn terminate(world: &mut World, cluster: &str, group: &str, id: &str) {
    let ends = world.now().checked_add(Timings::ms(world.settings().cloud.terminate)).ok();
    if let Ok(found) = eks::cluster_mut(world, cluster)
        && let Some(instance) = found.nodegroups.get_mut(group).and_then(|g| g.instances.get_mut(id))
    {
        instance.state = InstanceState::Terminating;
        instance.drain = None;
        instance.ends = ends;
    }
}

/// Takes an instance away, and its node with it.
pub(super) fn remove(world: &mut World, cluster: &str, group: &str, id: &str) {
    let cloud = world.cloud_mut();
    let Some(found) = cloud.eks.clusters.get_mut(cluster).and_then(|c| c.nodegroups.get_mut(group)) else {
        return;
    };
    let Some(instance) = found.instances.remove(id) else { return };
    if let Some(subnet) = cloud.subnets.get_mut(&instance.subnet) {
        subnet.free += 1;
    }
    world.delete(&Key::core("nodes", "", &instance.node), DeleteOptions::default());
}
