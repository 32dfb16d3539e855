//! The EKS API as an owner: the control plane goes one minor up, and one down while EKS takes it back.

use switchback_schemas::{
    Seconds, Version,
    manifest::OwnerKind,
    name::{Label, ObjectName, ObjectRef},
    plan::{
        CloudCondition, CloudKind, CloudRef, Condition, Disruption, Effect, EksEffect, EksUpdateCluster,
        KubeCondition, Operand, Target, Test, UndoKind, Verify, Work,
    },
};

use super::{Asked, ClusterBack, Desired, DesiredCluster, Owner, Subject};
use crate::{
    lower::{Draft, Lowering, Rollback, Undoing, verify},
    predicted::Predicted,
};

/// How long an update may take before it is looked at by a person.
const WITHIN: Seconds = Seconds::minutes(120);

/// Clusters, by calls of the EKS API.
pub(super) struct Eks;

impl Owner for Eks {
    fn kind(&self) -> OwnerKind {
        OwnerKind::Eks
    }

    fn makes(&self, subject: &Subject<'_>) -> bool {
        matches!(subject, Subject::Cluster(_))
    }

    fn is_there(&self, desired: &Desired<'_>, _: &Predicted<'_>) -> bool {
        matches!(desired, Desired::Cluster(cluster) if cluster.from == cluster.to)
    }

    fn change(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>, _: &mut Lowering) -> Option<Draft> {
        let cluster = cluster(&asked.desired)?;
        let target = &asked.scope.target;
        let update = |from: &Version, to: &Version| {
            Effect::Eks(EksEffect::UpdateCluster(EksUpdateCluster {
                target: target.clone(),
                from: from.clone(),
                to: to.clone(),
            }))
        };
        let DesiredCluster { arn, from, to, .. } = cluster;
        let undo = match &cluster.back {
            ClusterBack::Never { why, recovery } => {
                Undoing::Irreversible { why: why.clone(), recovery: recovery.clone() }
            }
            ClusterBack::Window(window) => Undoing::by(Rollback {
                kind: UndoKind::Window,
                after: window.after.clone(),
                expires: window.expires.clone(),
                ..Rollback::new(Work {
                    reads: window.reads.clone(),
                    done_when: Some(at(target, from)),
                    verify: cluster.verified(target, from),
                    timeout: WITHIN,
                    disruption: Disruption::Restart,
                    ..Work::effect(
                        format!("roll the control plane of {} back from {to} to {from}", arn.name()),
                        update(to, from),
                    )
                })
            }),
        };
        let draft = asked
            .scope
            .step(asked.part, &asked.title, update(from, to), undo, predicted.take_reads())
            .done_when(at(target, to))
            .verify(cluster.verified(target, to))
            .within(WITHIN)
            .idempotent()
            .disrupts(Disruption::Restart, None);
        Some(draft)
    }

    fn prove(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>) -> Option<Draft> {
        let cluster = cluster(&asked.desired)?;
        let until = at(&asked.scope.target, &cluster.to);
        let look = asked.scope.look(asked.part, &asked.title, until, predicted.take_reads());
        Some(look.verify(cluster.verified(&asked.scope.target, &cluster.to)))
    }
}

fn cluster<'a>(desired: &'a Desired<'_>) -> Option<&'a DesiredCluster> {
    match desired {
        Desired::Cluster(cluster) => Some(cluster),
        _ => None,
    }
}

/// The cluster of a target is at a minor and at rest.
pub fn at(target: &Label, minor: &Version) -> Condition {
    let of = CloudRef { target: target.clone(), kind: CloudKind::EksCluster, name: None };
    let says = |pointer: &str, text: &str| {
        Condition::Cloud(CloudCondition::Field {
            of: of.clone(),
            pointer: pointer.to_owned(),
            is: Test::Equals(Operand::Value(serde_json::json!(text))),
        })
    };
    Condition::All(vec![says("/version", minor.as_str()), says("/status", "ACTIVE")])
}

impl DesiredCluster {
    /// The update has ended as it should, and the API server answers.
    fn verified(&self, target: &Label, minor: &Version) -> Vec<Verify> {
        let system = ObjectRef::new("v1", "Namespace", &ObjectName::cluster("kube-system"));
        let answers = Condition::Kube(KubeCondition::Field {
            object: Target::Object(system),
            pointer: "/metadata/uid".to_owned(),
            is: Test::Equals(Operand::Value(serde_json::json!(self.uid))),
        });
        let within = Seconds::minutes(15);
        vec![
            verify(format!("the cluster is ACTIVE at {minor}"), at(target, minor), Seconds(30), within),
            verify("the API server answers", answers, Seconds(30), within),
        ]
    }
}
