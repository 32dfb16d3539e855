//! Instances: seen, made, and deleted.

use super::{filter, find, identifier, idle, named, operations, page, shown, snapshots, tags};
use crate::cloud::identity::Caller;
use crate::cloud::protocol::{Answered, AwsError, Done, Request, Xml};
use crate::cloud::rds::state::{
    Database, Instance as DbInstance, Operation, OperationStatus, Settings as DbSettings,
};
use crate::world::World;

pub(super) fn describe(world: &World, request: &Request<'_>, caller: &Caller) -> Answered {
    let cloud = world.cloud();
    let wanted = request.field("DBInstanceIdentifier").map(str::to_lowercase);
    // An ARN names an instance too.
    let wanted = wanted.map(|w| w.rsplit(':').next().unwrap_or_default().to_owned());
    if let Some(id) = &wanted {
        find(cloud, request, caller, id)?;
    }
    let (ids, resources) = (filter(request, "db-instance-id"), filter(request, "dbi-resource-id"));
    let all: Vec<_> = cloud
        .rds
        .instances
        .iter()
        .filter(|(id, i)| {
            i.account == caller.account
                && i.region == request.region
                && wanted.as_ref().is_none_or(|w| w == *id)
                && ids.as_ref().is_none_or(|all| all.contains(id))
                && resources.as_ref().is_none_or(|all| all.contains(&i.resource_id))
        })
        .collect();
    let (page, marker) = page(request, all)?;
    let body = Xml::default().each("DBInstances", "DBInstance", page, |(id, i)| shown(world, id, i));
    Ok(Done::xml(body.some("Marker", &marker).done()))
}

/// Whether an identifier is free.
pub(super) fn free(world: &World, id: &str) -> Result<(), AwsError> {
    if world.cloud().rds.instances.contains_key(id) {
        return Err(AwsError::new(400, "DBInstanceAlreadyExists", "DB instance already exists"));
    }
    Ok(())
}

/// Puts a new instance in place, which is there after a while.
pub(super) fn begin(
    world: &mut World,
    id: &str,
    mut instance: DbInstance,
    takes: i64,
    fails: Option<String>,
) -> Done {
    let n = world.count();
    instance.resource_id = format!("db-TWIN{n:022X}");
    instance.created = Some(world.now());
    let fails = fails.or_else(|| {
        world.cloud_mut().doom.take().map(|d| if d.code.is_empty() { "failed".into() } else { d.code })
    });
    instance.operation = Some(Operation { status: OperationStatus::Creating, fails, ..Operation::default() });
    world.cloud_mut().rds.instances.insert(id.to_owned(), instance);
    operations::begin(world, id, takes);
    let body = world.cloud().rds.instances.get(id).map(|i| shown(world, id, i)).unwrap_or_default();
    Done::xml(Xml::default().inside("DBInstance", body).done())
}

pub(super) fn create(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let id = identifier(request.required("DBInstanceIdentifier")?, "DBInstanceIdentifier", 63)?;
    let (engine, class) =
        (request.required("Engine")?.to_owned(), request.required("DBInstanceClass")?.to_owned());
    free(world, &id)?;
    let mut settings = DbSettings {
        engine,
        class,
        engine_version: request.field("EngineVersion").unwrap_or_default().into(),
        db_name: request.field("DBName").unwrap_or_default().into(),
        username: request.field("MasterUsername").unwrap_or_default().into(),
        encrypted: request.flag("StorageEncrypted").unwrap_or(false),
        tags: tags(request),
        backup_retention: 1,
        ..DbSettings::default()
    };
    named(request, &mut settings)?;
    settings.fill(&request.region);
    let databases =
        [settings.db_name.clone()].into_iter().filter(|n| !n.is_empty()).map(|n| (n, Database::default()));
    let instance = DbInstance {
        account: caller.account.clone(),
        region: request.region.clone(),
        databases: databases.collect(),
        settings,
        ..DbInstance::default()
    };
    let takes = world.settings().cloud.db_restore;
    Ok(begin(world, &id, instance, takes, None).on(id))
}

pub(super) fn delete(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let id = request.required("DBInstanceIdentifier")?.to_lowercase();
    let found = find(world.cloud(), request, caller, &id)?;
    let combination = |message: &str| AwsError::new(400, "InvalidParameterCombination", message);
    if found.settings.deletion_protection {
        return Err(combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        ));
    }
    if super::status(found) == "deleting" {
        return Err(AwsError::new(
            400,
            "InvalidDBInstanceState",
            format!("Instance {id} is already being deleted."),
        ));
    }
    let last = request.field("FinalDBSnapshotIdentifier");
    let last = match (request.flag("SkipFinalSnapshot").unwrap_or(false), last) {
        (true, Some(_)) => {
            return Err(combination(
                "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot",
            ));
        }
        (false, None) => {
            return Err(combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            ));
        }
        (true, None) => None,
        (false, Some(name)) => Some(snapshots::fresh(world.cloud(), name, "FinalDBSnapshotIdentifier")?),
    };
    // What is broken may go at any time; what is being changed may not.
    if found.operation.is_some() {
        idle(found, &id)?;
    }
    let takes = world.settings().cloud.db_delete;
    if let Some(name) = &last {
        snapshots::begin(world, name, &id, takes);
    }
    if let Some(found) = world.cloud_mut().rds.instances.get_mut(&id) {
        found.operation =
            Some(Operation { status: OperationStatus::Deleting, snapshot: last, ..Operation::default() });
    }
    operations::begin(world, &id, takes);
    let body = world.cloud().rds.instances.get(&id).map(|i| shown(world, &id, i)).unwrap_or_default();
    Ok(Done::xml(Xml::default().inside("DBInstance", body).done()).on(id))
}
