//! A version update of a node group: new nodes come, old ones are cordoned, drained one by one in an order that nobody chose, and
//! terminated. Facts: catalog/eks-api.yaml, `node_group_update`; an update cannot be paused or stopped.
//!
//! The surge is `max(2 x zones, maxUnavailable)` as AWS says, but never more than the nodes that are to be replaced, so that
//! nothing that has just come needs to be scaled down at the end.

use super::drain::{self, Progress};
use super::{change, get, instances};
use crate::cloud::eks;
use crate::cloud::eks::state::{
    ErrorDetail, Instance, InstanceState, Nodegroup, Roll, Template, Update, UpdateStatus,
};
use crate::world::{Timings, World};

/// The order in which a group takes its nodes: the same for the same seed.
pub(super) fn order(world: &World, id: &str) -> u64 {
    let seed = world.cloud().seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    hash ^ (hash >> 29)
}

/// Begins an update.
pub(super) fn begin(
    world: &mut World,
    cluster: &str,
    group: &str,
    update: &Update,
    (version, release): (&str, &str),
    template: Option<Template>,
) {
    let Some(found) = get(world, cluster, group) else { return };
    let same_template = template.is_none() || template == found.launch_template;
    let mut old: Vec<String> = found
        .instances
        .iter()
        .filter(|(_, i)| i.state != InstanceState::Terminating && (i.release != release || !same_template))
        .map(|(id, _)| id.clone())
        .collect();
    old.sort_by_key(|id| order(world, id));
    let roll = Roll {
        update: update.id.clone(),
        version: version.to_owned(),
        release: release.to_owned(),
        launch_template: template,
        old,
    };
    change(world, cluster, group, |g| g.roll = Some(roll));
}

/// How many nodes of a group may be away at once.
fn unavailable(group: &Nodegroup) -> usize {
    let many = match (group.update.max_unavailable, group.update.max_unavailable_percentage) {
        (Some(count), _) => count,
        (None, Some(percent)) => group.scaling.desired.saturating_mul(percent) / 100,
        (None, None) => 1,
    };
    usize::try_from(many.clamp(1, 100)).unwrap_or(1)
}

pub(super) fn step(world: &mut World, cluster: &str, group: &str) {
    let Some(found) = get(world, cluster, group) else { return };
    let Some(roll) = found.roll.clone() else { return };
    let update = eks::cluster(world, cluster)
        .ok()
        .and_then(|c| c.updates.iter().find(|u| u.id == roll.update))
        .cloned();
    let Some(update) = update else { return };
    if let Some(doom) = &update.doom
        && update
            .created
            .is_some_and(|c| world.now().duration_since(c) >= Timings::ms(world.settings().cloud.drained))
    {
        return fail(world, cluster, group, &roll, doom.clone());
    }
    if let Err(error) = replace(world, cluster, group, &found, &roll) {
        return fail(world, cluster, group, &roll, error);
    }
    if let Err(error) = drain(world, cluster, group, &roll, update.force) {
        return fail(world, cluster, group, &roll, error);
    }
    finish(world, cluster, group, &roll);
}

/// Instances of the group that the update brought.
fn fresh<'a>(found: &'a Nodegroup, roll: &'a Roll) -> impl Iterator<Item = (&'a String, &'a Instance)> {
    found.instances.iter().filter(|(id, i)| !roll.old.contains(id) && i.state != InstanceState::Terminating)
}

/// Old instances that are still there, in their order.
fn left<'a>(found: &'a Nodegroup, roll: &'a Roll) -> Vec<&'a String> {
    roll.old.iter().filter(|id| found.instances.contains_key(*id)).collect()
}

fn minimal(found: &Nodegroup) -> bool {
    found.update.strategy == "MINIMAL"
}

/// Launches new instances: the surge first, then one for each that went.
fn replace(
    world: &mut World,
    cluster: &str,
    group: &str,
    found: &Nodegroup,
    roll: &Roll,
) -> Result<(), ErrorDetail> {
    let zones = found.subnets.iter().filter_map(|s| world.cloud().subnets.get(s)).map(|s| s.zone.clone());
    let zones = zones.collect::<std::collections::BTreeSet<_>>().len().max(1);
    let surge = if minimal(found) { 0 } else { (2 * zones).max(unavailable(found)).min(roll.old.len()) };
    let desired = usize::try_from(found.scaling.desired).unwrap_or(0);
    let (new, old) = (fresh(found, roll).count(), left(found, roll).len());
    let room = (desired + surge).saturating_sub(new + old);
    let wanted = desired.saturating_sub(new).min(room);
    for _ in 0..wanted {
        instances::launch(world, cluster, group, &roll.release).map_err(|e| {
            let code =
                if e.code == "AsgInstanceLaunchFailures" { "NodeCreationFailure".into() } else { e.code };
            ErrorDetail { code, ..e }
        })?;
    }
    Ok(())
}

/// Drains old nodes, as many at once as may be away.
fn drain(world: &mut World, cluster: &str, group: &str, roll: &Roll, force: bool) -> Result<(), ErrorDetail> {
    let Some(found) = get(world, cluster, group) else { return Ok(()) };
    let most = unavailable(&found);
    let unready = fresh(&found, roll).filter(|(_, i)| !instances::ready(world, i)).count();
    let left = left(&found, roll);
    let (draining, waiting): (Vec<&String>, Vec<&String>) = left.into_iter().partition(|id| {
        found.instances.get(*id).is_some_and(|i| i.drain.is_some() || i.state == InstanceState::Terminating)
    });
    let new = fresh(&found, roll).count();
    let begun = !draining.is_empty() || found.instances.len() < roll.old.len() + new;
    // Nothing goes before the surge has come; a group that spares capacity has none.
    let open =
        if minimal(&found) { unready + draining.len() < most } else { unready == 0 && new > 0 || begun };
    if open && !minimal(&found) {
        for id in &waiting {
            if let Some(instance) = found.instances.get(*id) {
                drain::cordon(world, &instance.node);
            }
        }
    }
    let away = if minimal(&found) { unready + draining.len() } else { draining.len() };
    if open && unready == 0 || minimal(&found) {
        for id in waiting.into_iter().take(most.saturating_sub(away)) {
            drain::begin(world, cluster, group, id);
        }
    }
    for id in draining {
        let Some(instance) = found.instances.get(id).filter(|i| i.state != InstanceState::Terminating) else {
            continue;
        };
        match drain::step(world, cluster, group, id, force) {
            Progress::Going => {}
            Progress::Empty => instances::terminate(world, cluster, group, id),
            Progress::Stuck => {
                let held = drain::holders(world, &instance.node).len();
                // AWS names the nodes, not the pods that hold them.
                return Err(ErrorDetail {
                    code: "PodEvictionFailure".into(),
                    message: format!(
                        "Reached max retries while trying to evict {held} pods from nodes in node group {group}"
                    ),
                    resources: vec![instance.node.clone()],
                });
            }
        }
    }
    Ok(())
}

fn finish(world: &mut World, cluster: &str, group: &str, roll: &Roll) {
    let Some(found) = get(world, cluster, group) else { return };
    let desired = usize::try_from(found.scaling.desired).unwrap_or(0);
    let ready = fresh(&found, roll).filter(|(_, i)| instances::ready(world, i)).count();
    if !left(&found, roll).is_empty() || ready < desired {
        return;
    }
    let now = world.now();
    change(world, cluster, group, |g| {
        g.version.clone_from(&roll.version);
        g.release.clone_from(&roll.release);
        if roll.launch_template.is_some() {
            g.launch_template.clone_from(&roll.launch_template);
        }
        g.modified = Some(now);
        g.issues = Vec::new();
        g.roll = None;
    });
    eks::end(world, cluster, &roll.update, UpdateStatus::Successful, Vec::new());
}

/// A failed update leaves what was replaced replaced; old nodes take pods again, and what is too much goes.
fn fail(world: &mut World, cluster: &str, group: &str, roll: &Roll, error: ErrorDetail) {
    let Some(found) = get(world, cluster, group) else { return };
    for id in &roll.old {
        if let Some(instance) = found.instances.get(id).filter(|i| i.state != InstanceState::Terminating) {
            drain::uncordon(world, &instance.node);
        }
    }
    change(world, cluster, group, |g| {
        for id in &roll.old {
            if let Some(instance) = g.instances.get_mut(id) {
                instance.drain = None;
            }
        }
        g.roll = None;
    });
    eks::end(world, cluster, &roll.update, UpdateStatus::Failed, vec![error]);
}
