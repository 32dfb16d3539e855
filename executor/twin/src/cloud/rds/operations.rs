//! What is being done to a database instance comes to its end.

use super::key;
use super::state::{OperationStatus, SnapshotStatus};
use crate::cloud::plan;
use crate::world::{Timings, World};

/// Begins what is being done to an instance: it ends after milliseconds.
pub(super) fn begin(world: &mut World, id: &str, takes: i64) {
    let ends = world.now().checked_add(Timings::ms(takes)).ok();
    if let Some(operation) = world.cloud_mut().rds.instances.get_mut(id).and_then(|i| i.operation.as_mut()) {
        operation.ends = ends;
    }
    plan(world, key(id), takes);
}

pub(super) fn act(world: &mut World, id: &str) {
    let now = world.now();
    let cloud = world.cloud_mut();
    let Some(instance) = cloud.rds.instances.get_mut(id) else { return };
    if instance.operation.as_ref().is_none_or(|o| o.ends.is_some_and(|at| at > now)) {
        return;
    }
    let Some(operation) = instance.operation.take() else { return };
    let deleted = operation.status == OperationStatus::Deleting;
    if deleted {
        cloud.rds.instances.remove(id);
    }
    if let Some(snapshot) = operation.snapshot.as_ref().and_then(|name| cloud.rds.snapshots.get_mut(name)) {
        snapshot.status =
            if operation.fails.is_some() { SnapshotStatus::Failed } else { SnapshotStatus::Available };
        snapshot.ready = Some(now);
    }
    if deleted || operation.snapshot.is_some() {
        return;
    }
    let Some(instance) = cloud.rds.instances.get_mut(id) else { return };
    if let Some(status) = operation.fails {
        instance.status = status;
        return;
    }
    if let Some(settings) = operation.settings {
        instance.settings = settings;
    }
    if let Some(new) = operation.rename
        && let Some(instance) = cloud.rds.instances.remove(id)
    {
        cloud.rds.instances.insert(new, instance);
    }
}
