//! What a step's credentials need at AWS for what it asks and does, beside what its component says of its own call: for each
//! condition that is asked of it, for each right that AWS checks inside of another call, and for the roles that are taken on.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    StepId,
    manifest::TargetSpec,
    name::Label,
    plan::{Arn, CloudKind, CloudRef, Condition, Effect, GateKind, Permission, Work},
};

use super::{
    Lowering,
    aws::{iam, of_cluster, of_rds, roles},
};
use crate::context::Cx;

/// Adds to each step, and to each rollback step, what is missing among its permissions.
pub fn add(cx: &Cx<'_>, lowering: &mut Lowering) {
    let Lowering { steps, rollback, gates, .. } = lowering;
    let targets = &cx.manifests.platform.spec.targets;
    let arn = |target: &Label| targets.get(target)?.aws().map(|resource| resource.arn);
    let complete = |work: &mut Work, checks: &[&Condition], target: &Label| {
        let own = of(work, checks, target, &arn);
        put(&mut work.permissions, own);
        let taken_on = targets.get(target).map(taken_on).unwrap_or_default();
        take(&mut work.permissions, &taken_on);
    };
    let mut target_of: BTreeMap<StepId, Label> = BTreeMap::new();
    for step in steps {
        let checks: Vec<&Condition> = gates
            .iter()
            .filter(|gate| step.gates.contains(&gate.id))
            .filter_map(|gate| match &gate.kind {
                GateKind::Check(condition) => Some(condition),
                GateKind::Approval(_) | GateKind::Window(_) | GateKind::NotBefore(_) => None,
            })
            .collect();
        complete(&mut step.work, &checks, &step.target);
        target_of.insert(step.id.clone(), step.target.clone());
    }
    for step in rollback {
        if let Some(target) = step.undoes.first().and_then(|place| target_of.get(place)) {
            complete(&mut step.work, &[], target);
        }
    }
}

fn put(slot: &mut Vec<Permission>, own: Vec<Permission>) {
    for permission in own {
        if !slot.contains(&permission) {
            slot.push(permission);
        }
    }
}

/// To take on the roles of a target. All of them are, whichever way a run goes: one that cannot be had is found at its beginning.
fn taken_on(target: &TargetSpec) -> Vec<Permission> {
    let roles = target.aws().map(|resource| resource.roles).unwrap_or_default();
    let named: BTreeSet<Arn> = [roles.observe, roles.apply, roles.rollback].into_iter().flatten().collect();
    named.into_iter().map(|role| iam("sts:AssumeRole", role.to_string())).collect()
}

/// A step that calls AWS takes on the roles first.
fn take(slot: &mut Vec<Permission>, roles: &[Permission]) {
    if slot.iter().any(|permission| permission.group == Permission::IAM) {
        put(slot, roles.to_vec());
    }
}

/// What work and the checks before it need. A condition names its target; an effect is on that of its step.
fn of(
    work: &Work,
    checks: &[&Condition],
    target: &Label,
    arn: &impl Fn(&Label) -> Option<Arn>,
) -> Vec<Permission> {
    let conditions = work.conditions().into_iter().chain(checks.iter().copied());
    let mut all: Vec<Permission> =
        conditions.flat_map(Condition::leaves).flat_map(|one| asked(one, arn)).collect();
    if let Some(arn) = arn(target) {
        all.extend(work.effects().into_iter().flat_map(|effect| inside(effect, &arn)));
    }
    all
}

/// What AWS is asked for a condition.
fn asked(condition: &Condition, arn: &impl Fn(&Label) -> Option<Arn>) -> Vec<Permission> {
    match condition {
        Condition::Cloud { of, .. } => arn(&of.target).map(|arn| described(of, &arn)).into_iter().collect(),
        Condition::Insights { target, .. } => {
            // EKS is asked to look again before a finding stops anything.
            let actions = ["eks:ListInsights", "eks:DescribeInsightsRefresh", "eks:StartInsightsRefresh"];
            let on = |arn: Arn| actions.map(|action| iam(action, arn.to_string()));
            arn(target).into_iter().flat_map(on).collect()
        }
        Condition::FreeAddresses { target, .. } => {
            let on =
                |arn: Arn| [iam("eks:DescribeCluster", arn.to_string()), iam("ec2:DescribeSubnets", "*")];
            arn(target).into_iter().flat_map(on).collect()
        }
        _ => Vec::new(),
    }
}

fn described(of: &CloudRef, arn: &Arn) -> Permission {
    let name = of.name.as_deref().unwrap_or("*");
    match of.kind {
        CloudKind::EksCluster => iam("eks:DescribeCluster", arn.to_string()),
        CloudKind::EksAddon => iam("eks:DescribeAddon", of_cluster(arn, "addon", name)),
        CloudKind::EksNodegroup => iam("eks:DescribeNodegroup", of_cluster(arn, "nodegroup", name)),
        CloudKind::RdsInstance => iam("rds:DescribeDBInstances", of_rds(arn, "db", "*")),
        CloudKind::RdsSnapshot => iam("rds:DescribeDBSnapshots", of_rds(arn, "snapshot", name)),
    }
}

/// What AWS checks, or a driver asks, inside of an effect's own call.
fn inside(effect: &Effect, arn: &Arn) -> Vec<Permission> {
    let passed = || iam("iam:PassRole", roles(arn));
    match effect {
        // The role of its service account is handed on again, if it has one.
        Effect::EksUpdateAddon(_) => vec![passed()],
        // The role of its nodes is handed on, and its tags are put on the copy.
        Effect::EksCreateNodegroup(create) => {
            vec![passed(), iam("eks:TagResource", of_cluster(arn, "nodegroup", &create.nodegroup))]
        }
        Effect::EksDeleteNodegroup(_) => vec![iam("autoscaling:DescribeAutoScalingGroups", "*")],
        Effect::RdsSnapshot(effect) => vec![tagged(arn, &effect.snapshot)],
        Effect::RdsProveSnapshot(effect) => vec![tagged(arn, &effect.snapshot)],
        _ => Vec::new(),
    }
}

fn tagged(arn: &Arn, snapshot: &str) -> Permission {
    iam("rds:AddTagsToResource", of_rds(arn, "snapshot", snapshot))
}
