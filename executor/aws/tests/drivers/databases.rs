//! RDS: snapshots, their proof, and the rollback.

use serde_json::{Value, json};
use switchback_executor::ports::BoundEffect;
use switchback_schemas::{
    journal::{Class, Outcome, WaitsFor},
    plan::CloudKind,
};

use crate::scene::{DATABASE, Scene, call_of, done, effect};

const SNAPSHOT: &str = "flow-before-obs1";
const ASIDE: &str = "mlops-platform-dev-mlflow-aside-obs1";
const TRIAL: &str = "flow-trial-obs1";

fn snapshot() -> BoundEffect {
    effect(json!({"rds": {"snapshot": {"target": "db", "snapshot": SNAPSHOT}}}))
}

fn restore(instance: &Value) -> BoundEffect {
    effect(
        json!({"rds": {"restore": {"target": "db", "snapshot": SNAPSHOT, "aside": ASIDE, "instance": instance}}}),
    )
}

fn prove(instance: &Value) -> BoundEffect {
    effect(json!({"rds": {"proveSnapshot": {"target": "db", "snapshot": SNAPSHOT, "trial": TRIAL,
        "instance": instance}}}))
}

async fn instance(scene: &Scene) -> Value {
    scene.read(CloudKind::RdsInstance, None, "").await
}

/// A scene with a snapshot, and then a migration that the snapshot does not hold.
async fn migrated() -> (Scene, Value) {
    let scene = Scene::new().await;
    let captured = instance(&scene).await;
    done(&scene.carry_on(call_of("snapshot"), &snapshot()).await);
    revise(&scene, "f4a9b2c7d1e6");
    (scene, captured)
}

fn revise(scene: &Scene, revision: &str) {
    scene.twin.with(|world| {
        let instance = world.cloud_mut().rds.instances.get_mut(DATABASE).unwrap();
        instance.databases.get_mut("mlflow").unwrap().revision = revision.into();
    });
}

fn revision(scene: &Scene, instance: &str) -> String {
    scene.twin.with(|world| world.cloud().rds.instances[instance].databases["mlflow"].revision.clone())
}

#[tokio::test]
async fn a_snapshot_is_made_once_and_of_the_right_instance() {
    let scene = Scene::new().await;
    let before = scene.twin.snapshot();
    for nth in 1..=6 {
        scene.twin.restore(before.clone());
        done(&scene.carry_over_loss("rds:*", nth, &snapshot()).await);
        assert_eq!(scene.accepted("rds:CreateDBSnapshot"), 1, "answer {nth} lost");
    }
    scene.twin.restore(before);
    scene.twin.with(|world| {
        let other = switchback_twin::aws::DbSnapshot {
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            instance: "another".into(),
            begun: Some(world.now()),
            ..switchback_twin::aws::DbSnapshot::default()
        };
        world.cloud_mut().rds.snapshots.insert(SNAPSHOT.into(), other);
    });
    let outcome = scene.carry(&snapshot()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
}

#[tokio::test]
async fn more_snapshots_than_the_account_may_have_wait() {
    let scene = Scene::new().await;
    scene.twin.with(|world| world.cloud_mut().rds.snapshot_quota = Some(0));
    let outcome = scene.carry(&snapshot()).await;
    let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
    assert!(matches!(waits_for.as_slice(), [WaitsFor::Capacity { .. }]), "{outcome:?}");
}

/// Whichever answer is lost, and with it all that the process knew, it ends the same: the live instance aside under its resource
/// id, the restored one under the name with every setting, and nothing done twice.
#[tokio::test]
async fn a_restore_goes_on_from_any_point() {
    let (scene, captured) = migrated().await;
    let before = scene.twin.snapshot();
    for nth in 0..=24 {
        scene.twin.restore(before.clone());
        done(&scene.carry_over_loss("rds:*", nth, &restore(&captured)).await);
        assert_eq!(revision(&scene, DATABASE), "1bd49d398cd23", "answer {nth} lost");
        assert_eq!(revision(&scene, ASIDE), "f4a9b2c7d1e6", "answer {nth} lost");
        assert_eq!(scene.accepted("rds:RestoreDBInstanceFromDBSnapshot"), 1, "answer {nth} lost");
        assert_eq!(scene.accepted("rds:ModifyDBInstance"), 1, "answer {nth} lost");
        let now = instance(&scene).await;
        assert_ne!(now["DbiResourceId"], captured["DbiResourceId"]);
        for field in [
            "DBInstanceClass",
            "MultiAZ",
            "DeletionProtection",
            "VpcSecurityGroups",
            "DBSubnetGroup",
            "DBParameterGroups",
            "BackupRetentionPeriod",
            "Endpoint",
        ] {
            assert_eq!(now[field], captured[field], "{field}");
        }
        let tags = now["TagList"].to_string();
        assert!(tags.contains("switchback.dev/restored-from"), "{tags}");
        assert!(tags.contains("platform"), "{tags}");
    }
}

#[tokio::test]
async fn settings_that_did_not_take_are_put_back() {
    let (scene, captured) = migrated().await;
    // Somebody else restored it, with the defaults of a restore, after this run put the live one aside.
    let restored = restore(&captured);
    let mut call = call_of("restore");
    loop {
        let outcome = scene.apply(&call, &restored).await;
        let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
        let [WaitsFor::Operation { id, .. }] = waits_for.as_slice() else { panic!("{outcome:?}") };
        call.operation = Some(id.clone());
        scene.twin.advance_by(std::time::Duration::from_mins(5));
        if scene.accepted("rds:RestoreDBInstanceFromDBSnapshot") > 0 {
            break;
        }
    }
    scene.twin.advance_by(std::time::Duration::from_hours(2));
    scene.twin.with(|world| {
        let settings = &mut world.cloud_mut().rds.instances.get_mut(DATABASE).unwrap().settings;
        settings.parameter_group = "default.postgres16".into();
        settings.security_groups = vec!["sg-0default".into()];
        settings.deletion_protection = false;
    });
    done(&scene.carry_on(call, &restored).await);
    let now = instance(&scene).await;
    for field in ["VpcSecurityGroups", "DBParameterGroups", "DeletionProtection"] {
        assert_eq!(now[field], captured[field], "{field}");
    }
}

#[tokio::test]
async fn nothing_is_renamed_while_there_is_nothing_to_restore() {
    let scene = Scene::new().await;
    let captured = instance(&scene).await;
    let outcome = scene.carry(&restore(&captured)).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("no snapshot"), "{evidence:?}");
    assert_eq!(scene.accepted("rds:ModifyDBInstance"), 0);
}

#[tokio::test]
async fn an_instance_that_is_neither_is_left_alone() {
    let (scene, mut captured) = migrated().await;
    captured["DbiResourceId"] = json!("db-ANOTHER");
    let outcome = scene.carry(&restore(&captured)).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    scene.twin.with(|world| {
        let live = world.cloud().rds.instances[DATABASE].clone();
        world.cloud_mut().rds.instances.insert(ASIDE.into(), live);
    });
    let captured = instance(&scene).await;
    let outcome = scene.carry(&restore(&captured)).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    assert_eq!(scene.accepted("rds:ModifyDBInstance"), 0);
}

#[tokio::test]
async fn neither_instance_there_is_for_a_person() {
    let (scene, captured) = migrated().await;
    scene.twin.with(|world| world.cloud_mut().rds.instances.remove(DATABASE));
    let outcome = scene.carry(&restore(&captured)).await;
    let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
    assert!(matches!(waits_for.as_slice(), [WaitsFor::Person { .. }]), "{outcome:?}");
}

#[tokio::test]
async fn p30_a_snapshot_is_proven_by_a_trial_that_is_deleted() {
    let (scene, captured) = migrated().await;
    let before = scene.twin.snapshot();
    for nth in 0..=16 {
        scene.twin.restore(before.clone());
        done(&scene.carry_over_loss("rds:*", nth, &prove(&captured)).await);
        assert!(
            !scene.twin.with(|world| world.cloud().rds.instances.contains_key(TRIAL)),
            "answer {nth} lost"
        );
        assert_eq!(scene.accepted("rds:RestoreDBInstanceFromDBSnapshot"), 1, "answer {nth} lost");
        assert_eq!(scene.accepted("rds:DeleteDBInstance"), 1, "answer {nth} lost");
        // A process that comes later knows it, and makes no other trial.
        done(&scene.carry(&prove(&captured)).await);
        assert_eq!(scene.accepted("rds:RestoreDBInstanceFromDBSnapshot"), 1);
    }
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_restored_is_found_out() {
    let (scene, captured) = migrated().await;
    scene.twin.with(|world| world.cloud_mut().rds.snapshots.get_mut(SNAPSHOT).unwrap().broken = true);
    let outcome = scene.carry(&prove(&captured)).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("incompatible-restore"), "{evidence:?}");
}

/// An instance that somebody else made under the trial's name is never deleted.
#[tokio::test]
async fn a_trial_that_is_somebody_elses_is_left_alone() {
    let (scene, captured) = migrated().await;
    scene.twin.with(|world| {
        let live = world.cloud().rds.instances[DATABASE].clone();
        world.cloud_mut().rds.instances.insert(TRIAL.into(), live);
    });
    let outcome = scene.carry(&prove(&captured)).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    assert_eq!(scene.accepted("rds:DeleteDBInstance"), 0);
}

/// A policy of the account may protect whatever is made.
#[tokio::test]
async fn a_trial_that_was_protected_since_is_deleted_all_the_same() {
    let (scene, captured) = migrated().await;
    let mut call = call_of("prove");
    let outcome = scene.apply(&call, &prove(&captured)).await;
    assert!(matches!(outcome, Outcome::Blocked { .. }), "{outcome:?}");
    call.attempt = 2;
    scene.twin.with(|world| {
        let trial = world.cloud_mut().rds.instances.get_mut(TRIAL).unwrap();
        trial.settings.deletion_protection = true;
    });
    done(&scene.carry_on(call, &prove(&captured)).await);
    assert!(!scene.twin.with(|world| world.cloud().rds.instances.contains_key(TRIAL)));
    let live = instance(&scene).await;
    assert_eq!(live["DeletionProtection"], true, "the database keeps its own");
}

#[tokio::test]
async fn a_snapshot_is_deleted_once_and_only_one_of_this_instance() {
    let (scene, _) = migrated().await;
    let before = scene.twin.snapshot();
    let delete = effect(json!({"rds": {"deleteSnapshot": {"target": "db", "snapshot": SNAPSHOT}}}));
    for nth in 1..=4 {
        scene.twin.restore(before.clone());
        done(&scene.carry_over_loss("rds:*", nth, &delete).await);
        assert_eq!(scene.accepted("rds:DeleteDBSnapshot"), 1, "answer {nth} lost");
        scene.twin.with(|world| assert!(world.cloud().rds.snapshots.is_empty(), "answer {nth} lost"));
    }
    // What is gone already is done.
    done(&scene.carry(&delete).await);

    scene.twin.restore(before);
    scene.twin.with(|world| {
        world.cloud_mut().rds.snapshots.get_mut(SNAPSHOT).unwrap().instance = "another".into();
    });
    let outcome = scene.carry(&delete).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
}

#[tokio::test]
async fn an_instance_that_was_put_aside_is_deleted_and_kept_as_its_last_snapshot() {
    let (scene, captured) = migrated().await;
    done(&scene.carry_on(call_of("restore"), &restore(&captured)).await);
    let before = scene.twin.snapshot();
    let delete = |instance: &str| {
        effect(
            json!({"rds": {"deleteInstance": {"target": "db", "instance": instance, "lastSnapshot": "last-obs1"}}}),
        )
    };
    for nth in 1..=8 {
        scene.twin.restore(before.clone());
        done(&scene.carry_over_loss("rds:*", nth, &delete(ASIDE)).await);
        assert_eq!(scene.accepted("rds:DeleteDBInstance"), 1, "answer {nth} lost");
        scene.twin.with(|world| {
            let rds = &world.cloud().rds;
            assert!(!rds.instances.contains_key(ASIDE));
            assert!(rds.instances.contains_key(DATABASE));
            let last = &rds.snapshots["last-obs1"];
            assert_eq!((last.status.as_str(), last.instance.as_str()), ("available", ASIDE));
            assert_eq!(
                last.databases["mlflow"].revision, "f4a9b2c7d1e6",
                "what was written after the snapshot"
            );
        });
    }
    done(&scene.carry(&delete(ASIDE)).await);
    let outcome = scene.carry(&delete(DATABASE)).await;
    assert!(matches!(outcome, Outcome::NotDone { .. }), "the database itself is never deleted: {outcome:?}");
}
