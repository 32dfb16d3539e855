//! What the compiler refuses of an EKS upgrade, and what it says: one golden text a case.

use std::{collections::BTreeMap, fmt::Write as _};

use switchback_schemas::{
    Diagnostic, Severity,
    inventory::{
        Inventory, RequestedApi, Workload, WrittenBy,
        eks::{DeprecatedUse, EksCluster, InsightStatus, Update},
    },
    name::{ObjectName, ObjectRef},
};

use crate::{
    world::v,
    world_eks::{
        EKS, PLATFORM, addons, change, compiled, eks, eks_and_karpenter, insight, node, pod, with_karpenter,
    },
};

fn told(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.severity != Severity::Advice) {
        let _ = writeln!(text, "{} {:?}: {}", diagnostic.code, diagnostic.severity, diagnostic.message);
        let _ = writeln!(text, "  help: {}", diagnostic.help.as_deref().unwrap_or("none"));
    }
    text
}

/// Compiles, and says why there is no plan.
fn refused(platform: &str, upgrade: &str, inventory: &Inventory) -> String {
    let files = [("platform.yaml", platform), ("eks.yaml", upgrade)];
    let (plan, diagnostics) = compiled(&files, inventory, addons());
    assert!(plan.is_none(), "no plan comes out of an error: {diagnostics:#?}");
    for diagnostic in &diagnostics {
        assert!(diagnostic.help.is_some() || !diagnostic.is_error(), "no help in {diagnostic:#?}");
    }
    told(&diagnostics)
}

/// The plain upgrade on a changed cluster.
fn on(change_: impl FnOnce(&mut EksCluster)) -> String {
    let mut inventory = eks();
    change(&mut inventory, change_);
    refused(PLATFORM, EKS, &inventory)
}

fn to(minor: &str) -> String {
    EKS.replace("1.32", minor)
}

#[test]
fn backwards() {
    insta::assert_snapshot!(refused(PLATFORM, &to("1.30"), &eks()));
}

#[test]
fn a_minor_that_eks_does_not_offer() {
    insta::assert_snapshot!(refused(PLATFORM, &to("1.35"), &eks()));
}

#[test]
fn a_minor_whose_support_is_over() {
    insta::assert_snapshot!(on(|cluster| {
        for row in cluster.calendar.iter_mut().filter(|row| row.version == v("1.32")) {
            row.extended_until = "2026-11-20".parse().expect("a day");
        }
    }));
}

#[test]
fn fargate_auto_mode_and_windows_by_name() {
    insta::assert_snapshot!(on(|cluster| {
        cluster.auto_mode = true;
        cluster.fargate_profiles = 2;
        cluster.nodegroups[1].ami_type = "WINDOWS_CORE_2022_x86_64".to_owned();
    }));
}

#[test]
fn an_inventory_without_the_cluster() {
    let mut blind = eks();
    blind.components.clear();
    insta::assert_snapshot!(refused(PLATFORM, EKS, &blind));
}

#[test]
fn an_inventory_of_another_cluster() {
    let other = PLATFORM.replace("mlops-dev", "mlops-prod");
    insta::assert_snapshot!(refused(&other, EKS, &eks()));
}

#[test]
fn a_foreign_update_in_progress() {
    insta::assert_snapshot!(on(|cluster| {
        cluster.status = "UPDATING".to_owned();
        cluster.in_progress = vec![Update {
            id: "0c2f".to_owned(),
            kind: "VersionUpdate".to_owned(),
            of: "mlops-dev".to_owned(),
            began: "2026-11-20T08:40:00Z".parse().expect("an instant"),
        }];
    }));
}

#[test]
fn a_group_and_an_add_on_that_are_not_whole() {
    insta::assert_snapshot!(on(|cluster| {
        cluster.nodegroups[0].status = "DEGRADED".to_owned();
        cluster.nodegroups[0].issues = vec!["Ec2SubnetNotFound".to_owned()];
        cluster.addons[0].status = "DEGRADED".to_owned();
        cluster.addons[0].issues = vec!["InsufficientNumberOfReplicas".to_owned()];
    }));
}

#[test]
fn subnets_without_free_addresses() {
    insta::assert_snapshot!(on(|cluster| {
        cluster.subnets[0].free = 0;
        cluster.subnets[1].free = 4;
    }));
}

#[test]
fn p01_an_insight_with_an_error_and_one_that_was_accepted_too_long_ago() {
    let mut warned = eks();
    change(&mut warned, |cluster| {
        let mut found = insight("Deprecated APIs removed in Kubernetes v1.32", "1.32", InsightStatus::Error);
        found.reason = "a deprecated API was called".to_owned();
        found.deprecated = vec![DeprecatedUse {
            usage: "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas".to_owned(),
            replacement: "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas".to_owned(),
            client: "old-operator/v0.3".to_owned(),
            last: Some("2026-11-02T10:00:00Z".parse().expect("an instant")),
        }];
        cluster.insights.push(found);
        cluster.insights.push(insight("Cluster health issues", "1.32", InsightStatus::Unknown));
    });
    let expired = format!(
        "{EKS}  insights:\n    - {{name: Deprecated APIs removed in Kubernetes v1.32, because: 'ada: fixed', expires: \
         '2026-11-10T00:00:00Z'}}\n"
    );
    insta::assert_snapshot!(refused(PLATFORM, &expired, &warned));
}

#[test]
fn p43_apis_that_the_minor_removes_in_every_source() {
    let mut used = eks();
    let mut release = crate::world::inventory("1.5.8").releases.remove(0);
    release.name = ObjectName::namespaced("tools", "old-operator");
    "old-operator".clone_into(&mut release.chart);
    release.objects = vec![serde_json::json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1beta3", "kind": "FlowSchema", "metadata": {"name": "old"}})];
    used.releases.push(release);
    let schema = ObjectRef::new("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", &ObjectName::cluster("old"));
    used.api_use.written = Some(vec![WrittenBy {
        object: schema,
        manager: "old-operator".to_owned(),
        api_version: "flowcontrol.apiserver.k8s.io/v1beta3".to_owned(),
    }]);
    used.api_use.requested = Some(vec![RequestedApi {
        group: "flowcontrol.apiserver.k8s.io".to_owned(),
        version: "v1beta3".to_owned(),
        resource: "prioritylevelconfigurations".to_owned(),
        removed_in: Some(v("1.32")),
    }]);
    insta::assert_snapshot!(refused(PLATFORM, EKS, &used));
}

#[test]
fn what_could_not_be_read_about_removed_apis_is_a_blind_spot() {
    let mut blind = eks();
    (blind.api_use.written, blind.api_use.requested) = (None, None);
    let (plan, _) = compiled(&[("p.yaml", PLATFORM), ("e.yaml", EKS)], &blind, addons());
    let plan = plan.expect("a plan");
    let spots: Vec<&str> = plan.blind_spots.iter().map(|spot| spot.what.as_str()).collect();
    assert!(spots.contains(&"who still calls an API that 1.32 no longer serves"), "{spots:#?}");
    assert!(spots.contains(&"who still writes objects in an API that 1.32 no longer serves"), "{spots:#?}");
    let said = plan.notices.iter().find(|notice| notice.code.as_str() == "SB0428").expect("the coverage");
    assert!(
        said.message.ends_with("looked for in 0 Helm releases, insights of EKS (30 days of its audit log)"),
        "{}",
        said.message
    );
}

#[test]
fn parity_of_managed_groups() {
    let mut behind = eks();
    change(&mut behind, |cluster| {
        cluster.version = v("1.32");
        cluster.nodegroups[0].version = v("1.31");
        cluster.nodegroups[1].version = v("1.32");
    });
    behind.cluster.version = v("1.32.9");
    insta::assert_snapshot!(refused(PLATFORM, &to("1.33"), &behind));
    let skewed = format!("{}  parity: skew\n", to("1.33"));
    let (plan, diagnostics) = compiled(&[("p.yaml", PLATFORM), ("e.yaml", &skewed)], &behind, addons());
    assert!(plan.is_some(), "{diagnostics:#?}");
}

#[test]
fn a_pool_that_is_kept_while_the_control_plane_goes_on() {
    let kept = PLATFORM.replace("replace-group", "keep");
    insta::assert_snapshot!(refused(&kept, &to("1.33"), &eks()));
}

#[test]
fn kubelets_too_old_and_too_new() {
    let mut mixed = eks();
    mixed.nodes.push(node("none", "stray", 0, "1.28.9"));
    mixed.nodes.push(node("none", "stray", 1, "1.32.1"));
    insta::assert_snapshot!(refused(PLATFORM, EKS, &mixed));
}

#[test]
fn al2_past_its_last_minor() {
    let mut old = eks();
    change(&mut old, |cluster| cluster.nodegroups[1].ami_type = "AL2_x86_64".to_owned());
    insta::assert_snapshot!(refused(PLATFORM, &to("1.33"), &old));
}

#[test]
fn a_custom_image() {
    insta::assert_snapshot!(on(|cluster| cluster.nodegroups[1].ami_type = "CUSTOM".to_owned()));
}

#[test]
fn classes_that_group_update_does_not_wait_for() {
    let mut busy = eks();
    busy.pods.push(pod("train-1", "system-1", "Job"));
    insta::assert_snapshot!(refused(PLATFORM, EKS, &busy));
}

#[test]
fn a_window_that_an_update_does_not_fit() {
    let narrow = format!(
        "{PLATFORM}  windows:\n    - {{name: night, usedFor: forward, zone: Europe/Berlin, start: '02:00', length: 1h}}\n"
    );
    insta::assert_snapshot!(refused(&narrow, EKS, &eks()));
}

#[test]
fn capacity_without_a_surge() {
    let block = PLATFORM.replace("tier: 1, capacity: on-demand", "tier: 1, capacity: block");
    insta::assert_snapshot!(refused(&block, EKS, &eks()));
}

#[test]
fn a_reservation_that_is_used_up() {
    let reserved = PLATFORM.replace("tier: 1, capacity: on-demand", "tier: 1, capacity: reserved");
    let mut short = eks();
    change(&mut short, |cluster| {
        cluster.nodegroups[0].instance_types = vec!["p5.48xlarge".to_owned()];
        cluster.reserved = [("p5.48xlarge".to_owned(), 2)].into();
    });
    insta::assert_snapshot!(refused(&reserved, EKS, &short));
    change(&mut short, |cluster| cluster.reserved = [("p5.48xlarge".to_owned(), 4)].into());
    let (plan, diagnostics) = compiled(&[("p.yaml", &reserved), ("e.yaml", EKS)], &short, addons());
    assert!(plan.is_some(), "{diagnostics:#?}");
}

#[test]
fn pools_and_groups_that_do_not_fit_each_other() {
    let odd = PLATFORM
        .replace("matchLabels: {pool: gpu}", "matchLabels: {eks.amazonaws.com/nodegroup: gpu}")
        .replace("matchLabels: {pool: system}", "matchLabels: {pool: sistem}");
    insta::assert_snapshot!(refused(&odd, EKS, &eks()));
}

#[test]
fn karpenter_nodes_that_cannot_stay() {
    let stay = format!("{EKS}  nodes: stay\n");
    insta::assert_snapshot!(refused(&with_karpenter(), &stay, &eks_and_karpenter()));
}

#[test]
fn add_ons_that_cannot_move_as_asked() {
    let rules = format!(
        "{}  addons:\n    - {{name: kube-proxy, keep: true}}\n    - {{name: coredns, versions: {{'1.33': v9.9.9-eksbuild.1}}}}\n",
        to("1.33")
    );
    insta::assert_snapshot!(refused(PLATFORM, &rules, &eks()));
}

#[test]
fn a_lock_without_add_ons() {
    let (plan, diagnostics) = compiled(&[("p.yaml", PLATFORM), ("e.yaml", EKS)], &eks(), Vec::new());
    assert!(plan.is_none());
    insta::assert_snapshot!(told(&diagnostics));
}

#[test]
fn a_way_back_that_is_closed_by_the_end_of_support_needs_an_approval() {
    let mut late = eks();
    change(&mut late, |cluster| "STANDARD".clone_into(&mut cluster.support_policy));
    let (plan, diagnostics) = compiled(&[("p.yaml", PLATFORM), ("e.yaml", EKS)], &late, addons());
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(switchback_model::lint::lint(&plan), []);
    let [line] = plan.points.as_slice() else { panic!("one line, not {:#?}", plan.points) };
    assert_eq!(line.step.as_str(), "eks/dev@1.32/control-plane");
    assert_eq!(line.ends, "every rollback to EKS 1.31");
}

#[test]
fn a_job_that_the_drain_of_eks_would_end() {
    let mut inventory = eks();
    let nightly = pod("nightly-0", "system-0", "Job");
    let job = nightly.owners[0].clone();
    inventory.pods.push(nightly);
    inventory.workloads.push(Workload {
        object: job,
        replicas: 1,
        ready: 1,
        paused: false,
        survives: Some(0),
        labels: BTreeMap::new(),
        containers: Vec::new(),
    });
    insta::assert_snapshot!(refused(PLATFORM, EKS, &inventory));
}
