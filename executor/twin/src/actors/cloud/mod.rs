//! The provider at work: updates of control planes and add-ons, node groups, database instances. What was accepted is in the
//! cloud's state; here it comes to its end.

use jiff::SignedDuration;

use super::{Wakes, id_of};
use crate::cloud::eks;
use crate::cloud::state::{Refresh, Template, Update};
use crate::world::{Change, Key, Timings, World};

mod addons;
mod control_plane;
mod drain;
mod instances;
mod nodegroups;
mod rds;
mod roll;

pub(crate) use addons::begin as begin_addon;
pub(crate) use control_plane::show;
pub(crate) use instances::{launch_now, terminate};
pub(crate) use rds::begin as begin_db;

const EKS: &str = "eks";
const RDS: &str = "rds";

/// The key under which an update is looked at.
pub(crate) fn update_key(cluster: &str, id: &str) -> Key {
    Key::new(EKS, "updates", cluster, id)
}

/// The key under which a refresh of insights is looked at.
pub(crate) fn insights_key(cluster: &str) -> Key {
    Key::new(EKS, "insights", cluster, "")
}

fn group_key(cluster: &str, group: &str) -> Key {
    Key::new(EKS, "nodegroups", cluster, group)
}

/// The key under which a database instance is looked at.
pub(crate) fn db_key(id: &str) -> Key {
    Key::new(RDS, "instances", "", id)
}

/// Lets the provider look at something after milliseconds of domain time.
pub(crate) fn plan(world: &mut World, key: Key, after: i64) {
    world.plan(id_of(act), key, Timings::ms(after));
}

/// Lets it look at a node group at once.
pub(crate) fn look(world: &mut World, cluster: &str, group: &str) {
    let after = world.settings().timings.controller;
    plan(world, group_key(cluster, group), after);
}

/// Begins an update of a node group to a version and an AMI release.
pub(crate) fn begin_roll(
    world: &mut World,
    cluster: &str,
    group: &str,
    update: &Update,
    to: (&str, &str),
    template: Option<Template>,
) {
    roll::begin(world, cluster, group, update, to, template);
    look(world, cluster, group);
}

/// Begins a change of a node group's configuration.
pub(crate) fn begin_config(world: &mut World, cluster: &str, group: &str, update: &Update) {
    let after = world.settings().cloud.nodegroup_config;
    plan(world, update_key(cluster, &update.id), after);
    look(world, cluster, group);
}

/// Begins a new node group.
pub(crate) fn begin_create(world: &mut World, cluster: &str, group: &str) {
    look(world, cluster, group);
}

/// The provider acts on its own state only; nothing that happens in the cluster wakes it.
pub(super) fn notice(_: &World, _: &Change) -> Wakes {
    Vec::new()
}

pub(super) fn act(world: &mut World, key: &Key) {
    let (scope, name) = (&*key.namespace, &*key.name);
    match (&*key.group, &*key.resource) {
        (EKS, "updates") => update(world, scope, name),
        (EKS, "insights") => refreshed(world, scope),
        (EKS, "nodegroups") => nodegroups::act(world, scope, name),
        (RDS, "instances") => rds::act(world, name),
        _ => {}
    }
}

fn update(world: &mut World, cluster: &str, id: &str) {
    let Ok(found) = eks::cluster(world, cluster) else { return };
    let Some(update) = found.updates.iter().find(|u| u.id == id && u.running()).cloned() else { return };
    match (&update.addon, update.kind.as_str()) {
        (Some(_), _) => addons::act(world, cluster, &update),
        (None, "VersionUpdate" | "VersionRollback") if update.nodegroup.is_none() => {
            control_plane::act(world, cluster, &update);
        }
        _ => match &update.doom {
            Some(doom) => eks::end(world, cluster, id, "Failed", vec![doom.clone()]),
            None => eks::end(world, cluster, id, "Successful", Vec::new()),
        },
    }
}

fn refreshed(world: &mut World, cluster: &str) {
    let now = world.now();
    eks::insights::refresh(world, cluster, now);
    if let Ok(found) = eks::cluster_mut(world, cluster)
        && let Some(asked) = &found.refresh
    {
        found.refresh = Some(Refresh { started: asked.started, ended: Some(now) });
    }
}

/// Milliseconds as a duration.
fn ms(value: i64) -> SignedDuration {
    Timings::ms(value)
}
