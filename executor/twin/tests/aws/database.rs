//! Database instances: snapshots, restores that lose settings, renames, faults.

use switchback_twin::{Fault, FaultKind};

use crate::scene::{Answer, Scene};

const DB: &str = "mlops-platform-dev-mlflow";

async fn instance(scene: &Scene, id: &str) -> Answer {
    scene.form("rds", "DescribeDBInstances", &[("DBInstanceIdentifier", id)]).await
}

async fn snapshot(scene: &Scene, id: &str) -> Answer {
    scene.form("rds", "CreateDBSnapshot", &[("DBInstanceIdentifier", DB), ("DBSnapshotIdentifier", id)]).await
}

async fn restore(scene: &Scene, from: &str, id: &str, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![("DBInstanceIdentifier", id), ("DBSnapshotIdentifier", from)];
    fields.extend(more);
    scene.form("rds", "RestoreDBInstanceFromDBSnapshot", &fields).await
}

#[tokio::test]
async fn a_snapshot_takes_its_time() {
    let scene = Scene::new().await;
    let made = snapshot(&scene, "Before-1").await;
    assert_eq!((made.element("DBSnapshotIdentifier"), made.element("Status")), ("before-1", "creating"));
    assert_eq!(instance(&scene, DB).await.element("DBInstanceStatus"), "backing-up");
    let busy = snapshot(&scene, "before-2").await;
    assert_eq!((busy.status, busy.error.as_str()), (400, "InvalidDBInstanceState"));
    let twice = snapshot(&scene, "before-1").await;
    assert_eq!(twice.error, "DBSnapshotAlreadyExists");
    let early = restore(&scene, "before-1", "trial", &[]).await;
    assert_eq!(early.error, "InvalidDBSnapshotState");
    scene.minutes(2);
    let half = scene.form("rds", "DescribeDBSnapshots", &[("DBSnapshotIdentifier", "before-1")]).await;
    assert_eq!((half.element("Status"), half.element("PercentProgress")), ("creating", "40"));
    scene.minutes(4);
    let done = scene.form("rds", "DescribeDBSnapshots", &[("DBInstanceIdentifier", DB)]).await;
    assert_eq!((done.element("Status"), done.element("PercentProgress")), ("available", "100"));
    assert_eq!(instance(&scene, DB).await.element("DBInstanceStatus"), "available");
    let gone = scene.form("rds", "DeleteDBSnapshot", &[("DBSnapshotIdentifier", "before-1")]).await;
    assert_eq!(gone.element("Status"), "deleted");
    let none = scene.form("rds", "DescribeDBSnapshots", &[("DBSnapshotIdentifier", "before-1")]).await;
    assert_eq!((none.status, none.error.as_str()), (404, "DBSnapshotNotFound"));
}

#[tokio::test]
async fn a_restore_is_another_instance_that_lost_its_settings() {
    let scene = Scene::new().await;
    snapshot(&scene, "s").await;
    scene.minutes(6);
    scene.twin.with(|w| {
        let database = w.cloud_mut().rds.instances.get_mut(DB).unwrap().databases.get_mut("mlflow").unwrap();
        database.revision = "dc11669786a5".into();
        database.rows.insert("runs".into(), 18_400);
    });
    assert_eq!(restore(&scene, "s", DB, &[]).await.error, "DBInstanceAlreadyExists");
    let before = instance(&scene, DB).await;
    let rename =
        [("DBInstanceIdentifier", DB), ("NewDBInstanceIdentifier", "aside"), ("ApplyImmediately", "true")];
    let renaming = scene.form("rds", "ModifyDBInstance", &rename).await;
    assert_eq!(renaming.element("DBInstanceStatus"), "renaming");
    assert_eq!(instance(&scene, "aside").await.error, "DBInstanceNotFound", "not yet");
    scene.minutes(3);
    assert_eq!(instance(&scene, DB).await.error, "DBInstanceNotFound");
    let aside = instance(&scene, "aside").await;
    assert_eq!(aside.element("DbiResourceId"), before.element("DbiResourceId"), "the same one");
    let made =
        restore(&scene, "s", DB, &[("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-0mlflowdb")]).await;
    assert_eq!(made.element("DBInstanceStatus"), "creating");
    assert!(!made.text.contains("<Endpoint>"));
    scene.minutes(16);
    let restored = instance(&scene, DB).await;
    assert_eq!(restored.element("DBInstanceStatus"), "available");
    assert_ne!(restored.element("DbiResourceId"), before.element("DbiResourceId"));
    assert_eq!(restored.element("Address"), before.element("Address"), "the endpoint keeps its name");
    assert_eq!((before.element("MultiAZ"), restored.element("MultiAZ")), ("true", "false"));
    assert_eq!(
        (before.element("DeletionProtection"), restored.element("DeletionProtection")),
        ("true", "false")
    );
    assert_eq!(restored.element("DBParameterGroupName"), "default.postgres16");
    assert_eq!(restored.element("VpcSecurityGroupId"), "sg-0mlflowdb", "what is named is kept");
    let now = scene.twin.snapshot();
    let of = |id: &str| now.cloud().rds.instances[id].databases["mlflow"].clone();
    assert_eq!((of(DB).revision.as_str(), of(DB).rows["runs"]), ("1bd49d398cd23", 18_344));
    assert_eq!((of("aside").revision.as_str(), of("aside").rows["runs"]), ("dc11669786a5", 18_400));
}

#[tokio::test]
async fn changes_wait_for_the_window_unless_they_are_wanted_now() {
    let scene = Scene::new().await;
    let waits = scene
        .form(
            "rds",
            "ModifyDBInstance",
            &[
                ("DBInstanceIdentifier", DB),
                ("NewDBInstanceIdentifier", "later"),
                ("DBInstanceClass", "db.m6g.xlarge"),
            ],
        )
        .await;
    assert_eq!(waits.status, 200, "{}", waits.text);
    scene.minutes(60);
    let still = instance(&scene, DB).await;
    assert_eq!(still.element("DBInstanceClass"), "db.m6g.large");
    assert!(still.text.contains("<PendingModifiedValues><DBInstanceClass>db.m6g.xlarge</DBInstanceClass><DBInstanceIdentifier>later"), "{}", still.text);
    let protected = scene
        .form("rds", "DeleteDBInstance", &[("DBInstanceIdentifier", DB), ("SkipFinalSnapshot", "true")])
        .await;
    assert_eq!(protected.error, "InvalidParameterCombination");
    let open = scene
        .form("rds", "ModifyDBInstance", &[("DBInstanceIdentifier", DB), ("DeletionProtection", "false")])
        .await;
    assert_eq!(
        (open.element("DBInstanceStatus"), open.element("DeletionProtection")),
        ("modifying", "false")
    );
    scene.minutes(3);
    let going = scene
        .form("rds", "DeleteDBInstance", &[("DBInstanceIdentifier", DB), ("SkipFinalSnapshot", "true")])
        .await;
    assert_eq!(going.element("DBInstanceStatus"), "deleting");
    scene.minutes(4);
    assert_eq!(instance(&scene, DB).await.error, "DBInstanceNotFound");
    let odd = scene
        .form(
            "rds",
            "ModifyDBInstance",
            &[("DBInstanceIdentifier", DB), ("EnablePerformanceInsights", "true")],
        )
        .await;
    assert_eq!(odd.status, 404, "what is not there comes first");
}

#[tokio::test]
async fn snapshots_fail_and_restores_too() {
    let scene = Scene::new().await;
    let fails = FaultKind::Fails { code: "failed".into(), message: String::new() };
    scene.twin.inject(Fault::new("aws", "rds:CreateDBSnapshot", fails));
    snapshot(&scene, "bad").await;
    scene.minutes(6);
    let failed = scene.form("rds", "DescribeDBSnapshots", &[("DBSnapshotIdentifier", "bad")]).await;
    assert_eq!(failed.element("Status"), "failed");
    snapshot(&scene, "broken").await;
    scene.minutes(6);
    scene.twin.with(|w| w.cloud_mut().rds.snapshots.get_mut("broken").unwrap().broken = true);
    restore(&scene, "broken", "trial", &[]).await;
    scene.minutes(20);
    assert_eq!(instance(&scene, "trial").await.element("DBInstanceStatus"), "incompatible-restore");
    let gone = scene
        .form("rds", "DeleteDBInstance", &[("DBInstanceIdentifier", "trial"), ("SkipFinalSnapshot", "true")])
        .await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    for bad in ["1abc", "a--b", "a-", ""] {
        let answer = snapshot(&scene, bad).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    let throttled = FaultKind::Before { status: 429, retry_after: None };
    scene.twin.inject(Fault::new("aws", "rds:DescribeDBInstances", throttled));
    let answer = instance(&scene, DB).await;
    assert_eq!((answer.status, answer.error.as_str()), (400, "Throttling"));
    let unknown = scene.form("rds", "DescribeDBEngineVersions", &[]).await;
    assert_eq!(unknown.status, 501);
    assert!(unknown.text.contains("rds:DescribeDBEngineVersions"), "{}", unknown.text);
}
