//! Who stands on the nodes that move, what needs a decision, what fits nowhere else, and what is in no pool.

use serde_json::json;
use switchback_face::plan::dry_run::DryRun;
use switchback_model::{Graph, summary::summary};
use switchback_schemas::{
    Diagnostic, Digest, Severity, codes,
    codes::Code,
    inventory::{Budget, Inventory, NodeOperator, NodeRequirement, Pod, PodNeeds, Webhook},
    name::{ObjectName, ObjectRef},
    plan::{Fate, Objection, Plan, Refit, StandingWorkload},
};

use crate::{
    world::{KARPENTER, PLATFORM, compiled, inventory, pod},
    world_eks,
};

/// A class for what nothing else is for, put last.
fn with_class(class: &str) -> String {
    format!("{PLATFORM}    - {class}\n")
}

fn of(platform: &str, change: impl FnOnce(&mut Inventory)) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut inventory = inventory("1.5.8");
    change(&mut inventory);
    compiled(&[("p.yaml", platform), ("k.yaml", KARPENTER)], &inventory, &["1.8.8"])
}

fn said(diagnostics: &[Diagnostic], code: Code) -> Vec<&Diagnostic> {
    diagnostics.iter().filter(|diagnostic| diagnostic.code == code).collect()
}

fn objecting(name: &str, objections: &[Objection]) -> Pod {
    Pod { objections: objections.iter().copied().collect(), ..pod("shop", name, "general-1", "Deployment") }
}

fn bare(name: &str) -> Pod {
    Pod {
        owners: Vec::new(),
        workload: format!("uid-{name}"),
        ..objecting(name, &[Objection::NoController, Objection::LocalData])
    }
}

fn on<'p>(plan: &'p Plan, pool: &str, object: &str) -> &'p StandingWorkload {
    let pool = plan.standing.iter().find(|standing| standing.pool.as_str() == pool).expect("the pool moves");
    let found = pool.workloads.iter().find(|one| one.object.to_string() == object);
    found.unwrap_or_else(|| panic!("{object} is not among {:#?}", pool.workloads))
}

/// The short dry-run.
fn begins(plan: &Plan) -> String {
    let graph = Graph::of(plan).expect("a graph");
    let summary = summary(plan, &graph);
    DryRun { plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: false }.to_string()
}

#[test]
fn a04_a_pod_that_nothing_brings_back_needs_a_class_that_says_so() {
    let (plan, diagnostics) = of(PLATFORM, |inventory| inventory.pods.push(bare("session")));
    let found = said(&diagnostics, codes::PLAN_DECISION);
    assert_eq!(found.len(), 1, "{diagnostics:#?}");
    assert_eq!(
        found[0].message,
        "Pod shop/session on pool general needs a decision before it moves: no controller starts it again; it keeps data on its node"
    );
    assert!(found[0].help.as_deref().unwrap_or_default().contains("overrides: [no-controller, local-data]"));
    let plan = plan.expect("a plan that holds its node");
    assert!(on(&plan, "general", "Pod shop/session").needs_a_decision());
    assert!(begins(&plan).contains("\n  undecided     1 workload needs a decision: "), "{}", begins(&plan));

    let decided = with_class(
        "{name: bare, select: {ownerKinds: [Pod]}, onDrain: {evict: {}}, overrides: [no-controller, local-data]}",
    );
    let (plan, diagnostics) = of(&decided, |inventory| inventory.pods.push(bare("session")));
    assert!(said(&diagnostics, codes::PLAN_DECISION).is_empty(), "{diagnostics:#?}");
    let plan = plan.expect("a plan");
    let session = on(&plan, "general", "Pod shop/session");
    assert!(!session.needs_a_decision() && session.overridden.len() == 2);
    assert!(!begins(&plan).contains("undecided"), "{}", begins(&plan));
}

#[test]
fn a06_somebodys_no_counts_until_a_class_overrides_it_by_name() {
    let no = |inventory: &mut Inventory| inventory.pods.push(objecting("nb", &[Objection::DoNotDisrupt]));
    let (_, diagnostics) = of(PLATFORM, no);
    assert_eq!(said(&diagnostics, codes::PLAN_DECISION).len(), 1);
    let other = with_class("{name: all, select: {}, onDrain: {evict: {}}, overrides: [local-data]}");
    assert_eq!(said(&of(&other, no).1, codes::PLAN_DECISION).len(), 1, "another objection is overridden");
    let decided = with_class("{name: all, select: {}, onDrain: {evict: {}}, overrides: [do-not-disrupt]}");
    assert!(said(&of(&decided, no).1, codes::PLAN_DECISION).is_empty());
}

#[test]
fn a07_a_node_that_a_person_cordoned_is_a_line_that_names_it() {
    let cordoned = |inventory: &mut Inventory| {
        let node = inventory.nodes.iter_mut().find(|node| node.name == "general-1").expect("a node");
        node.schedulable = false;
        node.objections = [Objection::Cordoned].into();
        inventory.pods.push(objecting("x", &[]));
    };
    let (plan, diagnostics) = of(PLATFORM, cordoned);
    let found = said(&diagnostics, codes::PLAN_DECISION);
    assert_eq!(found.len(), 1, "{diagnostics:#?}");
    assert!(
        found[0].message.starts_with("Node general-1 on pool general needs a decision"),
        "{}",
        found[0].message
    );
    assert!(on(&plan.expect("a plan"), "general", "Node general-1").needs_a_decision());
    let decided = with_class("{name: all, select: {}, onDrain: {evict: {}}, overrides: [cordoned]}");
    assert!(said(&of(&decided, cordoned).1, codes::PLAN_DECISION).is_empty());
    let (_, empty) = of(&decided, |inventory| {
        cordoned(inventory);
        inventory.pods.retain(|pod| pod.node != "general-1");
    });
    assert_eq!(
        said(&empty, codes::PLAN_DECISION).len(),
        1,
        "no class speaks for a node on which nothing stands"
    );
}

#[test]
fn a09_any_owner_in_the_chain_is_of_a_class() {
    let cron = |inventory: &mut Inventory| {
        let owner = |kind: &str| ObjectRef::new("batch/v1", kind, &ObjectName::namespaced("ml", "nightly"));
        let owners = vec![owner("Job"), owner("CronJob")];
        inventory.pods.push(Pod { owners, ..pod("ml", "nightly-1", "gpu-1", "CronJob") });
    };
    let (plan, diagnostics) = of(PLATFORM, cron);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let nightly = on(&plan, "gpu", "CronJob ml/nightly");
    assert_eq!(nightly.class.as_ref().map(switchback_schemas::name::Label::as_str), Some("training"));
    assert_eq!(nightly.through.len(), 1);
    assert!(said(&diagnostics, codes::PLAN_UNCLASSIFIED_POD).is_empty());
}

#[test]
fn an_owner_that_cannot_be_read_needs_a_decision() {
    let (plan, diagnostics) = of(PLATFORM, |inventory| {
        let unread = Some("Workflow ml/w cannot be read: forbidden".to_owned());
        inventory.pods.push(Pod { owner_unread: unread, ..objecting("step", &[]) });
    });
    let found = said(&diagnostics, codes::PLAN_DECISION);
    assert!(found.len() == 1 && found[0].message.contains("whose it is, is unknown"), "{diagnostics:#?}");
    assert!(plan.is_some());
}

#[test]
fn a05_a_pod_that_fits_no_other_node_is_an_error() {
    let tied = |key: &str, value: &str| {
        let selector = [(key.to_owned(), value.to_owned())].into();
        let needs = Some(PodNeeds { node_selector: selector, ..PodNeeds::default() });
        let es = Pod { needs, ..objecting("es-0", &[]) };
        of(PLATFORM, |inventory| {
            inventory.pods.push(es);
            for node in &mut inventory.nodes {
                node.labels.insert("kubernetes.io/hostname".to_owned(), node.name.clone());
            }
        })
    };
    let (plan, diagnostics) = tied("kubernetes.io/hostname", "general-1");
    assert!(plan.is_none());
    let found = said(&diagnostics, codes::PLAN_NO_REFIT);
    assert_eq!(
        found[0].message,
        "Deployment shop/owner would not start again when pool general moves: no node has kubernetes.io/hostname general-1"
    );
    let (plan, diagnostics) = tied("disk", "fast");
    assert!(said(&diagnostics, codes::PLAN_NO_REFIT).is_empty(), "what is not known is no reason");
    assert!(matches!(
        on(&plan.expect("a plan"), "general", "Deployment shop/owner").refit,
        Refit::Unknown(_)
    ));
}

/// NodePools that say which nodes they make: of one type, of one zone.
fn templates(inventory: &mut Inventory) {
    let requirement = |key: &str, value: &str| json!({"key": key, "operator": "in", "values": [value]});
    let section = inventory.components.values_mut().next().expect("Karpenter's section");
    for pool in section["nodePools"].as_array_mut().expect("NodePools") {
        let requirements = [
            requirement("node.kubernetes.io/instance-type", "m6i.xlarge"),
            requirement("topology.kubernetes.io/zone", "eu-1a"),
        ];
        let taints = json!([{"key": "dedicated", "value": "ml", "effect": "NoSchedule"}]);
        pool["template"] =
            json!({"labels": {"tier": "front"}, "requirements": requirements, "taints": taints});
    }
    for node in &mut inventory.nodes {
        node.labels.insert("node.kubernetes.io/instance-type".to_owned(), "m6i.xlarge".to_owned());
        node.capacity = [("cpu".to_owned(), 4000), ("memory".to_owned(), 16 << 30)].into();
    }
}

#[test]
fn a05_cannot_is_said_of_a_size_a_selector_a_taint_and_a_zone() {
    let tolerated = json!([{"key": "dedicated"}]);
    let refit = |needs: serde_json::Value| {
        let needs: PodNeeds = serde_json::from_value(needs).expect("needs");
        let (_, diagnostics) = of(PLATFORM, |inventory| {
            templates(inventory);
            inventory.pods.push(Pod { needs: Some(needs), ..objecting("x", &[]) });
        });
        said(&diagnostics, codes::PLAN_NO_REFIT).first().map(|found| found.message.clone())
    };
    let cannot = |needs: serde_json::Value, why: &str| {
        let found = refit(needs).unwrap_or_else(|| panic!("{why}"));
        assert!(found.ends_with(why), "{found}");
    };
    cannot(json!({"requests": {"cpu": 5000}, "tolerations": tolerated}), "no kind of node has 5 CPUs");
    cannot(json!({"nodeSelector": {"tier": "back"}, "tolerations": tolerated}), "no node has tier back");
    cannot(json!({}), "it does not tolerate the taint dedicated");
    let zone = NodeRequirement {
        key: "topology.ebs.csi.aws.com/zone".to_owned(),
        operator: NodeOperator::In,
        values: vec!["eu-1b".to_owned()],
    };
    let volumes = json!([{"claim": "data", "terms": [[zone]]}]);
    cannot(
        json!({"volumes": volumes, "tolerations": tolerated}),
        "no node has topology.ebs.csi.aws.com/zone eu-1b",
    );
    assert_eq!(
        refit(
            json!({"requests": {"cpu": 4000}, "nodeSelector": {"tier": "front"}, "tolerations": tolerated})
        ),
        None
    );
}

#[test]
fn a08_nodes_in_no_pool_are_a_line_with_what_becomes_of_them() {
    let platform = PLATFORM.replace("    - {name: gpu,", "    #- {name: gpu,");
    let (plan, diagnostics) = of(&platform, |inventory| {
        for node in inventory.nodes.iter_mut().filter(|node| node.name.starts_with("gpu")).take(2) {
            node.node_claim.as_mut().expect("a claim").drifted = true;
        }
    });
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(plan.outside.len(), 1, "{:#?}", plan.outside);
    assert_eq!((plan.outside[0].what.as_str(), plan.outside[0].nodes), ("NodePool gpu", 4));
    assert!(
        matches!(plan.outside[0].fate, Fate::Drift { at_least: 2, at_most: 4, .. }),
        "{:#?}",
        plan.outside
    );
    let found = said(&diagnostics, codes::PLAN_OUTSIDE);
    assert!(found[0].message.contains("replaces 2 to 4 of its 4 nodes by itself"), "{}", found[0].message);
}

#[test]
fn a08_drift_that_follows_the_control_plane_is_counted() {
    let platform = world_eks::PLATFORM;
    let inventory = world_eks::eks_and_karpenter();
    let (plan, diagnostics) = world_eks::compiled(
        &[("p.yaml", platform), ("e.yaml", world_eks::EKS)],
        &inventory,
        world_eks::addons(),
    );
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let spot = plan.outside.iter().find(|outside| outside.what == "NodePool general").expect("a line");
    assert!(
        spot.pool.is_none() && matches!(spot.fate, Fate::Drift { at_least: 5, at_most: 5, .. }),
        "{spot:#?}"
    );
}

#[test]
fn a08_a_pool_that_selects_nothing_and_two_that_select_the_same() {
    let nothing = PLATFORM.replace("karpenter.sh/nodepool: gpu}", "karpenter.sh/nodepool: gqu}");
    let (plan, diagnostics) = of(&nothing, |_| ());
    assert!(plan.is_none());
    assert_eq!(
        said(&diagnostics, codes::PLAN_POOLS)[0].message,
        "pool gpu selects nothing: no node, NodePool or node group has karpenter.sh/nodepool=gqu"
    );
    let twice = PLATFORM.replace("karpenter.sh/nodepool: gpu}", "karpenter.sh/nodepool: general}");
    let found = of(&twice, |_| ()).1;
    assert!(
        said(&found, codes::PLAN_POOLS)[0]
            .message
            .starts_with("pools general and gpu select the same 6 nodes")
    );
}

#[test]
fn a10_a_gang_larger_than_its_budget() {
    let gang = |inventory: &mut Inventory| {
        inventory.pods.extend((1..4).map(|n| pod("ml", &format!("train-{n}"), &format!("gpu-{n}"), "Job")));
    };
    let requeue = PLATFORM.replace("wait: {max: 4h, then: park}", "requeue: {}");
    let (plan, diagnostics) = of(&requeue, gang);
    assert!(plan.is_none(), "it would never move");
    assert_eq!(said(&diagnostics, codes::PLAN_DECISION)[0].severity, Severity::Error);
    let (plan, diagnostics) = of(PLATFORM, gang);
    assert_eq!(said(&diagnostics, codes::PLAN_DECISION)[0].severity, Severity::Warning, "it is waited for");
    assert!(on(&plan.expect("a plan"), "gpu", "Job ml/owner").undecided.contains(&Objection::GangBudget));
    let decided = requeue.replace("gang: true", "gang: true, overrides: [gang-budget]");
    assert!(said(&of(&decided, gang).1, codes::PLAN_DECISION).is_empty());
}

#[test]
fn a10_a_verification_that_is_false_before_the_run() {
    let ready = |check: &str| {
        let verification = format!(
            "apiVersion: switchback.dev/v1alpha1\nkind: Verification\nmetadata: {{name: up}}\nspec: {{check: {check}}}\n"
        );
        let karpenter = format!("{KARPENTER}  verify: [up]\n");
        let files = [("p.yaml", PLATFORM), ("k.yaml", karpenter.as_str()), ("v.yaml", verification.as_str())];
        let (_, diagnostics) = compiled(&files, &inventory("1.5.8"), &["1.8.8"]);
        said(&diagnostics, codes::PLAN_VERIFICATION).first().map(|found| found.message.clone())
    };
    let message = ready("{nodes: {pool: general, ready: 50}}").expect("it is said");
    assert_eq!(
        message,
        "Verification up is false before the run: 6 of 6 nodes of pool general are Ready, wanted at least 50"
    );
    assert!(ready("{nodes: {pool: general, ready: 6}}").is_none());
    assert!(ready("{pods: {namespace: shop, matchLabels: {app: web}, ready: 50}}").is_some());
    assert!(ready("{deployment: {namespace: shop, name: web}}").is_none());
    assert!(ready("{deployment: {namespace: shop, name: wep}}").is_some());
}

#[test]
fn a10_a_window_in_which_a_step_has_no_room() {
    let window = "  windows: [{name: short, usedFor: forward, zone: UTC, start: '02:00', length: 2m}]\n";
    let (plan, diagnostics) = of(&format!("{PLATFORM}{window}"), |_| ());
    assert!(plan.is_none());
    let found = said(&diagnostics, codes::PLAN_WINDOW);
    assert!(found[0].message.contains("short (2 min)"), "{diagnostics:#?}");
}

const WEB: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: DeploymentUpgrade
metadata: {name: web}
spec: {target: cluster, deployment: {namespace: shop, name: web}, container: web, image: 'registry.example/web:1.5', to: '1.5'}
";

#[test]
fn a10_an_image_of_another_version_than_the_one_to_reach() {
    let web = WEB.replace("to: '1.5'", "to: '1.6'");
    let (plan, diagnostics) = compiled(&[("p.yaml", PLATFORM), ("w.yaml", &web)], &inventory("1.5.8"), &[]);
    assert!(plan.is_none());
    assert!(said(&diagnostics, codes::MANIFEST_CONFLICT)[0].message.contains("the image is tagged 1.5"));
}

#[test]
fn a10_a_deployment_that_is_paused() {
    let mut inventory = inventory("1.5.8");
    let files = [("p.yaml", PLATFORM), ("w.yaml", WEB)];
    assert!(compiled(&files, &inventory, &[]).0.is_some());
    inventory.workloads[0].paused = true;
    let (plan, diagnostics) = compiled(&files, &inventory, &[]);
    assert!(plan.is_none());
    let found = said(&diagnostics, codes::PLAN_NOT_READY);
    assert!(found[0].message.contains("Deployment shop/web is paused"), "{diagnostics:#?}");
}

#[test]
fn what_a_class_may_lose_is_held_against_how_long_it_has_run() {
    let platform =
        PLATFORM.replace("wait: {max: 4h, then: park}", "requeue: {}").replace("gang: true", "mayLose: 4h");
    let ran = |hours: i64| {
        let (_, diagnostics) = of(&platform, |inventory| {
            let started = inventory.taken_at - jiff::SignedDuration::from_hours(hours);
            inventory.pods[1].started = Some(started);
        });
        said(&diagnostics, codes::PLAN_DECISION).len()
    };
    assert_eq!((ran(3), ran(5)), (0, 1));
}

/// P-42: the API server refuses what it cannot ask a fail-closed webhook about. Two pods of it that a budget keeps one of are never away together,
/// wherever they stand.
#[test]
fn p42_a_webhook_whose_pods_all_stand_on_a_pool_needs_a_budget_that_keeps_one() {
    let webhook = |pods: &[&str]| Webhook {
        object: ObjectRef::new(
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            &ObjectName::cluster("models"),
        ),
        name: "models.example.invalid".to_owned(),
        fail_closed: true,
        service: Some(ObjectName::namespaced("shop", "models")),
        nodes: vec!["general-1".to_owned()],
        pods: pods.iter().map(|pod| (*pod).to_owned()).collect(),
    };
    let budget = |pods: &[&str], desired_healthy| Budget {
        name: ObjectName::namespaced("shop", "models"),
        pods: pods.iter().map(|pod| (*pod).to_owned()).collect(),
        allowed: 1,
        expected: 2,
        desired_healthy,
    };
    let refused = |webhook: Webhook, budget: Option<Budget>| {
        let (_, diagnostics) = of(PLATFORM, |inventory| {
            inventory.webhooks.push(webhook);
            inventory.budgets.extend(budget);
        });
        !said(&diagnostics, codes::PLAN_WEBHOOK_FAIL_CLOSED).is_empty()
    };
    let two = ["models-a", "models-b"];
    assert!(refused(webhook(&two), None));
    assert!(!refused(webhook(&two), Some(budget(&two, 1))));
    assert!(refused(webhook(&two), Some(budget(&two, 0))), "it keeps none");
    assert!(refused(webhook(&two), Some(budget(&two[..1], 1))), "it does not cover both");
    assert!(refused(webhook(&two[..1]), Some(budget(&two, 1))), "there is one only");
}
