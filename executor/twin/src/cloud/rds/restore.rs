//! A restore: a new instance with the snapshot's data, and without the settings that nobody names.

use super::{find_snapshot, identifier, instances, named, tags};
use crate::cloud::identity::Caller;
use crate::cloud::protocol::{Answered, AwsError, Request};
use crate::cloud::rds::state::{
    DEFAULT_GROUP, Instance as DbInstance, Settings as DbSettings, SnapshotStatus, default_group,
};
use crate::world::World;

pub(super) fn restore(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let id = identifier(request.required("DBInstanceIdentifier")?, "DBInstanceIdentifier", 63)?;
    let snapshot = request.required("DBSnapshotIdentifier")?.to_lowercase();
    // An ARN names a snapshot too.
    let snapshot = snapshot.rsplit(':').next().unwrap_or_default().to_owned();
    let found = find_snapshot(world.cloud(), request, caller, &snapshot)?.clone();
    if found.status != SnapshotStatus::Available {
        return Err(AwsError::new(
            400,
            "InvalidDBSnapshotState",
            format!("The snapshot {snapshot} is {}, not available.", found.status),
        ));
    }
    instances::free(world, &id)?;
    let before = &found.settings;
    // What a snapshot does not bring along (facts: mlflow.yaml, rds.RestoreDBInstanceFromDBSnapshot.defaults_lost).
    let mut settings = DbSettings {
        subnet_group: "default".into(),
        security_groups: vec![DEFAULT_GROUP.to_owned()],
        parameter_group: default_group(&before.engine, &before.engine_version),
        multi_az: false,
        deletion_protection: false,
        cluster: String::new(),
        tags: tags(request),
        ..before.clone()
    };
    named(request, &mut settings)?;
    let instance = DbInstance {
        account: caller.account.clone(),
        region: request.region.clone(),
        databases: found.databases.clone(),
        settings,
        ..DbInstance::default()
    };
    let takes = world.settings().cloud.db_restore;
    let fails = found.broken.then(|| "incompatible-restore".to_owned());
    Ok(instances::begin(world, &id, instance, takes, fails).on(format!("{snapshot} -> {id}")))
}
