//! Puts the section `cloud:` of a world file in place: what it leaves out is worked out, and node groups get their nodes.

use jiff::SignedDuration;

use super::eks;
use crate::cloud::Cloud;
use crate::world::World;

/// Fills in what a world file leaves out.
fn resolve(cloud: &mut Cloud, start: jiff::Timestamp) -> Result<(), String> {
    if cloud.is_empty() {
        return Ok(());
    }
    let or = |text: &mut String, default: &str| {
        if text.is_empty() {
            default.clone_into(text);
        }
    };
    or(&mut cloud.account, "111122223333");
    or(&mut cloud.region, "eu-central-1");
    let (account, region) = (cloud.account.clone(), cloud.region.clone());
    let versions = cloud.eks.versions.clone();
    let long_ago = start.checked_sub(SignedDuration::from_hours(24 * 300)).unwrap_or(start);
    for (name, cluster) in &mut cloud.eks.clusters {
        or(&mut cluster.account, &account);
        or(&mut cluster.region, &region);
        let known = versions.get(&cluster.version).ok_or_else(|| {
            format!("cloud: cluster {name}: no version {:?} in eks.versions", cluster.version)
        })?;
        or(&mut cluster.platform, &known.platform);
        cluster.created = cluster.created.or(Some(long_ago));
        for subnet in &cluster.subnets {
            if !cloud.subnets.contains_key(subnet) {
                return Err(format!("cloud: cluster {name}: no subnet {subnet}"));
            }
        }
        for (group, one) in &mut cluster.nodegroups {
            or(&mut one.version, &cluster.version);
            let known = versions.get(&one.version).ok_or_else(|| {
                format!("cloud: node group {group}: no version {:?} in eks.versions", one.version)
            })?;
            or(&mut one.release, &format!("{}-{}", known.patch, known.ami));
            or(&mut one.ami_type, "AL2023_x86_64_STANDARD");
            or(&mut one.capacity_type, "ON_DEMAND");
            or(&mut one.role, &format!("arn:aws:iam::{}:role/eks-node-{name}", cluster.account));
            one.created = one.created.or(cluster.created);
            one.modified = one.modified.or(one.created);
            if one.subnets.is_empty() {
                one.subnets.clone_from(&cluster.subnets);
            }
            if one.disk == 0 {
                one.disk = 100;
            }
            if one.scaling.max == 0 {
                one.scaling.max = one.scaling.desired.max(1);
            }
        }
    }
    for subnet in cloud.subnets.values_mut() {
        or(&mut subnet.account, &account);
    }
    databases(cloud, long_ago);
    Ok(())
}

fn databases(cloud: &mut Cloud, long_ago: jiff::Timestamp) {
    let (account, region) = (cloud.account.clone(), cloud.region.clone());
    let or = |text: &mut String, default: &str| {
        if text.is_empty() {
            default.clone_into(text);
        }
    };
    for (name, instance) in &mut cloud.rds.instances {
        or(&mut instance.account, &account);
        or(&mut instance.region, &region);
        or(&mut instance.resource_id, &format!("db-{}", name.to_uppercase().replace('-', "")));
        instance.settings.fill(&region);
        instance.created = instance.created.or(Some(long_ago));
    }
    for snapshot in cloud.rds.snapshots.values_mut() {
        or(&mut snapshot.account, &account);
        or(&mut snapshot.region, &region);
        snapshot.settings.fill(&region);
        snapshot.begun = snapshot.begun.or(Some(long_ago));
        snapshot.ready = snapshot.ready.or(snapshot.begun);
    }
}

/// Puts a cloud into a world that has just begun: nodes of the cluster that the Kubernetes face is.
pub(crate) fn install(world: &mut World, mut cloud: Cloud) -> Result<(), String> {
    resolve(&mut cloud, world.now())?;
    if cloud.is_empty() {
        return Ok(());
    }
    *world.cloud_mut() = cloud;
    let Some(face) = world.cloud().face().map(str::to_owned) else { return Ok(()) };
    let Some(cluster) = world.cloud().eks.clusters.get(&face).cloned() else {
        return Err(format!("cloud: face: no cluster {face}"));
    };
    eks::show(world, &cluster.version);
    for (group, one) in &cluster.nodegroups {
        for _ in 0..one.scaling.desired {
            eks::nodegroups::launch_now(world, &face, group)?;
        }
    }
    Ok(())
}

/// Looks at insights of all clusters for the first time, once the world has settled.
pub(crate) fn settled(world: &mut World) {
    let names: Vec<String> = world.cloud().eks.clusters.keys().cloned().collect();
    let now = world.now();
    for name in names {
        eks::insights::refresh(world, &name, now);
    }
}
