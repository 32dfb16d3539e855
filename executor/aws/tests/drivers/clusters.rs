//! Control planes, add-ons and insights.

use std::time::Duration;

use serde_json::{Value, json};
use switchback_executor::ports::{BoundEffect, Call};
use switchback_schemas::{
    journal::{Class, Outcome, Verdict, WaitsFor},
    plan::{CloudCondition, CloudKind, InsightCategory},
};
use switchback_twin::{FaultKind, aws};

use crate::scene::{CLUSTER, Scene, call, call_of, control_plane, done, effect};

#[tokio::test]
async fn a_control_plane_goes_up_and_back() {
    let scene = Scene::new().await;
    done(&scene.carry(&control_plane("1.32", "1.33")).await);
    assert_eq!(scene.read(CloudKind::EksCluster, None, "/version").await, "1.33");
    // Called again it is done, and nothing is asked for.
    done(&scene.carry(&control_plane("1.32", "1.33")).await);
    let back = Call { back: true, ..call_of("back") };
    done(&scene.carry_on(back, &control_plane("1.33", "1.32")).await);
    assert_eq!(scene.read(CloudKind::EksCluster, None, "/version").await, "1.32");
    assert_eq!(scene.accepted("eks:UpdateClusterVersion"), 2);
}

#[tokio::test]
async fn whichever_answer_is_lost_a_control_plane_moves_once() {
    let scene = Scene::new().await;
    let before = scene.twin.snapshot();
    for nth in 1..=8 {
        scene.twin.restore(before.clone());
        done(&scene.carry_over_loss("eks:*", nth, &control_plane("1.32", "1.33")).await);
        assert_eq!(scene.accepted("eks:UpdateClusterVersion"), 1, "answer {nth} lost");
    }
}

#[tokio::test]
async fn an_update_that_failed_for_want_of_addresses_goes_on_when_there_are_some() {
    let scene = Scene::new().await;
    let fails = FaultKind::Fails { code: "IpNotAvailable".into(), message: "no free addresses".into() };
    scene.inject("eks:UpdateClusterVersion", 1, fails);
    let outcome = scene.carry(&control_plane("1.32", "1.33")).await;
    let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
    assert!(matches!(waits_for.as_slice(), [WaitsFor::Capacity { .. }]), "{outcome:?}");
    // The same step with the same token, as the machine calls it next.
    done(&scene.carry_on(Call { attempt: 9, ..call() }, &control_plane("1.32", "1.33")).await);
    assert_eq!(scene.accepted("eks:UpdateClusterVersion"), 2);
}

#[tokio::test]
async fn an_update_that_failed_otherwise_is_a_failure_with_what_eks_said() {
    let scene = Scene::new().await;
    let fails = FaultKind::Fails { code: "SubnetNotFound".into(), message: "subnet-0a1 is gone".into() };
    scene.inject("eks:UpdateClusterVersion", 1, fails);
    let outcome = scene.carry(&control_plane("1.32", "1.33")).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("SubnetNotFound: subnet-0a1 is gone"), "{evidence:?}");
}

#[tokio::test]
async fn what_eks_refuses_is_refused() {
    let scene = Scene::new().await;
    let outcome = scene.apply(&call(), &control_plane("1.32", "1.34")).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
    scene.inject(
        "eks:UpdateClusterVersion",
        1,
        FaultKind::Refused {
            code: "ThrottlingException".into(),
            message: "Rate exceeded".into(),
            status: Some(429),
        },
    );
    let outcome = scene.apply(&call(), &control_plane("1.32", "1.33")).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Throttled, .. }), "{outcome:?}");
}

fn addon(version: &str, conflicts: &str) -> BoundEffect {
    effect(json!({"eks": {"updateAddon": {"target": "mlops", "addon": "coredns",
        "version": version, "conflicts": conflicts}}}))
}

#[tokio::test]
async fn an_add_on_moves_and_drift_stops_it_only_if_that_is_wanted() {
    let mut world = crate::scene::world();
    let cluster = world.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap();
    let coredns = cluster.addons.get_mut("coredns").unwrap();
    coredns.changed = vec!["spec.replicas".into()];
    coredns.role = "arn:aws:iam::111122223333:role/coredns".into();
    coredns.configuration = "{\"replicaCount\": 3}".into();
    let scene = Scene::of(world).await;
    let outcome = scene.carry(&addon("v1.12.3-eksbuild.1", "none")).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("ConfigurationConflict"), "{evidence:?}");
    done(&scene.carry_on(call_of("again"), &addon("v1.12.3-eksbuild.1", "preserve")).await);
    assert_eq!(scene.read(CloudKind::EksAddon, Some("coredns"), "/addonVersion").await, "v1.12.3-eksbuild.1");
    let kept = scene.twin.with(|world| world.cloud().eks.clusters[CLUSTER].addons["coredns"].clone());
    assert_eq!(kept.role, "arn:aws:iam::111122223333:role/coredns");
    assert_eq!(kept.configuration, "{\"replicaCount\": 3}");
}

fn insights(kubernetes: &str, accepted: &[(&str, jiff::Timestamp)]) -> CloudCondition<Value> {
    CloudCondition::Insights {
        target: "mlops".parse().unwrap(),
        category: InsightCategory::UpgradeReadiness,
        kubernetes: kubernetes.parse().unwrap(),
        accepted_until: accepted.iter().map(|(name, until)| ((*name).to_owned(), *until)).collect(),
    }
}

/// EKS is asked to look again, and what it finds then counts.
#[tokio::test]
async fn p01_findings_are_believed_only_when_eks_has_just_looked() {
    let scene = Scene::new().await;
    scene.twin.advance_by(Duration::from_hours(1));
    let first = scene.check(&insights("1.33", &[])).await;
    assert!(first.is_holding() || matches!(first, Verdict::Unknown { .. }), "{first:?}");
    let late = scene.twin.now();
    scene.twin.with(|world| {
        world.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap().deprecated_use.push(aws::DeprecatedUse {
            usage: "/apis/example.com/v1beta1/things".into(),
            replaced_with: "/apis/example.com/v1/things".into(),
            stop_serving: "1.33".into(),
            client: "old-operator/1.0".into(),
            requests: 7,
            last: late,
        });
    });
    scene.twin.advance_by(Duration::from_hours(30));
    let unknown = scene.check(&insights("1.33", &[])).await;
    scene.twin.advance_by(Duration::from_mins(5));
    let judged = scene.check(&insights("1.33", &[])).await;
    let Verdict::Fails { evidence } = &judged else { panic!("{unknown:?}, then {judged:?}") };
    assert!(evidence.0[0].contains("Deprecated APIs removed in Kubernetes v1.33"), "{evidence:?}");
    let until = scene.twin.now() + jiff::SignedDuration::from_mins(3);
    let accepting = insights("1.33", &[("Deprecated APIs removed in Kubernetes v1.33", until)]);
    let accepted = scene.check(&accepting).await;
    assert!(accepted.is_holding(), "{accepted:?}");
    // The plan was compiled while it was accepted; the run comes to it later.
    scene.twin.advance_by(Duration::from_mins(3));
    let over = scene.check(&accepting).await;
    assert!(
        matches!(&over, Verdict::Fails { evidence } if evidence.0[0].contains("it was accepted until")),
        "{over:?}"
    );
    // Nothing has been said about the minor after the next one yet, and asking changes that in no way.
    let next = scene.check(&insights("1.36", &[])).await;
    assert!(!next.is_holding(), "{next:?}");
}

#[tokio::test]
async fn subnets_have_room_or_not() {
    let mut world = crate::scene::world();
    world.cloud_mut().subnets.get_mut("subnet-0b1").unwrap().free = 0;
    let full = Scene::of(world).await;
    let roomy = Scene::new().await;
    let condition = CloudCondition::FreeAddresses { target: "mlops".parse().unwrap(), at_least: 5 };
    assert!(roomy.check(&condition).await.is_holding());
    let verdict = full.check(&condition).await;
    assert!(
        matches!(&verdict, Verdict::Fails { evidence } if evidence.0[0].contains("subnet-0b1")),
        "{verdict:?}"
    );
}
