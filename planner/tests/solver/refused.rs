//! Where there is no path, and what is said.

use switchback_planner::solver::{self, Ask};
use switchback_schemas::{Diagnostic, codes};

use crate::{
    platform::{ALL, asked, path},
    world::registry,
};

fn refused(upgrades: &[(&str, &str, &str)], as_of: &str) -> Diagnostic {
    let refused = path(upgrades, as_of).expect_err("there is no path");
    assert!([codes::PATH_NONE, codes::PATH_BAD_VERSION].contains(&refused.code), "{refused:#?}");
    refused
}

/// Every part stands in the message or the help; labels stand in all of these files.
fn says(diagnostic: &Diagnostic, parts: &[&str], files: &[&str]) {
    let help = diagnostic.help.clone().unwrap_or_default();
    for part in parts {
        assert!(
            diagnostic.message.contains(part) || help.contains(part),
            "{part:?} is missing in {diagnostic:#?}"
        );
    }
    for file in files {
        assert!(
            diagnostic.labels.iter().any(|label| label.file == *file),
            "{file} is missing in {diagnostic:#?}"
        );
    }
}

#[test]
fn a_minor_out_of_support_cannot_be_passed() {
    let mut older = ALL;
    older[0].1 = "1.29";
    older[1].1 = "0.37.0";
    let refused = refused(&older, "2026-11-20");
    says(
        &refused,
        &[
            "EKS 1.30 cannot be moved to after 2026-07-23",
            "one minor at a time",
            "eks 1.29 while the others stay",
        ],
        &["upgrades.yaml", "catalog/eks.yaml"],
    );
    assert!(!refused.message.contains("Karpenter"), "what is not at fault is not named: {}", refused.message);
}

#[test]
fn a_controller_that_does_not_go_far_enough_holds_the_cluster_back() {
    let refused = refused(&[("eks", "1.31", "1.36"), ("karpenter", "1.0.8", "1.5.8")], "2026-11-20");
    says(
        &refused,
        &[
            "Karpenter 1.5 requires EKS >=1.26 <1.34",
            "eks 1.33 while the others reach",
            "karpenter 1.5.8 while the others stay",
        ],
        &["upgrades.yaml", "catalog/karpenter.yaml"],
    );
}

#[test]
fn a_cluster_that_stays_holds_a_component_back() {
    let refused = refused(&[("kserve", "0.15.0", "0.20.0"), ("eks", "1.30", "1.31")], "2026-01-15");
    says(&refused, &["KServe >=0.16 <0.21 requires EKS >=1.32", "kserve 0.15.0"], &["catalog/kserve.yaml"]);
}

#[test]
fn nothing_goes_in_place_to_where_only_a_fresh_installation_leads() {
    let refused = refused(&[("openpai", "0.14.0", "1.8.0")], "2026-11-20");
    says(&refused, &["1.0 is a fresh installation", "openpai 0.17.0"], &["catalog/openpai.yaml"]);
}

#[test]
fn a_minor_that_nobody_knows_is_not_made_up() {
    let refused = refused(&[("vpc-cni", "1.18.3", "1.21.1")], "2026-11-20");
    says(&refused, &["one minor at a time", "vpc-cni 1.18.3"], &["catalog/vpc-cni.yaml"]);
}

#[test]
fn a_platform_that_breaks_a_fact_already_gets_out_of_it_first() {
    let path =
        path(&[("eks", "1.32", "1.33"), ("karpenter", "1.0.8", "1.14.1")], "2026-11-20").expect("a path");
    let hops: Vec<&str> = path.hops.iter().map(|hop| hop.id.as_str()).collect();
    assert_eq!(hops, ["karpenter@1.14.1", "eks@1.33"]);
    let span = path.outside.first().expect("it is told");
    assert!(span.fact.text.starts_with("broken already: Karpenter >=1.0.5 <1.1 requires EKS"), "{span:#?}");
    assert_eq!((&span.enters, span.leaves.as_deref()), (&None, Some("karpenter@1.14.1")));

    // Where only the cluster moves it would stay broken.
    let refused = refused(&[("eks", "1.32", "1.33"), ("karpenter", "1.0.8", "1.0.14")], "2026-11-20");
    says(
        &refused,
        &["Karpenter >=1.0.5 <1.1 requires EKS >=1.25 <1.32", "eks 1.32"],
        &["catalog/karpenter.yaml"],
    );
}

#[test]
fn a_bad_version_is_a_reason() {
    let refused = refused(&[("karpenter", "1.5.8", "1.8.4")], "2026-11-20");
    says(
        &refused,
        &["it regressed topology spread constraints", "karpenter 1.7.6"],
        &["catalog/karpenter.yaml"],
    );
}

#[test]
fn a_search_that_gives_up_does_not_say_that_there_is_no_path() {
    let catalog = registry().catalog();
    let ask: Ask = asked(&ALL, None, "2026-11-20").0.expect("it can be asked");
    let refused = solver::path(catalog, &ask, 3).expect_err("three states are too few");
    assert_eq!(refused.code, codes::PATH_GAVE_UP);
    assert!(refused.message.contains("is not known"), "{}", refused.message);
}
