//! Paths on the catalog as it is.

use switchback_planner::{
    catalog::{Finding, Way, check},
    solver::JointPath,
};

use crate::{
    platform::{ALL, day, path, told},
    world::registry,
};

fn position(path: &JointPath, id: &str) -> usize {
    path.hops.iter().position(|hop| hop.id == id).unwrap_or_else(|| panic!("no hop {id} in {:#?}", path.hops))
}

#[test]
fn the_catalog_has_no_faults() {
    let catalog = registry().catalog();
    let findings = check(catalog, Some(day("2026-11-20")));
    let faults: Vec<&Finding> = findings.iter().filter(|finding| finding.is_fault()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let late = check(catalog, Some(day("2027-11-20")));
    assert!(late.iter().any(|finding| matches!(finding, Finding::Old { .. })), "sources grow old");
}

#[test]
fn six_components_over_five_minors() {
    let path = path(&ALL, "2026-11-20").expect("a path");
    insta::assert_snapshot!(told(&path));
}

#[test]
fn the_same_from_an_older_platform_at_an_earlier_day() {
    let mut older = ALL;
    older[0].1 = "1.29";
    older[1].1 = "0.37.0";
    let path = path(&older, "2026-01-15").expect("a path");
    insta::assert_snapshot!(told(&path));
}

#[test]
fn p13_a_controller_first_moves_to_a_version_that_can_be_gone_back_to() {
    let path =
        path(&[("karpenter", "0.37.0", "1.14.1"), ("eks", "1.30", "1.31")], "2026-01-15").expect("a path");
    let karpenter: Vec<&str> =
        path.hops.iter().filter(|hop| hop.component == "karpenter").map(|hop| hop.id.as_str()).collect();
    assert_eq!(karpenter, ["karpenter@0.37.7", "karpenter@1.0.14", "karpenter@1.14.1"]);
    assert_eq!(path.hops[position(&path, "karpenter@1.0.14")].back.way, Some(Way::Inverse));
}

#[test]
fn nodes_follow_the_cluster_minor_by_minor_and_kube_proxy_is_never_ahead() {
    let asked = [
        ("eks", "1.31", "1.33"),
        ("node-images", "1.31", "1.33"),
        ("kube-proxy", "1.31.7-eksbuild.7", "1.33.10-eksbuild.13"),
    ];
    let path = path(&asked, "2026-11-20").expect("a path");
    let at = |id: &str| position(&path, id);
    assert!(at("eks@1.32") < at("node-images@1.32"));
    assert!(at("node-images@1.32") < at("eks@1.33"));
    assert!(at("eks@1.33") < at("node-images@1.33"));
    assert!(at("eks@1.33") < at("kube-proxy@1.33.10-eksbuild.13"));
    let why = path.why("eks@1.33", "node-images@1.32").expect("it waits");
    assert!(why[0].1.why.iter().any(|fact| fact.text.contains("before the cluster moves on")), "{why:#?}");
    assert!(path.why("node-images@1.32", "eks@1.33").is_none(), "it does not wait the other way round");
}

#[test]
fn a_way_between_two_hops_is_told_hop_by_hop() {
    let path = path(&ALL, "2026-11-20").expect("a path");
    let way = path.why("eks@1.33", "karpenter@1.14.1").expect("it waits");
    let hops: Vec<&str> = way.iter().map(|(hop, _)| hop.id.as_str()).collect();
    assert_eq!(hops.first(), Some(&"eks@1.32"));
    assert_eq!(hops.last(), Some(&"eks@1.33"));
    assert_eq!(hops.len(), 3, "the shortest way is told: {hops:?}");
    assert!(path.why("karpenter@1.14.1", "eks@1.33").is_none());
    assert!(path.why("eks@1.33", "eks@1.33").is_none());
    assert!(path.why("mlflow@3.18.0", "eks@1.32").is_none(), "nothing binds them together");
}

#[test]
fn a_hop_over_a_migration_goes_back_by_a_restore_only() {
    let path = path(&[("mlflow", "3.8.0", "3.18")], "2026-11-20").expect("a path");
    assert_eq!(path.hops[0].back.way, Some(Way::Restore));
    let same = self::path(&[("mlflow", "3.5.0", "3.7.0")], "2026-11-20").expect("a path");
    assert_eq!(same.hops[0].back.way, Some(Way::Inverse), "both have one head");
}

#[test]
fn what_is_still_to_come_out_holds_back_what_waits_for_it() {
    let asked = [("eks", "1.30", "1.36"), ("karpenter", "1.0.8", "1.14.1")];
    let path = path(&asked, "2025-12-01").expect("a path");
    let hop = |id: &str| &path.hops[position(&path, id)];
    assert_eq!(hop("karpenter@1.14.1").not_before, Some(day("2026-07-10")));
    assert_eq!(hop("eks@1.32").not_before, Some(day("2026-07-10")), "it waits for Karpenter");
    assert_eq!(hop("eks@1.31").not_before, None);
    let late = self::path(&[("eks", "1.29", "1.36"), ("karpenter", "0.37.7", "1.14.1")], "2025-12-01")
        .expect("a path");
    assert!(
        late.blind_spots.iter().all(|spot| !spot.why.contains("cannot begin before")),
        "{:#?}",
        late.blind_spots
    );
    let stuck = [("eks", "1.34", "1.36"), ("gpu-operator", "26.3.0", "26.7.0"), ("kserve", "0.16.0", "0.20")];
    assert!(self::path(&stuck, "2026-01-15").is_ok());
}

#[test]
fn the_module_waits_for_the_provider() {
    let asked = [("terraform-provider-aws", "4.45", "6.28"), ("terraform-aws-eks", "19", "21.19.0")];
    let path = path(&asked, "2026-11-20").expect("a path");
    assert!(position(&path, "terraform-provider-aws@5.34") < position(&path, "terraform-provider-aws@6.28"));
    assert!(position(&path, "terraform-provider-aws@6.28") < position(&path, "terraform-aws-eks@21.19.0"));
}
