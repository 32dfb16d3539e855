//! Manual snapshots.

use std::collections::BTreeMap;

use super::{find, find_snapshot, identifier, idle, operations, page, tag_list, tags, when};
use crate::cloud::Cloud;
use crate::cloud::identity::Caller;
use crate::cloud::protocol::{Answered, AwsError, Done, Request, Xml};
use crate::cloud::rds::state::{Operation, OperationStatus, Snapshot as DbSnapshot, SnapshotStatus};
use crate::world::World;

/// Manual snapshots that an account may have.
const QUOTA: usize = 100;

/// A name that no snapshot has yet.
pub(super) fn fresh(cloud: &Cloud, name: &str, field: &str) -> Result<String, AwsError> {
    let id = identifier(name, field, 255)?;
    if cloud.rds.snapshots.contains_key(&id) {
        return Err(AwsError::new(
            400,
            "DBSnapshotAlreadyExists",
            format!("Cannot create the snapshot because a snapshot with the identifier {id} already exists."),
        ));
    }
    if cloud.rds.snapshots.len() >= cloud.rds.snapshot_quota.unwrap_or(QUOTA) {
        return Err(AwsError::new(
            400,
            "SnapshotQuotaExceeded",
            "Cannot create more than the allowed number of manual snapshots",
        ));
    }
    Ok(id)
}

/// Begins a snapshot of an instance that is there; it ends with what is done to the instance meanwhile.
pub(super) fn begin(world: &mut World, id: &str, of: &str, takes: i64) {
    let now = world.now();
    let ready = now.checked_add(crate::world::Timings::ms(takes)).ok();
    let Some(instance) = world.cloud().rds.instances.get(of) else { return };
    let snapshot = DbSnapshot {
        account: instance.account.clone(),
        region: instance.region.clone(),
        instance: of.to_owned(),
        resource_id: instance.resource_id.clone(),
        status: SnapshotStatus::Creating,
        begun: Some(now),
        ready,
        settings: instance.settings.clone(),
        databases: instance.databases.clone(),
        broken: false,
        tags: BTreeMap::new(),
    };
    world.cloud_mut().rds.snapshots.insert(id.to_owned(), snapshot);
}

pub(super) fn create(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let of = request.required("DBInstanceIdentifier")?.to_lowercase();
    let instance = find(world.cloud(), request, caller, &of)?;
    let id = fresh(world.cloud(), request.required("DBSnapshotIdentifier")?, "DBSnapshotIdentifier")?;
    idle(instance, &of)?;
    let takes = world.settings().cloud.db_snapshot;
    begin(world, &id, &of, takes);
    let cloud = world.cloud_mut();
    let doom = cloud.doom.take();
    if let Some(snapshot) = cloud.rds.snapshots.get_mut(&id) {
        snapshot.tags = tags(request);
    }
    if let Some(instance) = cloud.rds.instances.get_mut(&of) {
        instance.operation = Some(Operation {
            status: OperationStatus::BackingUp,
            snapshot: Some(id.clone()),
            fails: doom.map(|d| d.code),
            ..Operation::default()
        });
    }
    operations::begin(world, &of, takes);
    let body = world.cloud().rds.snapshots.get(&id).map(|s| shown(world, &id, s)).unwrap_or_default();
    Ok(Done::xml(Xml::default().inside("DBSnapshot", body).done()).on(format!("{of} -> {id}")))
}

pub(super) fn describe(world: &World, request: &Request<'_>, caller: &Caller) -> Answered {
    let cloud = world.cloud();
    let wanted = request.field("DBSnapshotIdentifier").map(str::to_lowercase);
    let wanted = wanted.map(|w| w.rsplit(':').next().unwrap_or_default().to_owned());
    if let Some(id) = &wanted {
        find_snapshot(cloud, request, caller, id)?;
    }
    let of = request.field("DBInstanceIdentifier").map(str::to_lowercase);
    // The twin keeps manual snapshots only.
    let manual = matches!(request.field("SnapshotType"), None | Some("manual"));
    let all: Vec<_> = cloud
        .rds
        .snapshots
        .iter()
        .filter(|(id, s)| {
            manual
                && s.account == caller.account
                && s.region == request.region
                && wanted.as_ref().is_none_or(|w| w == *id)
                && of.as_ref().is_none_or(|o| *o == s.instance)
        })
        .collect();
    let (page, marker) = page(request, all)?;
    let body = Xml::default().each("DBSnapshots", "DBSnapshot", page, |(id, s)| shown(world, id, s));
    Ok(Done::xml(body.some("Marker", &marker).done()))
}

pub(super) fn delete(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let id = request.required("DBSnapshotIdentifier")?.to_lowercase();
    let mut found = find_snapshot(world.cloud(), request, caller, &id)?.clone();
    if !matches!(found.status, SnapshotStatus::Available | SnapshotStatus::Failed) {
        return Err(AwsError::new(
            400,
            "InvalidDBSnapshotState",
            format!("The snapshot {id} is {}, so it cannot be deleted.", found.status),
        ));
    }
    world.cloud_mut().rds.snapshots.remove(&id);
    found.status = SnapshotStatus::Deleted;
    Ok(Done::xml(Xml::default().inside("DBSnapshot", shown(world, &id, &found)).done()).on(id))
}

/// Hundredths that are done.
fn progress(world: &World, snapshot: &DbSnapshot) -> i64 {
    let (Some(begun), Some(ready)) = (snapshot.begun, snapshot.ready) else { return 100 };
    if snapshot.status != SnapshotStatus::Creating {
        return 100;
    }
    let whole = ready.duration_since(begun).as_secs().max(1);
    (world.now().duration_since(begun).as_secs() * 100 / whole).clamp(0, 99)
}

fn shown(world: &World, id: &str, snapshot: &DbSnapshot) -> Xml {
    let s = &snapshot.settings;
    Xml::default()
        .text("DBSnapshotIdentifier", id)
        .text("DBInstanceIdentifier", &snapshot.instance)
        .text("SnapshotCreateTime", when(snapshot.begun))
        .text("Engine", &s.engine)
        .text("AllocatedStorage", s.storage)
        .text("Status", snapshot.status)
        .text("Port", s.port)
        .some("AvailabilityZone", &s.zone)
        .text("MasterUsername", &s.username)
        .text("EngineVersion", &s.engine_version)
        .text("LicenseModel", "postgresql-license")
        .text("SnapshotType", "manual")
        .text("PercentProgress", progress(world, snapshot))
        .text("StorageType", &s.storage_type)
        .text("Encrypted", s.encrypted)
        .text("DBSnapshotArn", format!("arn:aws:rds:{}:{}:snapshot:{id}", snapshot.region, snapshot.account))
        .text("IAMDatabaseAuthenticationEnabled", false)
        .text("DbiResourceId", &snapshot.resource_id)
        .inside("TagList", tag_list(&snapshot.tags))
}
