//! EKS and RDS by hand.

use serde_json::Value;
use switchback_schemas::{
    name::Label,
    plan::{
        Arn, CloudKind, CloudRef, EksCreateNodegroup, EksEffect, NodegroupSize, Plan, RdsEffect,
        ResolveConflicts,
    },
};

use super::word::{plain, quoted};

/// A resource's name and region, as flags say them; empty for a target that is at no cloud, which lint refuses.
struct Named {
    name: String,
    region: String,
}

fn named(plan: &Plan, target: &Label) -> Named {
    let arn = plan.platform.targets.get(target).and_then(|identity| identity.aws()).map(|aws| &aws.arn);
    let part = |part: fn(&Arn) -> &str| arn.map_or_else(String::new, |arn| quoted(part(arn)));
    Named { name: part(Arn::name), region: part(Arn::region) }
}

/// What describes something, as its API does.
pub(super) fn describe(plan: &Plan, of: &CloudRef) -> String {
    let Named { name: target, region } = named(plan, &of.target);
    let name = of.name.as_deref().map(quoted).unwrap_or_default();
    match of.kind {
        CloudKind::EksCluster => format!("aws eks describe-cluster --region {region} --name {target}"),
        CloudKind::EksAddon => {
            format!("aws eks describe-addon --region {region} --cluster-name {target} --addon-name {name}")
        }
        CloudKind::EksNodegroup => {
            format!(
                "aws eks describe-nodegroup --region {region} --cluster-name {target} --nodegroup-name {name}"
            )
        }
        CloudKind::RdsInstance => {
            format!("aws rds describe-db-instances --region {region} --db-instance-identifier {target}")
        }
        CloudKind::RdsSnapshot => {
            format!("aws rds describe-db-snapshots --region {region} --db-snapshot-identifier {name}")
        }
    }
}

pub(super) fn eks(plan: &Plan, effect: &EksEffect<Value>) -> Vec<String> {
    let Named { name: cluster, region } = named(plan, effect.target());
    let call = |verb: &str| format!("aws eks {verb} --region {region}");
    let of = |verb: &str| format!("{} --cluster-name {cluster}", call(verb));
    let group = |verb: &str, group: &str| format!("{} --nodegroup-name {}", of(verb), quoted(group));
    match effect {
        EksEffect::UpdateCluster(update) => vec![
            format!(
                "{} --name {cluster} --kubernetes-version {}",
                call("update-cluster-version"),
                quoted(update.to.as_str())
            ),
            format!("{} --name {cluster}", call("wait cluster-active")),
        ],
        EksEffect::UpdateAddon(update) => {
            let addon = quoted(&update.addon);
            let conflicts = match update.conflicts {
                ResolveConflicts::None => "NONE",
                ResolveConflicts::Overwrite => "OVERWRITE",
                ResolveConflicts::Preserve => "PRESERVE",
            };
            vec![
                format!(
                    "{} --addon-name {addon} --addon-version {} --resolve-conflicts {conflicts}",
                    of("update-addon"),
                    plain(&update.version)
                ),
                format!("{} --addon-name {addon}", of("wait addon-active")),
            ]
        }
        EksEffect::UpdateNodegroup(update) => {
            let release = update
                .release
                .as_ref()
                .map_or_else(String::new, |release| format!(" --release-version {}", plain(release)));
            vec![
                format!(
                    "{} --kubernetes-version {}{release}",
                    group("update-nodegroup-version", &update.nodegroup),
                    quoted(update.kubernetes.as_str())
                ),
                group("wait nodegroup-active", &update.nodegroup),
            ]
        }
        EksEffect::CreateNodegroup(create) => {
            let described = group("describe-nodegroup", &create.like);
            let release = create
                .release
                .as_ref()
                .map(|it| format!(" --release-version {}", quoted(it)))
                .unwrap_or_default();
            vec![
                format!("{described} --output json | jq {} >nodegroup.json", quoted(&copied(create))),
                format!(
                    "{} --scaling-config {} --kubernetes-version {}{release} --tags {} --cli-input-json file://nodegroup.json",
                    group("create-nodegroup", &create.nodegroup),
                    size(&create.size),
                    quoted(create.kubernetes.as_str()),
                    quoted(&format!("{}={}", EksCreateNodegroup::COPY_OF, create.like)),
                ),
                group("wait nodegroup-active", &create.nodegroup),
            ]
        }
        EksEffect::ScaleNodegroup(scale) => vec![
            format!(
                "{} --scaling-config {}",
                group("update-nodegroup-config", &scale.nodegroup),
                size(&scale.size)
            ),
            group("wait nodegroup-active", &scale.nodegroup),
        ],
        EksEffect::DeleteNodegroup(delete) => vec![
            group("delete-nodegroup", &delete.nodegroup),
            group("wait nodegroup-deleted", &delete.nodegroup),
        ],
        EksEffect::TerminateNode(terminate) => vec![
            format!("INSTANCE={}", plain(&terminate.provider_id)),
            format!(
                "aws autoscaling terminate-instance-in-auto-scaling-group --region {region} --instance-id \"${{INSTANCE##*/}}\" --should-decrement-desired-capacity"
            ),
        ],
    }
}

/// What a copy has of its original, for `jq`. Fields without a value are left out: the CLI takes no null.
fn copied(create: &EksCreateNodegroup<Value>) -> String {
    let ami = create.ami_type.as_ref().map_or_else(|| ".amiType".to_owned(), |ami| format!("{ami:?}"));
    let same = "subnets, nodeRole, instanceTypes, capacityType, diskSize, labels, taints, launchTemplate, updateConfig";
    format!(".nodegroup | {{{same}, amiType: {ami}}} | with_entries(select(.value != null))")
}

fn size(size: &NodegroupSize<Value>) -> String {
    let of = |value: &Value| plain(value);
    format!("minSize={},desiredSize={},maxSize={}", of(&size.min), of(&size.desired), of(&size.max))
}

pub(super) fn rds(plan: &Plan, effect: &RdsEffect<Value>) -> Vec<String> {
    let Named { name: instance, region } = named(plan, effect.target());
    let call = |verb: &str| format!("aws rds {verb} --region {region}");
    let on = |verb: &str, instance: &str| format!("{} --db-instance-identifier {instance}", call(verb));
    let snapshot = |name: &str| format!("--db-snapshot-identifier {}", quoted(name));
    // Class, subnets, security groups and parameter group would be those of a default.
    let restore = |to: &str, from: &str, like: &Value, fields: &str| {
        format!(
            "jq {} <<<{} >instance.json && {} {} --cli-input-json file://instance.json",
            quoted(&format!("{{{fields}}} | with_entries(select(.value != null))")),
            plain(like),
            on("restore-db-instance-from-db-snapshot", to),
            snapshot(from)
        )
    };
    match effect {
        RdsEffect::Snapshot(taken) => vec![
            format!("{} {}", on("create-db-snapshot", &instance), snapshot(&taken.snapshot)),
            format!("{} {}", call("wait db-snapshot-available"), snapshot(&taken.snapshot)),
        ],
        RdsEffect::ProveSnapshot(prove) => {
            let trial = quoted(&prove.trial);
            vec![
                restore(&trial, &prove.snapshot, &prove.instance, PLACED),
                on("wait db-instance-available", &trial),
                format!("{} --skip-final-snapshot", on("delete-db-instance", &trial)),
                on("wait db-instance-deleted", &trial),
            ]
        }
        RdsEffect::Restore(back) => {
            let aside = quoted(&back.aside);
            vec![
                format!(
                    "{} --new-db-instance-identifier {aside} --apply-immediately",
                    on("modify-db-instance", &instance)
                ),
                on("wait db-instance-available", &aside),
                restore(&instance, &back.snapshot, &back.instance, &format!("{PLACED}, {SETTINGS}")),
                on("wait db-instance-available", &instance),
            ]
        }
        RdsEffect::DeleteSnapshot(delete) => {
            vec![format!("{} {}", call("delete-db-snapshot"), snapshot(&delete.snapshot))]
        }
        RdsEffect::DeleteInstance(delete) => {
            let aside = quoted(&delete.instance);
            vec![
                format!("{} --no-deletion-protection --apply-immediately", on("modify-db-instance", &aside)),
                format!(
                    "{} --final-db-snapshot-identifier {}",
                    on("delete-db-instance", &aside),
                    quoted(&delete.last_snapshot)
                ),
                on("wait db-instance-deleted", &aside),
            ]
        }
    }
}

/// Where an instance may be reached from, and how large it is, by the names that a restore takes; for `jq`.
const PLACED: &str = "DBInstanceClass, DBSubnetGroupName: .DBSubnetGroup.DBSubnetGroupName, \
     VpcSecurityGroupIds: [.VpcSecurityGroups[]?.VpcSecurityGroupId], \
     DBParameterGroupName: .DBParameterGroups[0]?.DBParameterGroupName, LicenseModel, Port: .Endpoint.Port, NetworkType, \
     StorageType";

/// What else a restore would lose of it.
const SETTINGS: &str = "MultiAZ, DeletionProtection, PubliclyAccessible, Iops, StorageThroughput, DedicatedLogVolume, \
     AutoMinorVersionUpgrade, CopyTagsToSnapshot, CACertificateIdentifier, EngineLifecycleSupport, BackupRetentionPeriod, \
     PreferredBackupWindow, EnableIAMDatabaseAuthentication: .IAMDatabaseAuthenticationEnabled, \
     EnableCloudwatchLogsExports: .EnabledCloudwatchLogsExports";
