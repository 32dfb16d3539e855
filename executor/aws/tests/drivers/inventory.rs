//! What observers and resolvers read.

use serde_json::json;
use switchback_aws::{observe, resolve_addons};
use switchback_schemas::{inventory::Wanted, lock::AskAddon, plan::Count};
use switchback_twin::FaultKind;

use crate::scene::{Scene, call, call_of, control_plane, done, effect};

fn refused(code: &str, status: u16) -> FaultKind {
    FaultKind::Refused { code: code.into(), message: "as the test says".into(), status: Some(status) }
}

#[tokio::test]
async fn a_platform_is_read_in_few_requests() {
    let scene = Scene::new().await;
    done(&scene.carry(&control_plane("1.32", "1.33")).await);
    done(
        &scene
            .carry_on(
                call_of("s"),
                &effect(json!({"rds": {"snapshot": {"target": "db", "snapshot": "before"}}})),
            )
            .await,
    );
    let wanted = Wanted { aws: scene.targets(), ..Wanted::default() };
    let observed = observe(&scene.aws().await, &wanted).await;
    assert_eq!(observed.unread, []);
    let cluster = &observed.eks.0[&"mlops".parse().unwrap()];
    assert_eq!(cluster.version.as_str(), "1.33");
    assert!(cluster.upgraded_at.is_some());
    assert_eq!(cluster.support_policy, "EXTENDED");
    let groups: Vec<&str> = cluster.nodegroups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(groups, ["general", "gpu-inference", "system"]);
    let gpu = &cluster.nodegroups[1];
    assert_eq!((gpu.update_strategy.as_str(), gpu.max_unavailable), ("MINIMAL", Count::Nodes(1)));
    let addons: Vec<&str> = cluster.addons.iter().map(|addon| addon.name.as_str()).collect();
    assert_eq!(addons, ["coredns", "kube-proxy", "vpc-cni"]);
    assert_eq!(cluster.subnets.len(), 3);
    assert_eq!(cluster.reserved["g5.2xlarge"], 2);
    let last = cluster.calendar.last().unwrap();
    assert_eq!((last.version.as_str(), last.standard_until.to_string().as_str()), ("1.36", "2027-08-02"));
    assert!(!cluster.insights.is_empty());
    let database = &observed.rds.0[&"db".parse().unwrap()];
    assert_eq!((database.engine.as_str(), database.database.as_deref()), ("postgres", Some("mlflow")));
    assert!(database.multi_az);
    assert!(database.deletion_protection);
    assert!(database.pending.is_empty());
    assert_eq!(database.snapshots.len(), 1);
    assert!(observed.requests <= 30, "{} requests", observed.requests);
}

#[tokio::test]
async fn what_is_under_way_is_told() {
    let scene = Scene::new().await;
    scene.apply(&call(), &control_plane("1.32", "1.33")).await;
    scene.twin.advance_by(std::time::Duration::from_mins(2));
    let observed = observe(&scene.aws().await, &Wanted { aws: scene.targets(), ..Wanted::default() }).await;
    let cluster = &observed.eks.0[&"mlops".parse().unwrap()];
    assert_eq!(cluster.status, "UPDATING");
    assert_eq!(cluster.in_progress.len(), 1);
    assert_eq!(cluster.in_progress[0].kind, "VersionUpdate");
}

#[tokio::test]
async fn throttling_is_waited_out_and_denial_is_noted() {
    let scene = Scene::new().await;
    for nth in [1, 3, 5] {
        scene.inject("eks:Describe*", nth, refused("ThrottlingException", 429));
    }
    scene.inject("ec2:DescribeSubnets", 1, refused("RequestLimitExceeded", 503));
    scene.inject("rds:DescribeDBSnapshots", 0, refused("AccessDenied", 403));
    let observed = observe(&scene.aws().await, &Wanted { aws: scene.targets(), ..Wanted::default() }).await;
    let unread: Vec<String> = observed.unread.iter().map(|unread| unread.what.to_string()).collect();
    assert_eq!(unread, ["snapshots of RDS instance mlops-platform-dev-mlflow"]);
    assert_eq!(observed.eks.0[&"mlops".parse().unwrap()].nodegroups.len(), 3);
    assert!(observed.rds.0.contains_key(&"db".parse().unwrap()));
}

#[tokio::test]
async fn add_ons_are_resolved_for_a_minor() {
    let scene = Scene::new().await;
    let ask = |addon: &str, minor: &str| AskAddon {
        target: "mlops".parse().unwrap(),
        addon: addon.into(),
        kubernetes: minor.parse().unwrap(),
    };
    let asks = [ask("vpc-cni", "1.33"), ask("coredns", "1.34")];
    let found = resolve_addons(&scene.aws().await, &asks, &scene.targets()).await.unwrap();
    assert_eq!(found[0].addon, "coredns", "sorted");
    assert_eq!(found[0].default.as_deref(), Some("v1.13.2-eksbuild.11"));
    assert_eq!(found[1].default.as_deref(), Some("v1.20.1-eksbuild.3"));
    assert_eq!(found[1].versions, ["v1.21.1-eksbuild.3", "v1.20.1-eksbuild.3", "v1.19.6-eksbuild.7"]);
}
