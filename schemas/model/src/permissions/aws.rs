//! What is asked of AWS: by the drivers, and by AWS itself inside of a call.

use std::collections::BTreeSet;

use switchback_schemas::{
    name::Label,
    plan::{Arn, CloudCondition, CloudKind, CloudRef, EksEffect, Identity, RdsEffect},
};

use super::{Iam, Needs, Permission};

impl<'plan> Needs<'plan> {
    fn iam(&mut self, actions: &[&str], resource: impl AsRef<str>) {
        for action in actions {
            let iam = Iam { action: (*action).to_owned(), resource: resource.as_ref().to_owned() };
            self.found.insert(Permission::Iam(iam));
        }
    }

    /// What is at AWS of a target, whose roles are taken on then.
    fn arn(&mut self, target: &Label) -> Option<&'plan Arn> {
        let plan = self.plan;
        let (target, identity) = plan.platform.targets.get_key_value(target)?;
        let arn = &identity.aws()?.arn;
        self.aws.insert(target);
        Some(arn)
    }

    /// What was found, with the roles that are taken on before a call of AWS. All of them are, whichever way a run goes: one that
    /// cannot be had is found at its beginning.
    pub(super) fn with_roles(mut self) -> BTreeSet<Permission> {
        for target in std::mem::take(&mut self.aws) {
            let roles = self.plan.platform.targets.get(target).and_then(Identity::aws).map(|of| &of.roles);
            let roles = roles.into_iter().flat_map(|roles| [&roles.observe, &roles.apply, &roles.rollback]);
            roles.flatten().for_each(|role| self.iam(&["sts:AssumeRole"], role.as_str()));
        }
        self.found
    }

    pub(super) fn proof_at_aws(&mut self, target: &Label, identity: &Identity) {
        let kind = match identity {
            Identity::Cluster { .. } => CloudKind::EksCluster,
            Identity::Database { .. } => CloudKind::RdsInstance,
        };
        self.described(&CloudRef { target: target.clone(), kind, name: None });
    }

    /// To describe something.
    pub(super) fn described(&mut self, of: &CloudRef) {
        let Some(arn) = self.arn(&of.target) else { return };
        let name = of.name.as_deref().unwrap_or("*");
        match of.kind {
            CloudKind::EksCluster => self.iam(&["eks:DescribeCluster"], arn.as_str()),
            CloudKind::EksAddon => self.iam(&["eks:DescribeAddon"], of_cluster(arn, "addon", name)),
            CloudKind::EksNodegroup => {
                self.iam(&["eks:DescribeNodegroup"], of_cluster(arn, "nodegroup", name));
            }
            CloudKind::RdsInstance => self.iam(&["rds:DescribeDBInstances"], of_rds(arn, "db", "*")),
            CloudKind::RdsSnapshot => self.iam(&["rds:DescribeDBSnapshots"], of_rds(arn, "snapshot", name)),
        }
    }

    pub(super) fn cloud_condition(&mut self, condition: &CloudCondition) {
        match condition {
            CloudCondition::Field { of, .. } => self.described(of),
            CloudCondition::Insights { target, .. } => {
                let Some(arn) = self.arn(target) else { return };
                // EKS is asked to look again before a finding stops anything.
                let actions = ["eks:ListInsights", "eks:DescribeInsightsRefresh", "eks:StartInsightsRefresh"];
                self.iam(&actions, arn.as_str());
            }
            CloudCondition::FreeAddresses { target, .. } => {
                let Some(arn) = self.arn(target) else { return };
                self.iam(&["eks:DescribeCluster"], arn.as_str());
                self.iam(&["ec2:DescribeSubnets"], "*");
            }
        }
    }

    pub(super) fn eks_effect(&mut self, effect: &EksEffect) {
        match effect {
            EksEffect::UpdateCluster(update) => {
                let Some(arn) = self.arn(&update.target) else { return };
                self.iam(&["eks:UpdateClusterVersion", "eks:DescribeCluster"], arn.as_str());
                self.updates(arn);
            }
            EksEffect::UpdateAddon(update) => {
                let Some(arn) = self.arn(&update.target) else { return };
                let addon = of_cluster(arn, "addon", &update.addon);
                self.iam(&["eks:UpdateAddon", "eks:DescribeAddon"], addon);
                self.iam(&["eks:UpdateAddon"], arn.as_str());
                self.updates(arn);
                // The role of its service account is handed on again, if it has one.
                self.iam(&["iam:PassRole"], roles(arn));
            }
            EksEffect::UpdateNodegroup(update) => {
                self.on_group(&update.target, &update.nodegroup, &["eks:UpdateNodegroupVersion"]);
            }
            EksEffect::CreateNodegroup(create) => {
                // Its tags are put on the copy.
                let actions = ["eks:CreateNodegroup", "eks:TagResource"];
                self.on_group(&create.target, &create.nodegroup, &actions);
                let Some(arn) = self.arn(&create.target) else { return };
                self.iam(&["eks:CreateNodegroup"], arn.as_str());
                self.iam(&["eks:DescribeNodegroup"], of_cluster(arn, "nodegroup", &create.like));
                // The role of its nodes is handed on; its launch template is read, and instances are made of it.
                self.iam(&["iam:PassRole"], roles(arn));
                self.iam(&["ec2:DescribeLaunchTemplateVersions", "ec2:RunInstances"], "*");
            }
            EksEffect::ScaleNodegroup(scale) => {
                self.on_group(&scale.target, &scale.nodegroup, &["eks:UpdateNodegroupConfig"]);
            }
            EksEffect::DeleteNodegroup(delete) => {
                self.on_group(&delete.target, &delete.nodegroup, &["eks:DeleteNodegroup"]);
                self.iam(&["autoscaling:DescribeAutoScalingGroups"], "*");
            }
            EksEffect::TerminateNode(terminate) => {
                let Some(arn) = self.arn(&terminate.target) else { return };
                let groups = format!("{}:autoScalingGroup:*", beside(arn, "autoscaling"));
                self.iam(&["autoscaling:TerminateInstanceInAutoScalingGroup"], groups);
                self.iam(&["autoscaling:DescribeAutoScalingInstances", "ec2:DescribeInstances"], "*");
            }
        }
    }

    pub(super) fn rds_effect(&mut self, effect: &RdsEffect) {
        match effect {
            RdsEffect::Snapshot(take) => {
                let Some(arn) = self.arn(&take.target) else { return };
                let snapshot = of_rds(arn, "snapshot", &take.snapshot);
                self.iam(&["rds:CreateDBSnapshot"], arn.as_str());
                let actions = ["rds:CreateDBSnapshot", "rds:AddTagsToResource", "rds:DescribeDBSnapshots"];
                self.iam(&actions, snapshot);
                self.iam(&["rds:DescribeDBInstances"], of_rds(arn, "db", "*"));
            }
            RdsEffect::ProveSnapshot(prove) => {
                let Some(arn) = self.arn(&prove.target) else { return };
                self.restored_from(arn, &prove.snapshot, &prove.trial);
                // That it was proven is written on it.
                self.iam(&["rds:AddTagsToResource"], of_rds(arn, "snapshot", &prove.snapshot));
                let trial = of_rds(arn, "db", &prove.trial);
                self.iam(&["rds:ModifyDBInstance", "rds:DeleteDBInstance"], trial);
            }
            RdsEffect::Restore(restore) => {
                let Some(arn) = self.arn(&restore.target) else { return };
                self.restored_from(arn, &restore.snapshot, arn.name());
                for instance in [arn.name(), &restore.aside] {
                    self.iam(&["rds:ModifyDBInstance"], of_rds(arn, "db", instance));
                }
            }
            RdsEffect::DeleteSnapshot(delete) => {
                let Some(arn) = self.arn(&delete.target) else { return };
                let actions = ["rds:DescribeDBSnapshots", "rds:DeleteDBSnapshot"];
                self.iam(&actions, of_rds(arn, "snapshot", &delete.snapshot));
            }
            RdsEffect::DeleteInstance(delete) => {
                let Some(arn) = self.arn(&delete.target) else { return };
                let actions = ["rds:DescribeDBInstances", "rds:ModifyDBInstance", "rds:DeleteDBInstance"];
                self.iam(&actions, of_rds(arn, "db", &delete.instance));
                let last = of_rds(arn, "snapshot", &delete.last_snapshot);
                self.iam(&["rds:DeleteDBInstance", "rds:CreateDBSnapshot"], last);
            }
        }
    }

    /// Actions on a managed group, and on the updates that they start.
    fn on_group(&mut self, target: &Label, group: &str, actions: &[&str]) {
        let Some(arn) = self.arn(target) else { return };
        let group = of_cluster(arn, "nodegroup", group);
        self.iam(actions, &group);
        self.iam(&["eks:DescribeNodegroup"], &group);
        self.updates(arn);
    }

    /// To follow an update, and to find one whose answer was lost.
    fn updates(&mut self, cluster: &Arn) {
        self.iam(&["eks:DescribeUpdate", "eks:ListUpdates"], cluster.as_str());
    }

    /// To make an instance from a snapshot: the call names both, and the groups that a restore would otherwise lose.
    fn restored_from(&mut self, arn: &Arn, snapshot: &str, instance: &str) {
        self.iam(&["rds:DescribeDBInstances"], of_rds(arn, "db", "*"));
        self.iam(&["rds:DescribeDBSnapshots"], of_rds(arn, "snapshot", snapshot));
        let named = [("db", instance), ("snapshot", snapshot), ("subgrp", "*"), ("pg", "*"), ("og", "*")];
        for (kind, name) in named {
            self.iam(&["rds:RestoreDBInstanceFromDBSnapshot"], of_rds(arn, kind, name));
        }
        self.iam(&["rds:AddTagsToResource"], of_rds(arn, "db", instance));
    }
}

/// Add-ons or managed groups of a cluster by their name; AWS appends an id to each.
fn of_cluster(cluster: &Arn, kind: &str, name: &str) -> String {
    format!("{}:{kind}/{}/{name}/*", beside(cluster, "eks"), cluster.name())
}

/// Something of RDS in the account and region of an instance.
fn of_rds(instance: &Arn, kind: &str, name: &str) -> String {
    format!("{}:{kind}:{name}", beside(instance, "rds"))
}

/// Roles of the account, which may be handed on.
fn roles(of: &Arn) -> String {
    format!("arn:{}:iam::{}:role/*", of.partition(), of.account())
}

/// The beginning of the names of a service's resources in the same account and region.
fn beside(of: &Arn, service: &str) -> String {
    format!("arn:{}:{service}:{}:{}", of.partition(), of.region(), of.account())
}
