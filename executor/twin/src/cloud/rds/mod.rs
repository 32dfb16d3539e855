//! RDS over its query protocol: instances, snapshots, restores. Everything that changes something is asynchronous.

use jiff::Timestamp;

use super::Cloud;
use super::identity::Caller;
use super::protocol::{Answered, AwsError, Request, Xml};
use crate::world::{Key, World, stamp};

mod instances;
mod modify;
mod operations;
mod restore;
mod snapshots;
pub(crate) mod state;
mod tags;

use state::{Instance as DbInstance, Settings as DbSettings, Snapshot as DbSnapshot};

/// The group of the keys under which the provider looks at what is of RDS.
pub(super) const GROUP: &str = "rds";

/// The key under which an instance is looked at.
fn key(id: &str) -> Key {
    Key::new(GROUP, "instances", "", id)
}

/// What is being done to an instance comes to its end.
pub(super) fn act(world: &mut World, key: &Key) {
    if &*key.resource == "instances" {
        operations::act(world, &key.name);
    }
}

/// Answers an operation of RDS.
pub(super) fn answer(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    match request.operation.as_str() {
        "DescribeDBInstances" => instances::describe(world, request, caller),
        "CreateDBInstance" => instances::create(world, request, caller),
        "DeleteDBInstance" => instances::delete(world, request, caller),
        "ModifyDBInstance" => modify::modify(world, request, caller),
        "RestoreDBInstanceFromDBSnapshot" => restore::restore(world, request, caller),
        "AddTagsToResource" => tags::add(world, request, caller),
        "CreateDBSnapshot" => snapshots::create(world, request, caller),
        "DescribeDBSnapshots" => snapshots::describe(world, request, caller),
        "DeleteDBSnapshot" => snapshots::delete(world, request, caller),
        _ => Err(AwsError::not_simulated(&request.what())),
    }
}

/// The status that an instance shows.
pub(crate) fn status(instance: &DbInstance) -> &str {
    match &instance.operation {
        Some(operation) => operation.status.as_str(),
        None if instance.status.is_empty() => "available",
        None => &instance.status,
    }
}

/// Where an instance of a name answers.
pub(crate) fn host(region: &str, id: &str) -> String {
    format!("{id}.c0twin.{region}.rds.amazonaws.com")
}

/// An instance that the caller can see.
fn find<'a>(
    cloud: &'a Cloud,
    request: &Request<'_>,
    caller: &Caller,
    id: &str,
) -> Result<&'a DbInstance, AwsError> {
    cloud
        .rds
        .instances
        .get(id)
        .filter(|i| i.account == caller.account && i.region == request.region)
        .ok_or_else(|| AwsError::new(404, "DBInstanceNotFound", format!("DBInstance {id} not found.")))
}

/// A snapshot that the caller can see.
fn find_snapshot<'a>(
    cloud: &'a Cloud,
    request: &Request<'_>,
    caller: &Caller,
    id: &str,
) -> Result<&'a DbSnapshot, AwsError> {
    cloud
        .rds
        .snapshots
        .get(id)
        .filter(|s| s.account == caller.account && s.region == request.region)
        .ok_or_else(|| AwsError::new(404, "DBSnapshotNotFound", format!("DBSnapshot {id} not found.")))
}

/// An instance that nothing is being done to.
fn idle(instance: &DbInstance, id: &str) -> Result<(), AwsError> {
    let now = status(instance);
    if matches!(now, "available" | "storage-optimization") {
        return Ok(());
    }
    Err(AwsError::new(
        400,
        "InvalidDBInstanceState",
        format!("Instance {id} is not in available state (it is {now})."),
    ))
}

/// An identifier as RDS keeps it: lower case, letters, digits and single hyphens, a letter first.
fn identifier(text: &str, field: &str, longest: usize) -> Result<String, AwsError> {
    let id = text.to_lowercase();
    let good = (1..=longest).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !id.ends_with('-')
        && !id.contains("--");
    if good {
        return Ok(id);
    }
    Err(AwsError::new(
        400,
        "InvalidParameterValue",
        format!(
            "The parameter {field} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        ),
    ))
}

/// A page of what is listed, and the marker of the next one.
fn page<T>(request: &Request<'_>, all: Vec<T>) -> Result<(Vec<T>, String), AwsError> {
    let bad = |message: &str| AwsError::new(400, "InvalidParameterValue", message);
    let most = match request.field("MaxRecords").map(str::parse::<usize>) {
        None => 100,
        Some(Ok(n)) if (20..=100).contains(&n) => n,
        Some(_) => return Err(bad("Invalid value for MaxRecords. Must be between 20 and 100")),
    };
    let from = match request.field("Marker") {
        None => 0,
        Some(marker) => marker
            .strip_prefix("twin-marker-")
            .and_then(|n| n.parse::<usize>().ok())
            .ok_or_else(|| bad("The parameter Marker is not valid"))?,
    };
    let total = all.len();
    let page: Vec<T> = all.into_iter().skip(from).take(most).collect();
    let end = from + page.len();
    Ok((page, if end < total { format!("twin-marker-{end}") } else { String::new() }))
}

/// Values of a filter: `Filters.Filter.N.Name` with `Filters.Filter.N.Values.Value.M`.
fn filter(request: &Request<'_>, name: &str) -> Option<Vec<String>> {
    let prefix = request.form.iter().find_map(|(n, v)| {
        (v == name && n.starts_with("Filters.")).then(|| n.strip_suffix(".Name")).flatten()
    })?;
    let values = format!("{prefix}.Values.");
    Some(request.form.iter().filter(|(n, _)| n.starts_with(&values)).map(|(_, v)| v.clone()).collect())
}

fn when(at: Option<Timestamp>) -> String {
    at.map(stamp).unwrap_or_default()
}

fn tag_list(tags: &std::collections::BTreeMap<String, String>) -> Xml {
    tags.iter().fold(Xml::default(), |out, (key, value)| {
        out.inside("Tag", Xml::default().text("Key", key).text("Value", value))
    })
}

/// An instance as it is shown.
fn shown(world: &World, id: &str, instance: &DbInstance) -> Xml {
    let now = status(instance);
    let s = &instance.settings;
    let arn = format!("arn:aws:rds:{}:{}:db:{id}", instance.region, instance.account);
    let pending = instance.pending.iter().fold(Xml::default(), |out, (name, value)| out.text(name, value));
    let mut xml = Xml::default()
        .text("DBInstanceIdentifier", id)
        .text("DBInstanceClass", &s.class)
        .text("Engine", &s.engine)
        .text("DBInstanceStatus", now)
        .text("MasterUsername", &s.username)
        .some("DBName", &s.db_name);
    if now != "creating" {
        let endpoint = Xml::default()
            .text("Address", host(&instance.region, id))
            .text("Port", s.port)
            .text("HostedZoneId", "Z0TWIN");
        xml = xml
            .inside("Endpoint", endpoint)
            .text("InstanceCreateTime", when(instance.created))
            .text("LatestRestorableTime", stamp(world.now()));
    }
    xml.text("AllocatedStorage", s.storage)
        .text("PreferredBackupWindow", "02:10-02:40")
        .text("BackupRetentionPeriod", s.backup_retention)
        .inside("DBSecurityGroups", Xml::default())
        .each("VpcSecurityGroups", "VpcSecurityGroupMembership", &s.security_groups, |group| {
            Xml::default().text("VpcSecurityGroupId", group).text("Status", "active")
        })
        .inside(
            "DBParameterGroups",
            Xml::default().inside(
                "DBParameterGroup",
                Xml::default()
                    .text("DBParameterGroupName", &s.parameter_group)
                    .text("ParameterApplyStatus", "in-sync"),
            ),
        )
        .some("AvailabilityZone", &s.zone)
        .inside(
            "DBSubnetGroup",
            Xml::default().text("DBSubnetGroupName", &s.subnet_group).text("SubnetGroupStatus", "Complete"),
        )
        .text("PreferredMaintenanceWindow", "sun:03:10-sun:03:40")
        .inside("PendingModifiedValues", pending)
        .text("MultiAZ", s.multi_az)
        .text("EngineVersion", &s.engine_version)
        .text("AutoMinorVersionUpgrade", true)
        .inside("ReadReplicaDBInstanceIdentifiers", Xml::default())
        .text("LicenseModel", "postgresql-license")
        .text("PubliclyAccessible", false)
        .text("StorageType", &s.storage_type)
        .text("DbInstancePort", 0)
        .text("StorageEncrypted", s.encrypted)
        .some("DBClusterIdentifier", &s.cluster)
        .text("DbiResourceId", &instance.resource_id)
        .text("CopyTagsToSnapshot", false)
        .text("DeletionProtection", s.deletion_protection)
        .text("DBInstanceArn", arn)
        .inside("TagList", tag_list(&s.tags))
}

/// Settings that a request names, over those that would be taken without it.
fn named(request: &Request<'_>, settings: &mut DbSettings) -> Result<(), AwsError> {
    let text = |name: &str, into: &mut String| {
        if let Some(value) = request.field(name) {
            value.clone_into(into);
        }
    };
    text("DBInstanceClass", &mut settings.class);
    text("DBSubnetGroupName", &mut settings.subnet_group);
    text("DBParameterGroupName", &mut settings.parameter_group);
    text("AvailabilityZone", &mut settings.zone);
    text("StorageType", &mut settings.storage_type);
    if let Some(yes) = request.flag("MultiAZ") {
        settings.multi_az = yes;
    }
    if let Some(yes) = request.flag("DeletionProtection") {
        settings.deletion_protection = yes;
    }
    let groups = request.fields("VpcSecurityGroupIds");
    if !groups.is_empty() {
        settings.security_groups = groups.into_iter().map(str::to_owned).collect();
    }
    for (name, into) in [
        ("AllocatedStorage", &mut settings.storage),
        ("BackupRetentionPeriod", &mut settings.backup_retention),
        ("Port", &mut settings.port),
    ] {
        if let Some(value) = request.field(name) {
            *into = value.parse().map_err(|_| {
                AwsError::new(400, "InvalidParameterValue", format!("{name} {value} is not a number"))
            })?;
        }
    }
    Ok(())
}

/// Tags of a request.
fn tags(request: &Request<'_>) -> std::collections::BTreeMap<String, String> {
    request
        .form
        .iter()
        .filter_map(|(name, key)| {
            let stem = name.strip_prefix("Tags.")?.strip_suffix(".Key")?;
            let value = request.field(&format!("Tags.{stem}.Value")).unwrap_or_default();
            Some((key.clone(), value.to_owned()))
        })
        .collect()
}
