//! Changes of an instance: at once, or in the maintenance window that never comes by itself here.

use super::{find, identifier, idle, instances, named, operations, shown};
use crate::cloud::identity::Caller;
use crate::cloud::protocol::{Answered, AwsError, Done, Request, Xml};
use crate::cloud::rds::state::{Operation, OperationStatus, Settings};
use crate::world::World;

/// Parameters that wait for the maintenance window unless `ApplyImmediately` is given, and what they are called while they wait.
const PENDING: &[(&str, &str)] = &[
    ("DBInstanceClass", "DBInstanceClass"),
    ("AllocatedStorage", "AllocatedStorage"),
    ("MultiAZ", "MultiAZ"),
    ("EngineVersion", "EngineVersion"),
    ("NewDBInstanceIdentifier", "DBInstanceIdentifier"),
];

/// Parameters that the twin plays.
const KNOWN: &[&str] = &[
    "Action",
    "Version",
    "DBInstanceIdentifier",
    "ApplyImmediately",
    "DBInstanceClass",
    "AllocatedStorage",
    "MultiAZ",
    "EngineVersion",
    "AllowMajorVersionUpgrade",
    "NewDBInstanceIdentifier",
    "DeletionProtection",
    "DBParameterGroupName",
    "BackupRetentionPeriod",
    "StorageType",
];

pub(super) fn modify(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let id = request.required("DBInstanceIdentifier")?.to_lowercase();
    let found = find(world.cloud(), request, caller, &id)?;
    let strange = request
        .form
        .iter()
        .find(|(n, _)| !KNOWN.contains(&n.as_str()) && !n.starts_with("VpcSecurityGroupIds."));
    if let Some((name, _)) = strange {
        return Err(AwsError::not_simulated(&format!("rds:ModifyDBInstance with {name}")));
    }
    let at_once = request.flag("ApplyImmediately").unwrap_or(false);
    let rename = request
        .field("NewDBInstanceIdentifier")
        .map(|n| identifier(n, "NewDBInstanceIdentifier", 63))
        .transpose()?;
    if let Some(new) = &rename
        && *new != id
    {
        instances::free(world, new)?;
    }
    idle(found, &id)?;
    let mut settings = found.settings.clone();
    named(request, &mut settings)?;
    if let Some(version) = request.field("EngineVersion") {
        version.clone_into(&mut settings.engine_version);
    }
    let waiting: Vec<(String, String)> = if at_once {
        Vec::new()
    } else {
        let given =
            |(name, shown): &(&str, &str)| request.field(name).map(|v| ((*shown).to_owned(), v.to_owned()));
        PENDING.iter().filter_map(given).collect()
    };
    if !at_once {
        let before = &found.settings;
        settings.class.clone_from(&before.class);
        settings.storage = before.storage;
        settings.multi_az = before.multi_az;
        settings.engine_version.clone_from(&before.engine_version);
    }
    let rename = rename.filter(|new| at_once && *new != id);
    let takes = world.settings().cloud.db_modify;
    let doom = world.cloud_mut().doom.take();
    let changed = found_changes(world, &id, &settings) || rename.is_some();
    let effect = match &rename {
        Some(new) => format!("{id} -> {new}"),
        None => id.clone(),
    };
    if let Some(found) = world.cloud_mut().rds.instances.get_mut(&id) {
        found.pending.extend(waiting);
        if changed {
            // This one is there before anything else is.
            found.settings.deletion_protection = settings.deletion_protection;
            found.operation = Some(Operation {
                status: if rename.is_some() { OperationStatus::Renaming } else { OperationStatus::Modifying },
                rename,
                settings: Some(settings),
                fails: doom.map(|d| d.code),
                ..Operation::default()
            });
        }
    }
    if changed {
        operations::begin(world, &id, takes);
    }
    let body = world.cloud().rds.instances.get(&id).map(|i| shown(world, &id, i)).unwrap_or_default();
    Ok(Done::xml(Xml::default().inside("DBInstance", body).done()).on(effect))
}

fn found_changes(world: &World, id: &str, settings: &Settings) -> bool {
    world.cloud().rds.instances.get(id).is_some_and(|i| i.settings != *settings)
}
