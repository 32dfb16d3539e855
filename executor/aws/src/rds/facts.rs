//! What RDS describes, as JSON in the API's own spelling. Only what is listed here is read: nothing of the master user, no key of
//! an encrypted store of credentials. A condition on a field that is not listed is refused rather than taken for absent.

use aws_sdk_rds::types::{DbInstance, DbSnapshot, PendingModifiedValues, Tag};
use serde_json::{Value, json};

use crate::json::{Fields, instant};

/// Fields of an instance.
pub(crate) const INSTANCE: [&str; 43] = [
    "DBInstanceIdentifier",
    "DBInstanceArn",
    "DbiResourceId",
    "DBInstanceStatus",
    "DBInstanceClass",
    "Engine",
    "EngineVersion",
    "EngineLifecycleSupport",
    "LicenseModel",
    "DBName",
    "DBClusterIdentifier",
    "Endpoint",
    "InstanceCreateTime",
    "LatestRestorableTime",
    "AllocatedStorage",
    "MaxAllocatedStorage",
    "StorageType",
    "StorageThroughput",
    "StorageEncrypted",
    "Iops",
    "DedicatedLogVolume",
    "AvailabilityZone",
    "MultiAZ",
    "NetworkType",
    "PubliclyAccessible",
    "DBSubnetGroup",
    "VpcSecurityGroups",
    "DBParameterGroups",
    "OptionGroupMemberships",
    "AutoMinorVersionUpgrade",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "IAMDatabaseAuthenticationEnabled",
    "EnabledCloudwatchLogsExports",
    "CACertificateIdentifier",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "PerformanceInsightsEnabled",
    "PendingModifiedValues",
    "TagList",
];

/// Fields of a snapshot.
pub(crate) const SNAPSHOT: [&str; 13] = [
    "DBSnapshotIdentifier",
    "DBSnapshotArn",
    "DBInstanceIdentifier",
    "DbiResourceId",
    "Status",
    "PercentProgress",
    "SnapshotType",
    "SnapshotCreateTime",
    "Engine",
    "EngineVersion",
    "AllocatedStorage",
    "Encrypted",
    "TagList",
];

/// An instance.
pub(crate) fn instance(of: &DbInstance) -> Value {
    let endpoint = of.endpoint().map(|endpoint| {
        Fields::default().put("Address", endpoint.address()).put("Port", endpoint.port()).done()
    });
    let subnets = of.db_subnet_group().map(|group| {
        Fields::default()
            .put("DBSubnetGroupName", group.db_subnet_group_name())
            .put("VpcId", group.vpc_id())
            .done()
    });
    let groups = of.vpc_security_groups().iter().map(|group| {
        Fields::default()
            .put("VpcSecurityGroupId", group.vpc_security_group_id())
            .put("Status", group.status())
            .done()
    });
    let parameters = of.db_parameter_groups().iter().map(|group| {
        Fields::default()
            .put("DBParameterGroupName", group.db_parameter_group_name())
            .put("ParameterApplyStatus", group.parameter_apply_status())
            .done()
    });
    let options = of.option_group_memberships().iter().map(|group| {
        Fields::default()
            .put("OptionGroupName", group.option_group_name())
            .put("Status", group.status())
            .done()
    });
    Fields::default()
        .put("DBInstanceIdentifier", of.db_instance_identifier())
        .put("DBInstanceArn", of.db_instance_arn())
        .put("DbiResourceId", of.dbi_resource_id())
        .put("DBInstanceStatus", of.db_instance_status())
        .put("DBInstanceClass", of.db_instance_class())
        .put("Engine", of.engine())
        .put("EngineVersion", of.engine_version())
        .put("EngineLifecycleSupport", of.engine_lifecycle_support())
        .put("LicenseModel", of.license_model())
        .put("DBName", of.db_name())
        .put("DBClusterIdentifier", of.db_cluster_identifier())
        .put("Endpoint", endpoint)
        .put("InstanceCreateTime", instant(of.instance_create_time()))
        .put("LatestRestorableTime", instant(of.latest_restorable_time()))
        .put("AllocatedStorage", of.allocated_storage())
        .put("MaxAllocatedStorage", of.max_allocated_storage())
        .put("StorageType", of.storage_type())
        .put("StorageThroughput", of.storage_throughput())
        .put("StorageEncrypted", of.storage_encrypted())
        .put("Iops", of.iops())
        .put("DedicatedLogVolume", of.dedicated_log_volume())
        .put("AvailabilityZone", of.availability_zone())
        .put("MultiAZ", of.multi_az())
        .put("NetworkType", of.network_type())
        .put("PubliclyAccessible", of.publicly_accessible())
        .put("DBSubnetGroup", subnets)
        .list("VpcSecurityGroups", groups)
        .list("DBParameterGroups", parameters)
        .list("OptionGroupMemberships", options)
        .put("AutoMinorVersionUpgrade", of.auto_minor_version_upgrade())
        .put("BackupRetentionPeriod", of.backup_retention_period())
        .put("PreferredBackupWindow", of.preferred_backup_window())
        .put("PreferredMaintenanceWindow", of.preferred_maintenance_window())
        .put("CopyTagsToSnapshot", of.copy_tags_to_snapshot())
        .put("DeletionProtection", of.deletion_protection())
        .put("IAMDatabaseAuthenticationEnabled", of.iam_database_authentication_enabled())
        .texts("EnabledCloudwatchLogsExports", of.enabled_cloudwatch_logs_exports())
        .put("CACertificateIdentifier", of.ca_certificate_identifier())
        .put("MonitoringInterval", of.monitoring_interval())
        .put("MonitoringRoleArn", of.monitoring_role_arn())
        .put("PerformanceInsightsEnabled", of.performance_insights_enabled())
        .put("PendingModifiedValues", Some(pending(of.pending_modified_values())))
        .list("TagList", of.tag_list().iter().map(tag))
        .done()
}

/// Changes that wait; the password that may be among them is only named.
fn pending(of: Option<&PendingModifiedValues>) -> Value {
    let Some(of) = of else { return json!({}) };
    Fields::default()
        .put("DBInstanceClass", of.db_instance_class())
        .put("AllocatedStorage", of.allocated_storage())
        .put("EngineVersion", of.engine_version())
        .put("MultiAZ", of.multi_az())
        .put("Port", of.port())
        .put("BackupRetentionPeriod", of.backup_retention_period())
        .put("DBInstanceIdentifier", of.db_instance_identifier())
        .put("StorageType", of.storage_type())
        .put("Iops", of.iops())
        .put("StorageThroughput", of.storage_throughput())
        .put("CACertificateIdentifier", of.ca_certificate_identifier())
        .put("DBSubnetGroupName", of.db_subnet_group_name())
        .put("LicenseModel", of.license_model())
        .put("IAMDatabaseAuthenticationEnabled", of.iam_database_authentication_enabled())
        .put("MasterUserPassword", of.master_user_password().map(|_| "changes"))
        .done()
}

/// A snapshot.
pub(crate) fn snapshot(of: &DbSnapshot) -> Value {
    Fields::default()
        .put("DBSnapshotIdentifier", of.db_snapshot_identifier())
        .put("DBSnapshotArn", of.db_snapshot_arn())
        .put("DBInstanceIdentifier", of.db_instance_identifier())
        .put("DbiResourceId", of.dbi_resource_id())
        .put("Status", of.status())
        .put("PercentProgress", of.percent_progress())
        .put("SnapshotType", of.snapshot_type())
        .put("SnapshotCreateTime", instant(of.snapshot_create_time()))
        .put("Engine", of.engine())
        .put("EngineVersion", of.engine_version())
        .put("AllocatedStorage", of.allocated_storage())
        .put("Encrypted", of.encrypted())
        .list("TagList", of.tag_list().iter().map(tag))
        .done()
}

fn tag(of: &Tag) -> Value {
    Fields::default().put("Key", of.key()).put("Value", of.value()).done()
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::{Endpoint, MasterUserSecret};

    use super::*;

    #[test]
    fn fields_are_in_the_apis_spelling_and_hold_no_credentials() {
        let secret = MasterUserSecret::builder().secret_arn("arn:aws:secretsmanager:…:rds!db-1").build();
        let values = PendingModifiedValues::builder().master_user_password("hunter2").port(5433).build();
        let of = DbInstance::builder()
            .db_instance_identifier("flow")
            .dbi_resource_id("db-A")
            .master_username("admin")
            .master_user_secret(secret)
            .endpoint(Endpoint::builder().address("flow.x.rds.amazonaws.com").port(5432).build())
            .pending_modified_values(values)
            .multi_az(true)
            .build();
        let read = instance(&of);
        assert_eq!(read["DbiResourceId"], "db-A");
        assert_eq!(read["Endpoint"]["Port"], 5432);
        assert_eq!(read["PendingModifiedValues"], json!({"Port": 5433, "MasterUserPassword": "changes"}));
        let text = read.to_string();
        assert!(!text.contains("hunter2"));
        assert!(!text.contains("admin"));
        assert!(!text.contains("secretsmanager"));
        for name in read.as_object().unwrap().keys() {
            assert!(INSTANCE.contains(&name.as_str()), "{name} is read and not listed");
        }
        let read = snapshot(&DbSnapshot::builder().status("creating").percent_progress(40).build());
        assert_eq!(read["PercentProgress"], 40);
        for name in read.as_object().unwrap().keys() {
            assert!(SNAPSHOT.contains(&name.as_str()), "{name} is read and not listed");
        }
    }
}
