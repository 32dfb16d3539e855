//! EKS, from manifests to a plan.

use std::collections::BTreeMap;

use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{
    Graph,
    lint::lint,
    permissions::{Permission, of_plan},
    rollback_order::rollback_order,
    summary::summary,
};
use switchback_planner::catalog::Duration;
use switchback_schemas::{
    Digest, StepId,
    inventory::{Inventory, eks::InsightStatus},
    plan::{
        Action, ApprovalScope, CloudCondition, Condition, Disruption, Effect, EksEffect, Estimate, ExpiresAt,
        FailureAction, GateKind, KubeCondition, Operand, Plan, RollbackStep, Stale, Step, Test, UndoKind,
    },
};

use crate::{
    world::{registry, v},
    world_eks::{
        EKS, PLATFORM, addons, change, compiled, eks, eks_and_karpenter, group, insight, with_karpenter,
    },
};

pub(crate) fn plan_of(platform: &str, upgrade: &str, inventory: &Inventory) -> Plan {
    let (plan, diagnostics) =
        compiled(&[("platform.yaml", platform), ("eks.yaml", upgrade)], inventory, addons());
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

fn shown(plan: &Plan) -> String {
    let graph = Graph::of(plan).expect("a DAG");
    let summary = summary(plan, &graph);
    let dry_run = DryRun { plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    format!("{dry_run}\n{}", rollback::every_rollback(plan, &graph))
}

fn step<'plan>(plan: &'plan Plan, id: &str) -> &'plan Step {
    let all: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    plan.steps.iter().find(|step| step.id.as_str() == id).unwrap_or_else(|| panic!("no {id} among {all:#?}"))
}

pub(crate) fn two_minors() -> String {
    EKS.replace("1.32", "1.33")
}

fn rollback<'plan>(plan: &'plan Plan, id: &str) -> &'plan RollbackStep {
    plan.rollback
        .iter()
        .find(|step| step.id.as_str() == id)
        .unwrap_or_else(|| panic!("no rollback step {id}"))
}

#[test]
fn one_minor_reads_like_this() {
    insta::assert_snapshot!(shown(&plan_of(PLATFORM, EKS, &eks())));
}

#[test]
fn two_minors_read_like_this_in_short() {
    let plan = plan_of(PLATFORM, &two_minors(), &eks());
    let graph = Graph::of(&plan).expect("a DAG");
    let summary = summary(&plan, &graph);
    let short =
        DryRun { plan: &plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: false };
    insta::assert_snapshot!(short);
}

#[test]
fn two_minors_with_karpenter_read_like_this() {
    insta::assert_snapshot!(shown(&plan_of(&with_karpenter(), &two_minors(), &eks_and_karpenter())));
}

#[test]
fn the_line_of_no_return_stands_at_the_second_minor() {
    let plan = plan_of(PLATFORM, &two_minors(), &eks());
    let [line] = plan.points.as_slice() else { panic!("one line, not {:#?}", plan.points) };
    // The old group of the first minor is the first thing that its rollback needs and that the second minor takes away.
    assert_eq!(line.step.as_str(), "eks/dev@1.33/delete-retained/gpu");
    assert!(line.ends.contains("1.31"), "{}", line.ends);
    let asked = |id: &str| {
        step(&plan, id)
            .gates
            .iter()
            .filter_map(|gate| plan.gate(gate))
            .any(|gate| gate.kind == GateKind::Approval(ApprovalScope::Point(line.id.clone())))
    };
    assert!(asked("eks/dev@1.33/delete-retained/gpu"));
    assert!(asked("eks/dev@1.33/control-plane"));
    assert!(!asked("eks/dev@1.32/control-plane"));
    let closes = |id: &str| {
        let undo = rollback(&plan, id);
        assert_eq!(undo.kind, UndoKind::Window);
        undo.expires.iter().map(|expiry| expiry.at.clone()).collect::<Vec<_>>()
    };
    let first = closes("eks/dev@1.32/control-plane");
    assert!(first.contains(&ExpiresAt::Start(line.step.clone())), "{first:?}");
    let end = "2026-11-26T00:00:00Z".parse().expect("an instant");
    assert!(first.contains(&ExpiresAt::Instant(end)), "1.31 ends soon: {first:?}");
    let second = closes("eks/dev@1.33/control-plane");
    assert!(!second.iter().any(|at| matches!(at, ExpiresAt::Start(_))), "{second:?}");
}

#[test]
fn without_a_group_that_is_kept_the_second_control_plane_is_the_line() {
    let both = PLATFORM
        .replace("replace-group", "group-update")
        .replace("onDrain: {wait: {max: 4h, then: park}}, gang: true", "onDrain: {requeue: {}}");
    let plan = plan_of(&both, &two_minors(), &eks());
    assert_eq!(plan.points.len(), 1);
    assert_eq!(plan.points[0].step.as_str(), "eks/dev@1.33/control-plane");
}

#[test]
fn the_way_back_goes_over_nodes_and_add_ons_to_the_control_plane() {
    let plan = plan_of(PLATFORM, EKS, &eks());
    let graph = Graph::of(&plan).expect("a DAG");
    let started = plan.steps.iter().map(|step| step.id.clone()).collect();
    let way = rollback_order(&plan, &graph, &started, &plan.savepoints[0]);
    let order: Vec<&str> = way.steps.iter().map(|back| back.step.as_str()).collect();
    let at = |part: &str| {
        order.iter().position(|id| id.ends_with(part)).unwrap_or_else(|| panic!("no {part} in {order:#?}"))
    };
    // The old group has its nodes again before the new one is emptied, and that before it is deleted.
    assert!(at("gpu/gpu/allow-empty") < at("gpu/gpu/empty"));
    assert!(at("gpu/gpu/empty") < at("gpu/gpu/copy"));
    // Machines of the new group that never joined are no nodes that could be drained; they go with its size.
    assert!(at("gpu/gpu/empty") < at("gpu/gpu/size"));
    assert!(at("gpu/gpu/size") < at("gpu/gpu/copy"));
    assert!(at("gpu/gpu/copy") < at("addons/coredns"));
    assert!(at("addons/coredns") < at("addons/kube-proxy"));
    assert_eq!(at("/control-plane"), order.len() - 1, "{order:#?}");
    let undo = rollback(&plan, "eks/dev@1.32/control-plane");
    let reads: Vec<&Condition> = undo.work.reads.iter().map(|read| &read.condition).collect();
    assert!(
        reads.iter().any(|read| matches!(read, Condition::Cloud(CloudCondition::Insights { .. }))),
        "{reads:?}"
    );
    assert!(
        reads.iter().any(|read| matches!(read, Condition::Kube(KubeCondition::Count { .. }))),
        "{reads:?}"
    );
}

#[test]
fn p14_nodes_of_karpenter_leave_before_the_control_plane_goes_back() {
    let plan = plan_of(&with_karpenter(), EKS, &eks_and_karpenter());
    let graph = Graph::of(&plan).expect("a DAG");
    let started = plan.steps.iter().map(|step| step.id.clone()).collect();
    let way = rollback_order(&plan, &graph, &started, &plan.savepoints[0]);
    assert!(way.is_open(), "{:?}", way.commits);
    let order: Vec<&str> = way.steps.iter().map(|back| back.step.as_str()).collect();
    let parts = [
        "limits/general/suspend",
        "nodes/general/terminate",
        "/control-plane",
        "limits/general/restore",
        "/freeze/general",
    ];
    let at = parts.map(|part| {
        order.iter().position(|id| id.ends_with(part)).unwrap_or_else(|| panic!("no {part} in {order:#?}"))
    });
    assert!(at.is_sorted(), "{order:#?}");
    let undo = rollback(&plan, "eks/dev@1.32/nodes/general/terminate");
    assert_eq!(
        undo.undoes,
        ["eks/dev@1.32/control-plane", "eks/dev@1.32/nodes/general/roll"]
            .map(|id| StepId::new(id).expect("an id"))
    );
    let hold = rollback(&plan, "eks/dev@1.32/limits/general/suspend");
    assert_eq!(hold.lifted_by.as_ref().map(StepId::as_str), Some("eks/dev@1.32/limits/general/restore"));
    let Action::Roll(roll) = &undo.work.action else { panic!("a roll") };
    assert_eq!(roll.stale, Stale::KubeletAtLeast(v("1.32")));
    assert_eq!(undo.work.disruption, Disruption::Outage);
    assert!(plan.points.is_empty());
}

#[test]
fn a_control_plane_never_goes_back_by_itself() {
    let stay = format!("{EKS}  nodes: stay\n");
    let plan = plan_of(PLATFORM, &stay, &eks());
    let after = |step: &&Step| !step.id.as_str().ends_with("/readiness");
    for step in plan.steps.iter().filter(after) {
        assert_ne!(step.on_failure.action, FailureAction::RollbackHop, "{}", step.id);
    }
    assert!(!plan.steps.iter().any(|step| step.id.as_str().contains("/nodes/")), "nodes stay");
    let asked = format!("{stay}  onFailure: rollback-hop\n");
    let (plan, diagnostics) = compiled(&[("p.yaml", PLATFORM), ("e.yaml", &asked)], &eks(), addons());
    assert!(plan.is_none(), "nobody approved that");
    assert!(diagnostics.iter().any(|found| found.message.contains("only until a time")), "{diagnostics:#?}");
}

#[test]
fn p06_add_ons_follow_the_control_plane_in_their_order_and_skip_no_minor() {
    let plan = plan_of(PLATFORM, EKS, &eks());
    let graph = Graph::of(&plan).expect("a DAG");
    let number = |id: &str| graph.number(&StepId::new(id).expect("an id")).unwrap_or_else(|| panic!("{id}"));
    let order = [
        "eks/dev@1.32/control-plane",
        "eks/dev@1.32/addons/vpc-cni/stop-1",
        "eks/dev@1.32/addons/vpc-cni",
        "eks/dev@1.32/addons/kube-proxy",
        "eks/dev@1.32/addons/coredns",
    ];
    for pair in order.windows(2) {
        assert!(graph.descendants(number(pair[0])).contains(&number(pair[1])), "{pair:?}");
    }
    let second = plan_of(PLATFORM, &two_minors(), &eks());
    let cni = second
        .steps
        .iter()
        .filter(|step| step.id.as_str().starts_with("eks/dev@1.33/addons/vpc-cni"))
        .count();
    assert_eq!(cni, 0, "it is where it belongs already");
}

#[test]
fn rules_for_add_ons_are_kept() {
    let rules = format!(
        "{EKS}  addons:\n    - {{name: vpc-cni, keep: true}}\n    - {{name: coredns, conflicts: overwrite, versions: {{'1.32': \
         v1.11.4-eksbuild.22}}}}\n"
    );
    let plan = plan_of(PLATFORM, &rules, &eks());
    assert!(!plan.steps.iter().any(|step| step.id.as_str().contains("vpc-cni")));
    let Action::Effect(Effect::Eks(EksEffect::UpdateAddon(update))) =
        &step(&plan, "eks/dev@1.32/addons/coredns").work.action
    else {
        panic!("an update")
    };
    assert_eq!(update.conflicts, switchback_schemas::plan::ResolveConflicts::Overwrite);
}

#[test]
fn al2_becomes_al2023_where_it_ends() {
    let mut old = eks();
    change(&mut old, |cluster| cluster.nodegroups[0].ami_type = "AL2_x86_64_GPU".to_owned());
    let plan = plan_of(PLATFORM, &two_minors(), &old);
    let ami = |id: &str| match &step(&plan, id).work.action {
        Action::Effect(Effect::Eks(EksEffect::CreateNodegroup(create))) => {
            (create.like.clone(), create.ami_type.clone())
        }
        other => panic!("a group, not {other:?}"),
    };
    assert_eq!(ami("eks/dev@1.32/nodes/gpu/gpu/copy"), ("gpu".to_owned(), None));
    let second = ami("eks/dev@1.33/nodes/gpu/gpu-1-32/copy");
    assert_eq!(second, ("gpu-1-32".to_owned(), Some("AL2023_x86_64_NVIDIA".to_owned())));
}

#[test]
fn what_is_kept_is_said_and_what_the_next_minor_needs_gone_is_deleted() {
    let plan = plan_of(PLATFORM, &two_minors(), &eks());
    let kept: Vec<&str> = plan.retentions.iter().map(|left| left.what.as_str()).collect();
    assert_eq!(kept, ["node group gpu-1-32, at size 0"]);
    let removal = &plan.retentions[0].removal;
    assert!(
        matches!(&removal.action, Action::Effect(Effect::Eks(EksEffect::DeleteNodegroup(delete))) if delete.nodegroup == "gpu-1-32")
    );
    // Its undo holds also if it never happened: the group is there as it was.
    let undo = rollback(&plan, "eks/dev@1.33/delete-retained/gpu");
    let Some(Condition::Any(of)) = &undo.work.done_when else { panic!("{:?}", undo.work.done_when) };
    let holds = |test: &Test| {
        of.iter().any(|one| matches!(one, Condition::Cloud(CloudCondition::Field { is, .. }) if is == test))
    };
    let active = Test::Equals(Operand::Value("ACTIVE".into()));
    assert!(holds(&Test::Absent {}), "{of:?}");
    assert!(holds(&active), "{of:?}");
}

#[test]
fn a_group_that_an_earlier_run_emptied_moves_no_more_and_goes_before_the_next_minor() {
    let mut after = eks();
    change(&mut after, |cluster| {
        cluster.version = v("1.32");
        let mut old = group("gpu", "gpu", "AL2023_x86_64_NVIDIA", 4);
        (old.min, old.desired) = (0, 0);
        cluster.nodegroups = vec![
            old,
            group("gpu-1-32", "gpu", "AL2023_x86_64_NVIDIA", 4),
            group("system", "system", "AL2023_x86_64_STANDARD", 3),
        ];
        for group in &mut cluster.nodegroups[1..] {
            group.version = v("1.32");
        }
    });
    after.cluster.version = v("1.32.9");
    let nodes = after.nodes.iter_mut().filter(|node| node.name.starts_with("gpu-"));
    nodes.for_each(|node| {
        node.labels.insert("eks.amazonaws.com/nodegroup".to_owned(), "gpu-1-32".to_owned());
    });

    let files = [("platform.yaml", PLATFORM), ("eks.yaml", EKS)];
    let (plan, said) = compiled(&files, &after, addons());
    assert!(plan.is_none_or(|plan| plan.steps.is_empty()), "the minor is reached: {said:#?}");

    let plan = plan_of(PLATFORM, &two_minors(), &after);
    assert_eq!(plan.points, [], "the run that kept it is over");
    let step = |id: &str| plan.steps.iter().any(|step| step.id.as_str() == id);
    assert!(step("eks/dev@1.33/delete-retained/gpu"), "{:#?}", plan.hops);
    assert!(step("eks/dev@1.33/nodes/gpu/gpu-1-32/copy"), "{:#?}", plan.hops);
    assert!(!step("eks/dev@1.33/nodes/gpu/gpu/copy"));
}

#[test]
fn nodes_alone_follow_a_control_plane_that_is_there() {
    let mut ahead = eks();
    change(&mut ahead, |cluster| cluster.version = v("1.32"));
    ahead.cluster.version = v("1.32.9");
    let plan = plan_of(PLATFORM, EKS, &ahead);
    assert!(!plan.steps.iter().any(|step| step.id.as_str().ends_with("/control-plane")));
    step(&plan, "eks/dev@1.32/nodes/gpu/gpu/roll");
    step(&plan, "eks/dev@1.32/nodes/system/system/update");
}

#[test]
fn add_ons_are_asked_for_at_every_minor_on_the_way() {
    let upgrade = two_minors();
    let (manifests, _) = switchback_planner::manifest::read(
        registry().kinds(),
        [("p.yaml", PLATFORM), ("e.yaml", upgrade.as_str())],
    );
    let (asks, diagnostics) =
        switchback_planner::compile::asks(registry(), &manifests.expect("manifests"), &eks());
    let asks = asks.unwrap_or_else(|| panic!("asks, not {diagnostics:#?}"));
    let asked: Vec<String> =
        asks.addons.iter().map(|ask| format!("{} {}", ask.addon, ask.kubernetes)).collect();
    let all = [
        "coredns 1.32",
        "coredns 1.33",
        "kube-proxy 1.32",
        "kube-proxy 1.33",
        "vpc-cni 1.32",
        "vpc-cni 1.33",
    ];
    assert_eq!(asked, all);
    assert!(asks.charts.is_empty());
    assert!(asks.aws.len() == 1);
}

#[test]
fn nodes_may_be_watched_at_the_old_minor_before_they_follow() {
    let plan = plan_of(PLATFORM, &format!("{EKS}  bake: 1d\n"), &eks());
    let bake = step(&plan, "eks/dev@1.32/bake");
    assert_eq!(bake.work.verify[0].settle.0, 24 * 3600);
    let graph = Graph::of(&plan).expect("a DAG");
    let number = |id: &str| graph.number(&StepId::new(id).expect("an id")).expect("a step");
    let after = graph.descendants(number("eks/dev@1.32/bake"));
    assert!(after.contains(&number("eks/dev@1.32/nodes/system/system/update")));
    assert!(!after.contains(&number("eks/dev@1.32/control-plane")));
}

#[test]
fn p01_an_accepted_insight_is_named_by_its_gate_and_the_step_before() {
    let mut warned = eks();
    change(&mut warned, |cluster| {
        cluster.insights.push(insight("Deprecated APIs", "1.32", InsightStatus::Error));
    });
    let accepting = format!(
        "{EKS}  insights:\n    - {{name: Deprecated APIs, because: 'ada: no call since 2026-11-01', expires: '2026-12-01T00:00:00Z'}}\n"
    );
    let plan = plan_of(PLATFORM, &accepting, &warned);
    let gate = plan.gates.iter().find(|gate| gate.id.as_str() == "dev-1.32-insights").expect("the gate");
    let GateKind::Check(Condition::Cloud(CloudCondition::Insights { accepted_until, .. })) = &gate.kind
    else {
        panic!("insights")
    };
    let until = "2026-12-01T00:00:00Z".parse().expect("an instant");
    assert_eq!(accepted_until, &[("Deprecated APIs".to_owned(), until)].into());
    for id in ["eks/dev@1.32/readiness", "eks/dev@1.32/control-plane"] {
        assert!(step(&plan, id).gates.contains(&gate.id), "{id}");
    }
}

#[test]
fn every_call_of_the_cloud_is_among_the_permissions() {
    let plan = plan_of(PLATFORM, &two_minors(), &eks());
    let wants = |effect: &Effect| -> &[&str] {
        match effect {
            Effect::Eks(EksEffect::UpdateCluster(_)) => &["eks:UpdateClusterVersion", "eks:DescribeUpdate"],
            Effect::Eks(EksEffect::UpdateAddon(_)) => &["eks:UpdateAddon", "iam:PassRole"],
            Effect::Eks(EksEffect::UpdateNodegroup(_)) => &["eks:UpdateNodegroupVersion"],
            Effect::Eks(EksEffect::CreateNodegroup(_)) => {
                &["eks:CreateNodegroup", "iam:PassRole", "eks:TagResource"]
            }
            Effect::Eks(EksEffect::ScaleNodegroup(_)) => &["eks:UpdateNodegroupConfig"],
            Effect::Eks(EksEffect::DeleteNodegroup(_)) => {
                &["eks:DeleteNodegroup", "autoscaling:DescribeAutoScalingGroups"]
            }
            _ => &[],
        }
    };
    let all = of_plan(&plan);
    let has = |id: &StepId, action: &str| {
        let of = |permission: &Permission| matches!(permission, Permission::Iam(iam) if iam.action == action);
        all.iter().any(|(permission, steps)| of(permission) && steps.contains(id))
    };
    let mut seen = 0;
    for (id, work) in plan.works() {
        for action in work.effects().into_iter().flat_map(wants) {
            assert!(has(id, action), "{id} lacks {action}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
    // What its gates and reads ask is a step's to ask.
    let looks = ["eks:ListInsights", "eks:DescribeInsightsRefresh", "eks:StartInsightsRefresh"];
    let control_plane = &step(&plan, "eks/dev@1.32/control-plane").id;
    for action in looks.into_iter().chain(["ec2:DescribeSubnets"]) {
        assert!(has(control_plane, action), "{action}");
    }
}

#[test]
fn lengths_of_steps_are_the_catalogs() {
    let plan = plan_of(PLATFORM, &two_minors(), &eks());
    let catalog = registry().catalog();
    let rows =
        catalog.components["eks"].durations.iter().flat_map(|row| row.steps.iter().map(move |at| (at, row)));
    let mut about: BTreeMap<&str, &Duration> = rows.map(|(at, row)| (at.as_str(), row)).collect();
    for (id, at) in [
        ("eks/dev@1.33/control-plane", "control-plane"),
        ("eks/dev@1.33/addons/coredns", "addons/*"),
        ("eks/dev@1.32/addons/vpc-cni/stop-1", "addons/*/*"),
    ] {
        let row = about.remove(at).unwrap_or_else(|| panic!("a row about {at}"));
        let wanted = Estimate { expected: row.takes.0, p90: row.p90.expect("it is said").0 };
        let step = step(&plan, id);
        let undo = rollback(&plan, id);
        assert_eq!((step.work.estimate, undo.work.estimate), (wanted, wanted), "{id}");
    }
    assert!(about.is_empty(), "rows that no step was looked at for: {:?}", about.keys());
}
