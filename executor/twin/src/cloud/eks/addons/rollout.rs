//! An add-on's update: its workload gets the new image, and its pods have to become ready.

use serde_json::Value;

use crate::cloud::eks::state::{Addon, AddonStatus, ErrorDetail, Update, UpdateStatus};
use crate::cloud::eks::{self, update_key};
use crate::cloud::plan;
use crate::world::key::{list, number};
use crate::world::{Key, Timings, World};

/// The workload that an add-on installs.
fn workload(text: &str) -> Option<Key> {
    let (resource, name) = text.split_once('/')?;
    Some(Key::new("apps", resource, "kube-system", name))
}

/// Begins an update: the manifests are applied, unless somebody else's fields forbid it.
pub(super) fn begin(world: &mut World, cluster: &str, update: &Update) {
    let after = world.settings().cloud.addon;
    plan(world, update_key(cluster, &update.id), after);
    let Some(name) = &update.addon else { return };
    let Ok(found) = eks::cluster(world, cluster) else { return };
    let Some(addon) = found.addons.get(name).cloned() else { return };
    if update.doom.is_some() || conflict(&addon.changed, update).is_some() {
        return;
    }
    let version = update.param("AddonVersion").unwrap_or_default();
    let image = format!("{}:{version}", addon.image);
    if let Some(key) = workload(&addon.workload).filter(|_| !addon.image.is_empty()) {
        world.modify(&key, |object| {
            if let Some(first) = object.pointer_mut("/spec/template/spec/containers/0/image") {
                *first = image.into();
            }
        });
    }
}

/// Somebody else's fields, where the update may neither keep nor reset them.
fn conflict(changed: &[String], update: &Update) -> Option<ErrorDetail> {
    (update.param("ResolveConflicts") == Some("NONE") && !changed.is_empty()).then(|| ErrorDetail {
        code: "ConfigurationConflict".into(),
        message: format!("Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts: {}", changed.join(", ")),
        resources: Vec::new(),
    })
}

pub(in crate::cloud::eks) fn act(world: &mut World, cluster: &str, update: &Update) {
    let Some(name) = update.addon.clone() else { return };
    let Ok(found) = eks::cluster(world, cluster) else { return };
    let Some(addon) = found.addons.get(&name).cloned() else { return };
    if let Some(error) = update.doom.clone().or_else(|| conflict(&addon.changed, update)) {
        set(world, cluster, &name, AddonStatus::UpdateFailed, |a| a.issues = vec![error.clone()]);
        return eks::end(world, cluster, &update.id, UpdateStatus::Failed, vec![error]);
    }
    let version = update.param("AddonVersion").unwrap_or_default().to_owned();
    let ready = workload(&addon.workload).and_then(|k| world.get(&k)).is_none_or(|o| rolled_out(o));
    let spent = update
        .created
        .is_some_and(|c| world.now().duration_since(c) >= Timings::ms(world.settings().cloud.addon_patience));
    if !ready && !spent {
        let again = world.settings().cloud.nodegroup_look;
        return plan(world, update_key(cluster, &update.id), again);
    }
    let now = world.now();
    if !ready {
        let error = ErrorDetail {
            code: "InsufficientNumberOfReplicas".into(),
            message: format!(
                "The add-on is unhealthy because not all of its pods are ready ({})",
                addon.workload
            ),
            resources: Vec::new(),
        };
        // What was applied stays applied.
        set(world, cluster, &name, AddonStatus::Degraded, |a| {
            a.version.clone_from(&version);
            a.issues = vec![error.clone()];
        });
        return eks::end(world, cluster, &update.id, UpdateStatus::Failed, vec![error]);
    }
    let overwrite = update.param("ResolveConflicts") == Some("OVERWRITE");
    let (role, values) = (update.param("ServiceAccountRoleArn"), update.param("ConfigurationValues"));
    set(world, cluster, &name, AddonStatus::Active, |a| {
        a.version = version;
        a.modified = Some(now);
        if overwrite {
            a.changed = Vec::new();
        }
        if let Some(role) = role {
            role.clone_into(&mut a.role);
        }
        if let Some(values) = values {
            values.clone_into(&mut a.configuration);
        }
    });
    eks::end(world, cluster, &update.id, UpdateStatus::Successful, Vec::new());
}

fn set(world: &mut World, cluster: &str, name: &str, status: AddonStatus, change: impl FnOnce(&mut Addon)) {
    if let Ok(found) = eks::cluster_mut(world, cluster)
        && let Some(addon) = found.addons.get_mut(name)
    {
        addon.status = status;
        change(addon);
    }
}

/// Whether a Deployment or DaemonSet runs what it says.
fn rolled_out(object: &Value) -> bool {
    let at = |pointer: &str| number(object, pointer).unwrap_or(0);
    if at("/status/observedGeneration") < at("/metadata/generation") {
        return false;
    }
    if object.pointer("/spec/replicas").is_some() {
        let wanted = at("/spec/replicas");
        return at("/status/updatedReplicas") == wanted
            && at("/status/readyReplicas") == wanted
            && at("/status/replicas") == wanted;
    }
    let wanted = at("/status/desiredNumberScheduled");
    // A node that cannot be reached does not count as a pod that is missing.
    at("/status/updatedNumberScheduled") == wanted
        && at("/status/numberReady") == wanted
        && !list(object, "/spec/template/spec/containers").is_empty()
}
