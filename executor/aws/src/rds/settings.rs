//! The settings of an instance that a restore would lose: given with the restore, and compared afterwards.
//!
//! A restore takes the default security group, the default parameter group, one zone and no protection from deletion unless it
//! is told otherwise (facts: README).

use aws_sdk_rds::operation::{
    modify_db_instance::builders::ModifyDBInstanceFluentBuilder as Modify,
    restore_db_instance_from_db_snapshot::builders::RestoreDBInstanceFromDBSnapshotFluentBuilder as Restore,
};
use serde_json::Value;

use crate::classify::CallError;

/// An instance as it was captured.
#[derive(Clone, Debug)]
pub(crate) struct Settings<'a>(&'a Value);

/// Fields that are compared after a restore, by pointer.
const COMPARED: [&str; 12] = [
    "/DBInstanceClass",
    "/MultiAZ",
    "/DeletionProtection",
    "/PubliclyAccessible",
    "/BackupRetentionPeriod",
    "/PreferredBackupWindow",
    "/PreferredMaintenanceWindow",
    "/MaxAllocatedStorage",
    "/MonitoringInterval",
    "/IAMDatabaseAuthenticationEnabled",
    PARAMETERS,
    OPTIONS,
];

const PARAMETERS: &str = "/DBParameterGroups/0/DBParameterGroupName";
const OPTIONS: &str = "/OptionGroupMemberships/0/OptionGroupName";

impl<'a> Settings<'a> {
    /// From a capture of the whole instance.
    pub(crate) fn read(captured: &'a Value) -> Result<Self, CallError> {
        let settings = Self(captured);
        if settings.resource_id().is_empty() || settings.text("/DBInstanceClass").is_none() {
            return Err(CallError::malformed(
                "what was captured of the instance holds no DbiResourceId and DBInstanceClass",
            ));
        }
        Ok(settings)
    }

    /// By which the captured instance is told from a restored one.
    pub(crate) fn resource_id(&self) -> &'a str {
        self.0.pointer("/DbiResourceId").and_then(Value::as_str).unwrap_or_default()
    }

    fn text(&self, pointer: &str) -> Option<String> {
        self.0.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
    }

    /// A group that somebody chose. RDS's own are named after engine and version, and are taken when none is given.
    fn group(&self, pointer: &str) -> Option<String> {
        self.text(pointer).filter(|name| !name.starts_with("default.") && !name.starts_with("default:"))
    }

    fn flag(&self, pointer: &str) -> Option<bool> {
        self.0.pointer(pointer).and_then(Value::as_bool)
    }

    fn number(&self, pointer: &str) -> Option<i32> {
        self.0.pointer(pointer).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok())
    }

    fn texts(&self, pointer: &str) -> Option<Vec<String>> {
        let items = self.0.pointer(pointer)?.as_array()?;
        let texts: Vec<String> = items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
        (!texts.is_empty()).then_some(texts)
    }

    fn security_groups(of: &Value) -> Vec<String> {
        let groups = of.pointer("/VpcSecurityGroups").and_then(Value::as_array).into_iter().flatten();
        let id = |group: &Value| group.pointer("/VpcSecurityGroupId")?.as_str().map(str::to_owned);
        let mut groups: Vec<String> = groups.filter_map(id).collect();
        groups.sort();
        groups
    }

    /// Where it may be reached from, and how large it is: what a restore needs in any case.
    fn common(&self, restore: Restore) -> Restore {
        let groups = Self::security_groups(self.0);
        restore
            .set_db_instance_class(self.text("/DBInstanceClass"))
            .set_db_subnet_group_name(self.text("/DBSubnetGroup/DBSubnetGroupName"))
            .set_vpc_security_group_ids((!groups.is_empty()).then_some(groups))
            .set_db_parameter_group_name(self.group(PARAMETERS))
            .set_option_group_name(self.group(OPTIONS))
            .set_license_model(self.text("/LicenseModel"))
            .set_port(self.number("/Endpoint/Port"))
            .set_network_type(self.text("/NetworkType"))
            .set_storage_type(self.text("/StorageType"))
    }

    /// As it was, in full.
    pub(crate) fn restore(&self, restore: Restore) -> Restore {
        self.common(restore)
            .set_multi_az(self.flag("/MultiAZ"))
            .set_deletion_protection(self.flag("/DeletionProtection"))
            .set_publicly_accessible(self.flag("/PubliclyAccessible"))
            .set_iops(self.number("/Iops"))
            .set_storage_throughput(self.number("/StorageThroughput"))
            .set_dedicated_log_volume(self.flag("/DedicatedLogVolume"))
            .set_auto_minor_version_upgrade(self.flag("/AutoMinorVersionUpgrade"))
            .set_copy_tags_to_snapshot(self.flag("/CopyTagsToSnapshot"))
            .set_enable_iam_database_authentication(self.flag("/IAMDatabaseAuthenticationEnabled"))
            .set_enable_cloudwatch_logs_exports(self.texts("/EnabledCloudwatchLogsExports"))
            .set_ca_certificate_identifier(self.text("/CACertificateIdentifier"))
            .set_engine_lifecycle_support(self.text("/EngineLifecycleSupport"))
            .set_backup_retention_period(self.number("/BackupRetentionPeriod"))
            .set_preferred_backup_window(self.text("/PreferredBackupWindow"))
    }

    /// A trial: in one zone, reachable by nobody from outside, and easily deleted.
    pub(crate) fn trial(&self, restore: Restore) -> Restore {
        self.common(restore).multi_az(false).deletion_protection(false).publicly_accessible(false)
    }

    /// Tags of the captured instance; those of AWS itself cannot be set.
    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        let tags = self.0.pointer("/TagList").and_then(Value::as_array).into_iter().flatten();
        let text = |tag: &Value, name: &str| tag.get(name).and_then(Value::as_str).map(str::to_owned);
        tags.filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value").unwrap_or_default())))
            .filter(|(key, _)| !key.starts_with("aws:") && !key.starts_with("switchback.dev/"))
            .collect()
    }

    /// Fields that are not as they were.
    pub(crate) fn differences(&self, now: &Value) -> Vec<String> {
        let moved = |pointer: &&&str| match self.0.pointer(pointer) {
            None | Some(Value::Null) => false,
            Some(_) if [PARAMETERS, OPTIONS].contains(pointer) && self.group(pointer).is_none() => false,
            was => now.pointer(pointer) != was,
        };
        let mut fields: Vec<String> =
            COMPARED.iter().filter(moved).map(|pointer| pointer.trim_start_matches('/').to_owned()).collect();
        let groups = Self::security_groups(self.0);
        if !groups.is_empty() && groups != Self::security_groups(now) {
            fields.push("VpcSecurityGroups".to_owned());
        }
        fields
    }

    /// Puts the fields back that differ.
    pub(crate) fn mend(&self, modify: Modify, fields: &[String]) -> Modify {
        let differs = |name: &str| fields.iter().any(|field| field.split('/').next() == Some(name));
        let mut modify = modify.apply_immediately(true);
        if differs("VpcSecurityGroups") {
            modify = modify.set_vpc_security_group_ids(Some(Self::security_groups(self.0)));
        }
        if differs("DBParameterGroups") {
            modify = modify.set_db_parameter_group_name(self.group(PARAMETERS));
        }
        if differs("OptionGroupMemberships") {
            modify = modify.set_option_group_name(self.group(OPTIONS));
        }
        if differs("MonitoringInterval") {
            modify = modify
                .set_monitoring_interval(self.number("/MonitoringInterval"))
                .set_monitoring_role_arn(self.text("/MonitoringRoleArn"));
        }
        if differs("IAMDatabaseAuthenticationEnabled") {
            modify =
                modify.set_enable_iam_database_authentication(self.flag("/IAMDatabaseAuthenticationEnabled"));
        }
        if differs("DBInstanceClass") {
            modify = modify.set_db_instance_class(self.text("/DBInstanceClass"));
        }
        if differs("MultiAZ") {
            modify = modify.set_multi_az(self.flag("/MultiAZ"));
        }
        if differs("DeletionProtection") {
            modify = modify.set_deletion_protection(self.flag("/DeletionProtection"));
        }
        if differs("PubliclyAccessible") {
            modify = modify.set_publicly_accessible(self.flag("/PubliclyAccessible"));
        }
        if differs("BackupRetentionPeriod") {
            modify = modify.set_backup_retention_period(self.number("/BackupRetentionPeriod"));
        }
        if differs("PreferredBackupWindow") {
            modify = modify.set_preferred_backup_window(self.text("/PreferredBackupWindow"));
        }
        if differs("PreferredMaintenanceWindow") {
            modify = modify.set_preferred_maintenance_window(self.text("/PreferredMaintenanceWindow"));
        }
        if differs("MaxAllocatedStorage") {
            modify = modify.set_max_allocated_storage(self.number("/MaxAllocatedStorage"));
        }
        modify
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_was_captured_is_compared() {
        let captured = json!({"DbiResourceId": "db-A", "DBInstanceClass": "db.m6g.large", "MultiAZ": true,
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-2"}, {"VpcSecurityGroupId": "sg-1"}],
            "DBParameterGroups": [{"DBParameterGroupName": "ours"}], "PreferredBackupWindow": null,
            "TagList": [{"Key": "team", "Value": "ml"}, {"Key": "aws:x", "Value": "y"}]});
        let settings = Settings::read(&captured).unwrap();
        assert_eq!(settings.tags(), [("team".to_owned(), "ml".to_owned())]);
        let mut now = captured.clone();
        now["VpcSecurityGroups"] = json!([{"VpcSecurityGroupId": "sg-1"}, {"VpcSecurityGroupId": "sg-2"}]);
        now["PreferredMaintenanceWindow"] = json!("sun:03:00-sun:04:00");
        assert_eq!(settings.differences(&now), Vec::<String>::new());
        now["MultiAZ"] = json!(false);
        now["VpcSecurityGroups"] = json!([{"VpcSecurityGroupId": "sg-default"}]);
        now["DBParameterGroups"][0]["DBParameterGroupName"] = json!("default.postgres16");
        assert_eq!(
            settings.differences(&now),
            ["MultiAZ", "DBParameterGroups/0/DBParameterGroupName", "VpcSecurityGroups"]
        );
        assert!(Settings::read(&json!({"DBInstanceClass": "x"})).is_err());
    }
}
