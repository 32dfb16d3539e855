//! Plans take their hops from the joint path: refusals with a fix, waivers that cross a requirement, policies that make one.

use switchback_model::{Graph, lint::lint, summary::expected};
use switchback_planner::{
    compile::{Sources, asks, compile},
    manifest,
};
use switchback_schemas::{
    Diagnostic, Digest, HopId, Severity, codes,
    inventory::Inventory,
    lock::Asks,
    plan::{GateKind, HopBasis, Plan, Step},
};

use crate::{
    states::{Hop, State, broken, walk},
    world::{KARPENTER, PLATFORM, compiled, inventory, lock, registry},
    world_eks, world_mlflow,
};

const EKS: &str = "apiVersion: switchback.dev/v1alpha1\nkind: EksUpgrade\nmetadata: {name: main}\nspec: {target: cluster, to: '1.34'}\n";

/// The platform on EKS, which its upgrade asks for.
fn on_eks() -> String {
    let target = "{cluster: {eks: {name: main, region: eu-central-1, account: '111122223333'}}}";
    PLATFORM.replace("targets: {cluster: {cluster: {}}}", &format!("targets: {{cluster: {target}}}"))
}

/// EKS 1.31 with Karpenter at a version.
fn eks_with_karpenter(version: &str) -> Inventory {
    let mut observed = world_eks::eks_and_karpenter();
    let of = inventory(version);
    observed.releases = of.releases;
    observed.crds = of.crds;
    observed
}

fn asked(files: &[&str], inventory: &Inventory) -> (Option<Asks>, Vec<Diagnostic>) {
    let files = files.iter().enumerate().map(|(number, text)| (format!("{number}.yaml"), *text));
    let (manifests, found) = manifest::read(registry().kinds(), files);
    asks(registry(), &manifests.unwrap_or_else(|| panic!("{found:#?}")), inventory)
}

fn found(diagnostics: &[Diagnostic], code: codes::Code) -> &Diagnostic {
    diagnostics.iter().find(|d| d.code == code).unwrap_or_else(|| panic!("no {code} in {diagnostics:#?}"))
}

#[test]
fn a_target_that_needs_what_nobody_asks_for_is_refused_with_the_version_that_would_do() {
    let short = KARPENTER.replace("1.8.8", "1.5.8");
    let (asks, diagnostics) = asked(&[&on_eks(), &short, EKS], &inventory("1.3.8"));
    assert!(asks.is_none());
    let refused = found(&diagnostics, codes::PATH_NONE);
    assert!(refused.message.contains("Karpenter 1.5 requires EKS >=1.26 <1.34"), "{}", refused.message);
    let help = refused.help.as_deref().unwrap_or_default();
    assert!(help.contains("there is a path with karpenter at 1.6.8"), "{help}");
    let files: Vec<&str> = refused.labels.iter().map(|label| label.file.as_str()).collect();
    for file in ["1.yaml", "2.yaml", "catalog/karpenter.yaml"] {
        assert!(files.contains(&file), "{file} is missing in {files:?}");
    }

    // The same where no manifest moves Karpenter at all.
    let (asks, diagnostics) = asked(&[&on_eks(), EKS], &inventory("1.5.8"));
    assert!(asks.is_none());
    let help = found(&diagnostics, codes::PATH_NONE).help.clone().unwrap_or_default();
    assert!(help.contains("karpenter, which no manifest moves, at 1.6.8"), "{help}");
}

#[test]
fn a_controller_moves_as_often_as_the_cluster_needs_on_its_way() {
    let far = KARPENTER.replace("1.8.8", "1.14.1");
    let eks = world_eks::EKS.replace("1.32", "1.33");
    let (asks, diagnostics) =
        asked(&[&world_eks::with_karpenter(), &far, &eks], &eks_with_karpenter("1.0.8"));
    let asks = asks.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let versions: Vec<String> = asks.charts.iter().map(|ask| ask.version.to_string()).collect();
    assert_eq!(versions, ["1.14.1", "1.14.1"], "one hop of both charts, before the cluster moves");
}

fn waiver(about: &str, expires: &str) -> String {
    format!(
        "apiVersion: switchback.dev/v1alpha1\nkind: Waiver\nmetadata: {{name: w}}\nspec:\n  finding: SB0306\n  \
         about: '{about}'\n  evidence: two weeks on staging\n  by: ada\n  expires: '{expires}'\n"
    )
}

/// A cluster that is newer than what Karpenter's vendor says of any version.
fn too_new(waivers: &[&str]) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut newer = inventory("1.5.8");
    newer.cluster.version = "1.37.0".parse().expect("a version");
    let names = ["w0.yaml", "w1.yaml"];
    let files = [("p.yaml", PLATFORM), ("k.yaml", KARPENTER)];
    let files: Vec<_> = files.into_iter().chain(names.into_iter().zip(waivers.iter().copied())).collect();
    compiled(&files, &newer, &["1.8.8"])
}

#[test]
fn a_waiver_crosses_the_requirement_that_it_names_until_it_expires() {
    let about = "Karpenter 1.8 requires EKS >=1.26 <1.35";
    let (plan, diagnostics) = too_new(&[&waiver(about, "2026-12-24T00:00:00Z")]);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let advice = found(&diagnostics, codes::PATH_REQUIREMENT);
    assert_eq!(advice.severity, Severity::Advice);
    assert!(advice.message.contains("ada, two weeks on staging"), "{}", advice.message);
    let state = plan.untested.iter().find(|state| state.fact.starts_with(about)).expect("the state is named");
    assert_eq!(state.leaves, None);
    assert!(plan.sources.contains_key(state.source.as_ref().expect("a source")));

    for waivers in [
        vec![],
        vec![waiver(about, "2026-01-01T00:00:00Z")],
        vec![waiver("another fact", "2027-01-01T00:00:00Z")],
    ] {
        let waivers: Vec<&str> = waivers.iter().map(String::as_str).collect();
        let (plan, diagnostics) = too_new(&waivers);
        assert!(plan.is_none());
        let help = found(&diagnostics, codes::PATH_NONE).help.clone().unwrap_or_default();
        assert!(help.contains(&format!("a Waiver for finding SB0306 about {about:?}")), "{help}");
        let unused = diagnostics.iter().any(|d| d.code == codes::MANIFEST_WAIVER);
        assert_eq!(unused, !waivers.is_empty(), "{diagnostics:#?}");
    }
}

#[test]
fn a_bad_version_is_refused_until_a_waiver_names_it() {
    let bad = KARPENTER.replace("1.8.8", "1.8.4");
    let accept = waiver("karpenter 1.8.4", "2026-12-24T00:00:00Z").replace("SB0306", "SB0303");
    let files = [("p.yaml", PLATFORM), ("k.yaml", bad.as_str())];
    let (plan, diagnostics) = compiled(&files, &inventory("1.5.8"), &["1.8.4"]);
    assert!(plan.is_none());
    let refused = found(&diagnostics, codes::PATH_BAD_VERSION);
    assert!(refused.help.as_ref().is_some_and(|help| help.contains("\"karpenter 1.8.4\"")), "{refused:#?}");
    let with = [files[0], files[1], ("w.yaml", accept.as_str())];
    let (plan, diagnostics) = compiled(&with, &inventory("1.5.8"), &["1.8.4"]);
    assert!(plan.is_some(), "{diagnostics:#?}");
    assert_eq!(found(&diagnostics, codes::PATH_BAD_VERSION).severity, Severity::Advice);
}

#[test]
fn a_policy_makes_what_was_tested_a_requirement() {
    let mut with_argo = world_eks::eks();
    let mut argo = inventory("1.6.8").releases[0].clone();
    argo.name = switchback_schemas::name::ObjectName::namespaced("argo", "argo");
    argo.chart = "argo-workflows".to_owned();
    argo.app_version = "v3.6.0".to_owned();
    with_argo.releases = vec![argo];
    let eks = world_eks::EKS.replace("1.32", "1.33");
    let (asks, diagnostics) = asked(&[world_eks::PLATFORM, &eks], &with_argo);
    assert!(asks.is_some(), "what is not tested is no error by itself: {diagnostics:#?}");
    let strict = format!("{}  defaults: {{refuse: [tested]}}\n", world_eks::PLATFORM);
    let (asks, diagnostics) = asked(&[&strict, &eks], &with_argo);
    assert!(asks.is_none());
    let refused = found(&diagnostics, codes::PATH_NONE);
    assert!(refused.message.contains("is tested with EKS"), "{}", refused.message);
}

/// Everything of the acceptance case that has a lowering, as one plan.
fn joint() -> Plan {
    joint_from(eks_with_karpenter("1.0.8"))
}

/// The same from another state of the cluster and Karpenter.
fn joint_from(observed: Inventory) -> Plan {
    let (plan, diagnostics) = joint_of(observed, None);
    plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"))
}

/// The same as far as a hop.
fn joint_until(until: Option<&HopId>) -> (Option<Plan>, Vec<Diagnostic>) {
    joint_of(eks_with_karpenter("1.0.8"), until)
}

fn joint_of(mut observed: Inventory, until: Option<&HopId>) -> (Option<Plan>, Vec<Diagnostic>) {
    let with_mlflow = world_mlflow::platform(world_mlflow::OLD);
    observed.workloads.extend(with_mlflow.workloads.into_iter().skip(1));
    observed.owners.extend(with_mlflow.owners);
    observed.owners.sort_by(|a, b| a.object.cmp(&b.object));
    observed.owners.dedup_by(|a, b| a.object == b.object);
    for name in ["mlflow", "rds"] {
        let value =
            with_mlflow.components.iter().find(|(known, _)| known.as_str() == name).expect("a section").1;
        world_mlflow::set(&mut observed, name, value.clone());
    }
    let runs = "    runs: {database: {rds: {instance: mlops-platform-dev-mlflow, region: eu-central-1, account: '111122223333'}}}\n";
    let cluster = "{cluster: {eks: {name: mlops-dev, region: eu-central-1, account: '111122223333'}}}";
    let platform = world_eks::with_karpenter().replace(
        &format!("targets: {{cluster: {cluster}}}\n"),
        &format!("targets:\n    cluster: {cluster}\n{runs}"),
    );
    let mlflow = world_mlflow::MLFLOW.replace("target: main", "target: cluster");
    let eks = world_eks::EKS.replace("1.32", "1.33");
    let files = [("p.yaml", platform.as_str()), ("k.yaml", KARPENTER), ("e.yaml", &eks), ("m.yaml", &mlflow)];
    let (manifests, diagnostics) = manifest::read(registry().kinds(), files);
    let manifests = manifests.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let mut lock = lock(&observed, manifests.digest, &["1.8.8"]);
    lock.addons = world_eks::addons();
    compile(
        registry(),
        &Sources {
            manifests: &manifests,
            inventory: &observed,
            inventory_digest: Digest::of("inventory"),
            lock: &lock,
            lock_digest: Digest::of("lock"),
            as_of: None,
            estimates: None,
            trust: None,
            until,
        },
    )
}

#[test]
fn what_has_lowerings_compiles_to_one_plan_in_the_order_of_the_joint_path() {
    let plan = joint();
    assert_eq!(lint(&plan), []);
    let hop = |component: &str, to: &str| {
        let found = plan
            .hops
            .iter()
            .map(|hop| (hop.id.component().as_str(), hop.id.to().as_str(), hop))
            .find(|found| (found.0, found.1) == (component, to))
            .map(|found| found.2);
        found.unwrap_or_else(|| panic!("no {component} {to} among {:#?}", plan.hops))
    };
    let karpenter = hop("karpenter", "1.8.8");
    let first = hop("eks", "1.32");
    assert_eq!((karpenter.basis, first.basis), (HopBasis::Exact, HopBasis::Predicted));
    let order =
        first.after.iter().find(|order| order.hop == karpenter.id).expect("the controller comes first");
    assert!(order.why.contains("requires EKS >=1.25 <1.32"), "{}", order.why);
    let source = order.source.as_ref().and_then(|key| plan.sources.get(key)).expect("with its source");
    assert!(source.title.contains("compatibility"), "{}", source.title);
    assert_eq!(hop("eks", "1.32").leave_by, Some("2026-11-26".parse().expect("a day")));
    assert!(hop("mlflow", "3.18.0").after.is_empty(), "nothing binds it to the others");
}

/// A platform is often moved hop by hop, with days between: what a plan stops before is named, and what it does is what the whole
/// way would do there.
#[test]
fn a_plan_stops_after_the_hop_that_is_asked_for() {
    let whole = joint();
    let ids: Vec<&HopId> = whole.hops.iter().map(|hop| &hop.id).collect();
    let [first, last, later @ ..] = ids.as_slice() else { panic!("{ids:?}") };
    let (part, found) = joint_until(Some(last));
    let part = part.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(lint(&part), []);
    assert_eq!(part.hops.iter().map(|hop| &hop.id).collect::<Vec<_>>(), [*first, *last]);
    assert_eq!(part.later.iter().collect::<Vec<_>>(), later);
    assert!(whole.later.is_empty());
    let works = |plan: &Plan| {
        let steps = plan.steps.iter().filter(|step| part.hops.iter().any(|hop| hop.id == step.hop));
        steps.map(|step| (step.id.clone(), step.work.clone())).collect::<Vec<_>>()
    };
    assert_eq!(works(&part), works(&whole));
    assert_ne!(part.digests.review, whole.digests.review, "an approval of the one is none of the other");
}

#[test]
fn a_hop_that_is_not_there_is_answered_with_those_that_are() {
    let (plan, found) = joint_until(Some(&"karpenter/karpenter@9.9.9".parse().expect("a hop")));
    assert_eq!(plan, None);
    let errors: Vec<&Diagnostic> = found.iter().filter(|found| found.is_error()).collect();
    let [one] = errors.as_slice() else { panic!("{found:#?}") };
    assert_eq!(one.code, codes::PLAN_UNTIL);
    assert!(one.help.as_ref().is_some_and(|help| help.contains("karpenter/karpenter@1.8.8, ")), "{one:#?}");
}

/// Somebody moved the control plane; its nodes follow, whatever else moves.
#[test]
fn nodes_that_stayed_behind_follow_while_other_components_move() {
    let mut observed = eks_with_karpenter("1.5.8");
    observed.cluster.version = "1.33.2".parse().expect("a version");
    world_eks::change(&mut observed, |cluster| cluster.version = "1.33".parse().expect("a version"));
    let plan = joint_from(observed);
    assert_eq!(lint(&plan), []);
    let hops: Vec<_> = plan.hops.iter().map(|hop| (hop.id.to_string(), hop.from.is_some())).collect();
    assert!(hops.contains(&("eks/dev@1.33".to_owned(), false)), "{hops:?}");
    assert!(hops.contains(&("karpenter/karpenter@1.8.8".to_owned(), true)), "{hops:?}");
}

#[test]
fn every_order_of_the_plans_hops_keeps_every_state_valid() {
    let plan = joint();
    let catalog = registry().catalog();
    let position = |id: &HopId| plan.hops.iter().position(|hop| hop.id == *id).expect("a hop");
    let hops: Vec<Hop> = plan
        .hops
        .iter()
        .map(|hop| Hop {
            component: hop.id.component().to_string(),
            from: hop.from.clone().expect("a version"),
            to: hop.id.to().clone(),
            after: hop.after.iter().map(|order| position(&order.hop)).collect(),
        })
        .collect();
    let mut start = State::new();
    for hop in &hops {
        start.entry(hop.component.clone()).or_insert_with(|| vec![hop.from.clone()]);
    }
    for seed in 0..200 {
        walk(&hops, &start, seed, |state, told| {
            assert_eq!(broken(catalog, state), Vec::<String>::new(), "{told}");
        });
    }
}

#[test]
fn a_hop_to_a_version_that_is_still_to_come_waits_for_its_day() {
    let mut observed = inventory("1.5.8");
    observed.taken_at = "2025-10-06T09:00:00Z".parse().expect("an instant");
    let (plan, found) = compiled(&[("p.yaml", PLATFORM), ("k.yaml", KARPENTER)], &observed, &["1.8.8"]);
    let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
    let day = "2025-10-08T00:00:00Z".parse().expect("an instant");
    let gate = plan.gates.iter().find(|gate| gate.kind == GateKind::NotBefore(day));
    let gate = gate.unwrap_or_else(|| panic!("a gate among {:#?}", plan.gates));
    let (first, rest): (Vec<&Step>, Vec<&Step>) = plan.steps.iter().partition(|step| step.needs.is_empty());
    assert!(!first.is_empty(), "{first:#?}");
    assert!(first.iter().all(|step| step.gates.contains(&gate.id)), "{first:#?}");
    assert!(rest.iter().all(|step| !step.gates.contains(&gate.id)), "what follows waits anyway");
    assert_eq!(lint(&plan), []);
    let graph = Graph::of(&plan).expect("a DAG");
    assert_eq!(expected(&plan, &graph).of(&first[0].id).expect("it runs").begins, day);

    observed.taken_at = "2025-10-08T09:00:00Z".parse().expect("an instant");
    let (plan, _) = compiled(&[("p.yaml", PLATFORM), ("k.yaml", KARPENTER)], &observed, &["1.8.8"]);
    assert!(plan.expect("a plan").gates.is_empty(), "on that day it is out");
}
