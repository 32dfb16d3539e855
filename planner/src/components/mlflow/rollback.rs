//! The rollback of single steps.
//!
//! A migrated database rolls back only by a restore: MLflow has no downgrade, and the older server refuses a newer revision.

use serde_json::json;
use switchback_schemas::{
    Seconds, StepId,
    name::{Label, ObjectRef},
    plan::{
        CloudCondition, CloudKind, CloudRef, Condition, Disruption, Effect, Estimate, KubeCondition,
        KubeDelete, KubeEffect, Operand, RdsDeleteInstance, RdsDeleteSnapshot, RdsEffect, RdsRestore, Target,
        Test, UndoKind, Work,
    },
};

use super::site::Site;
use crate::lower::{Rollback, Undoing, verify};

/// Something that an object does not have, or does.
pub(super) fn whole(object: &ObjectRef, is: Test) -> Condition {
    Condition::Kube(KubeCondition::Field {
        object: Target::Object(object.clone()),
        pointer: String::new(),
        is,
    })
}

/// The deletion of a Job that may not be there.
pub(super) fn job_gone(job: &ObjectRef, what: &str) -> Rollback {
    let effect = Effect::Kube(KubeEffect::Delete(KubeDelete { object: Target::Object(job.clone()) }));
    Rollback::new(Work {
        done_when: Some(whole(job, Test::Absent {})),
        estimate: Estimate::seconds(2, 10),
        ..Work::effect(format!("delete the {what} Job"), effect)
    })
}

/// What a restore needs to know beside the site.
pub(super) struct Restoring<'a> {
    /// The snapshot.
    pub(super) snapshot: &'a str,
    /// The name that the live instance is given.
    pub(super) aside: &'a str,
    /// The step that captured the instance.
    pub(super) captured: &'a StepId,
    /// The target's name.
    pub(super) of: CloudRef,
    /// Other databases that roll back with it.
    pub(super) others: Vec<String>,
}

/// Puts the instance back as the snapshot holds it. It is done when an instance of the same name is another resource than before,
/// and available: an instance that was only put aside is none of that name.
pub(super) fn restore(site: &Site, restoring: Restoring<'_>) -> Undoing {
    let Restoring { snapshot, aside, captured, of, others } = restoring;
    let capture = |name: &str| Operand::Captured { step: captured.clone(), name: name.to_owned() };
    let cloud = |pointer: &str, is| {
        Condition::Cloud(CloudCondition::Field { of: of.clone(), pointer: pointer.to_owned(), is })
    };
    let available = || cloud("/DBInstanceStatus", Test::Equals(Operand::Value(json!("available"))));
    let another = cloud("/DbiResourceId", Test::Differs(capture("resource")));
    let name = site.instance.arn.name();
    let mut loses =
        vec!["every run, metric, parameter and model that was logged after the snapshot".to_owned()];
    loses.extend(others.iter().map(|other| format!("what was written to {other} after the snapshot")));
    let effect = Effect::Rds(RdsEffect::Restore(RdsRestore {
        target: of.target.clone(),
        snapshot: snapshot.to_owned(),
        aside: aside.to_owned(),
        instance: capture("instance"),
    }));
    let title = format!("restore {name} from snapshot {snapshot}; the live instance is kept as {aside}");
    Undoing::by(Rollback {
        kind: UndoKind::RestoreOnly,
        loses,
        ..Rollback::new(Work {
            done_when: Some(Condition::All(vec![another, available()])),
            verify: vec![verify(
                format!("instance {name} is available"),
                available(),
                Seconds(0),
                Seconds::minutes(30),
            )],
            timeout: Seconds::hours(4),
            disruption: Disruption::Outage,
            estimate: Estimate::seconds(30 * 60, 90 * 60),
            ..Work::effect(title, effect)
        })
    })
}

/// The instance that is a target, as the provider describes it.
pub(super) fn instance_of(database: &switchback_schemas::name::Label) -> CloudRef {
    CloudRef { target: database.clone(), kind: CloudKind::RdsInstance, name: None }
}

/// Deletes the snapshot, when the rollback to it is over.
pub(super) fn delete_snapshot(target: &Label, snapshot: &str) -> Work {
    Work {
        done_when: Some(gone(target, CloudKind::RdsSnapshot, snapshot)),
        timeout: Seconds::minutes(30),
        estimate: Estimate::seconds(30, 300),
        ..Work::effect(
            format!("delete snapshot {snapshot}"),
            Effect::Rds(RdsEffect::DeleteSnapshot(RdsDeleteSnapshot {
                target: target.clone(),
                snapshot: snapshot.to_owned(),
            })),
        )
    }
}

/// Deletes the instance that a restore put aside; what was written to it stays in a last snapshot.
pub(super) fn delete_aside(target: &Label, aside: &str) -> Work {
    let last_snapshot = format!("{aside}-last");
    Work {
        done_when: Some(gone(target, CloudKind::RdsInstance, aside)),
        timeout: Seconds::hours(2),
        estimate: Estimate::seconds(10 * 60, 45 * 60),
        ..Work::effect(
            format!("delete instance {aside}; its last snapshot stays as {last_snapshot}"),
            Effect::Rds(RdsEffect::DeleteInstance(RdsDeleteInstance {
                target: target.clone(),
                instance: aside.to_owned(),
                last_snapshot,
            })),
        )
    }
}

fn gone(target: &Label, kind: CloudKind, name: &str) -> Condition {
    let of = CloudRef { target: target.clone(), kind, name: Some(name.to_owned()) };
    Condition::Cloud(CloudCondition::Field { of, pointer: String::new(), is: Test::Absent {} })
}
