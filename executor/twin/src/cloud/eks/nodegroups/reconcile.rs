//! A node group: as many instances as it is told, from its beginning to its end.

use super::drain::{self, Progress};
use super::{change, get, instances, key, roll};
use crate::cloud::eks;
use crate::cloud::eks::state::{ErrorDetail, InstanceState, Nodegroup, NodegroupStatus};
use crate::cloud::plan;
use crate::world::{Timings, World};

/// Takes a group one step further.
pub(in crate::cloud::eks) fn act(world: &mut World, cluster: &str, group: &str) {
    follow(world, cluster, group);
    let Some(found) = get(world, cluster, group) else { return };
    if found.roll.is_some() {
        roll::step(world, cluster, group);
    } else {
        reconcile(world, cluster, group, &found);
    }
    let Some(found) = get(world, cluster, group) else { return };
    match found.status {
        NodegroupStatus::Deleting if found.instances.is_empty() => {
            if let Ok(cluster) = eks::cluster_mut(world, cluster) {
                cluster.nodegroups.remove(group);
            }
            return;
        }
        NodegroupStatus::Creating => settle(world, cluster, group, &found),
        _ => {}
    }
    if busy(world, cluster, group) {
        // On a grid, so that looks that were planned by different calls fall together.
        let period = world.settings().cloud.nodegroup_look.max(1);
        let passed = world.now().as_millisecond().rem_euclid(period);
        plan(world, key(cluster, group), period - passed);
    }
}

/// Instances that boot join; those that end are gone.
fn follow(world: &mut World, cluster: &str, group: &str) {
    let Some(found) = get(world, cluster, group) else { return };
    let (now, boot) = (world.now(), Timings::ms(world.settings().cloud.node_join));
    for (id, instance) in &found.instances {
        match instance.state {
            InstanceState::Pending if now.duration_since(instance.launched) >= boot => {
                instances::join(world, cluster, group, id);
            }
            InstanceState::Terminating if instance.ends.is_none_or(|at| at <= now) => {
                instances::remove(world, cluster, group, id);
            }
            _ => {}
        }
    }
}

/// Launches what is missing, drains what is too much.
fn reconcile(world: &mut World, cluster: &str, group: &str, found: &Nodegroup) {
    if found.status == NodegroupStatus::CreateFailed {
        return;
    }
    let staying: Vec<_> = found
        .instances
        .iter()
        .filter(|(_, i)| i.state != InstanceState::Terminating && i.drain.is_none())
        .collect();
    let live = i64::try_from(staying.len()).unwrap_or(0);
    for _ in live..found.scaling.desired {
        if let Err(error) = instances::launch(world, cluster, group, &found.release) {
            missing(world, cluster, group, error);
            break;
        }
    }
    if live >= found.scaling.desired && found.status == NodegroupStatus::Degraded && !found.issues.is_empty()
    {
        change(world, cluster, group, |g| {
            g.status = NodegroupStatus::Active;
            g.issues = Vec::new();
        });
    }
    // Instances of another release go first: what a failed update launched.
    let mut extra: Vec<_> = staying
        .iter()
        .map(|(id, i)| (i.release == found.release, roll::order(world, id), (*id).clone()))
        .collect();
    extra.sort();
    let many = usize::try_from((live - found.scaling.desired).max(0)).unwrap_or(0);
    for (_, _, id) in extra.into_iter().take(many) {
        drain::begin(world, cluster, group, &id);
    }
    for (id, _) in found.instances.iter().filter(|(_, i)| i.drain.is_some()) {
        // An Auto Scaling group does not wait for ever for a node that it wants to be rid of.
        if drain::step(world, cluster, group, id, true) == Progress::Empty {
            instances::terminate(world, cluster, group, id);
        }
    }
}

fn missing(world: &mut World, cluster: &str, group: &str, error: ErrorDetail) {
    change(world, cluster, group, |g| {
        g.status = if g.status == NodegroupStatus::Creating {
            NodegroupStatus::CreateFailed
        } else {
            NodegroupStatus::Degraded
        };
        g.issues = vec![error];
    });
}

/// A new group is active once all of its nodes are ready.
fn settle(world: &mut World, cluster: &str, group: &str, found: &Nodegroup) {
    let ready = found.instances.values().filter(|i| instances::ready(world, i)).count();
    if i64::try_from(ready).unwrap_or(0) >= found.scaling.desired {
        change(world, cluster, group, |g| g.status = NodegroupStatus::Active);
    }
}

/// Whether something is under way that nothing else will tell of.
fn busy(world: &World, cluster: &str, group: &str) -> bool {
    get(world, cluster, group).is_some_and(|g| {
        let moving = g.instances.values().any(|i| i.state != InstanceState::InService || i.drain.is_some());
        let count = i64::try_from(g.instances.len()).unwrap_or(0);
        g.roll.is_some()
            || moving
            || matches!(
                g.status,
                NodegroupStatus::Creating | NodegroupStatus::Deleting | NodegroupStatus::Degraded
            )
            || (count != g.scaling.desired && g.status != NodegroupStatus::CreateFailed)
    })
}
