//! Plans that continue a run: what it suspended is closed with what was there first, and what it began is gone on with.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_model::lint::lint;
use switchback_schemas::{
    ComponentName, Diagnostic, Digest, RunId, Severity, StepId, codes,
    inventory::Inventory,
    journal::Captured,
    name::{Label, ObjectName, ObjectRef, SavepointId},
    plan::{Action, Condition, Effect, KubeCondition, KubeEffect, Operand, Plan, Target, Test, Undo},
    report::{CaptureName, CarriedHop, CarryOver, LeftSuspended},
};

use crate::{
    world::{self, KARPENTER, PLATFORM, compiled, inventory},
    world_eks,
};

const FREEZE: &str = "karpenter/old@1.4.0/freeze";

pub(crate) fn id(text: &str) -> StepId {
    StepId::new(text).expect("an id")
}

fn frozen() -> Value {
    json!([{"nodes": "0"}])
}

/// Both NodePools with a budget of 0.
fn freeze(inventory: &mut Inventory) {
    let name = ComponentName::new("karpenter").expect("a name");
    let section = inventory.components.get_mut(&name).expect("Karpenter");
    for pool in section["nodePools"].as_array_mut().expect("NodePools") {
        pool["budgets"] = frozen();
    }
}

fn open(pool: &str, api_version: &str) -> LeftSuspended {
    LeftSuspended {
        id: Label::new(format!("old-freeze-{pool}")).expect("a name"),
        title: format!("drift and consolidation of NodePool {pool}"),
        held: Condition::Kube(KubeCondition::Field {
            object: Target::Object(ObjectRef::new(api_version, "NodePool", &ObjectName::cluster(pool))),
            pointer: "/spec/disruption/budgets".to_owned(),
            is: Test::Equals(Operand::Value(frozen())),
        }),
        puts_back: vec![CaptureName { step: id(&format!("{FREEZE}/{pool}")), name: "budgets".to_owned() }],
        resume_command: format!("kubectl patch nodepool {pool}"),
    }
}

pub(crate) fn hop(hop: &str, from: &str, whole: bool) -> CarriedHop {
    let run = RunId::new("r-old").expect("a name");
    CarriedHop { id: hop.parse().expect("a hop"), run, from: Some(world::v(from)), whole }
}

/// The platform as a run left it that had frozen both NodePools inside of a hop.
pub(crate) fn left(from: &str, api_version: &str) -> Inventory {
    let mut inventory = inventory(from);
    freeze(&mut inventory);
    let first = |pool: &str, budgets: Value| {
        (id(&format!("{FREEZE}/{pool}")), BTreeMap::from([("budgets".to_owned(), Captured::Scalar(budgets))]))
    };
    inventory.carry_over = Some(CarryOver {
        run: RunId::new("r-old").expect("a name"),
        operation: RunId::new("r-old").expect("a name"),
        plan: Digest::of("the old plan"),
        journal_head: "head".to_owned(),
        savepoint: SavepointId::new("start").expect("a name"),
        captures: BTreeMap::from([
            first("general", json!([{"nodes": "20%"}])),
            first("gpu", json!([{"nodes": "1"}])),
        ]),
        applied: BTreeMap::new(),
        // As another version of its group, which is the same object.
        left_suspended: vec![open("general", api_version), open("gpu", api_version)],
        done: Vec::new(),
        began: Vec::new(),
        hops: vec![hop("karpenter/karpenter@1.4.0", "1.3.0", false)],
    });
    inventory
}

pub(crate) fn planned(karpenter: &str, inventory: &Inventory, versions: &[&str]) -> (Plan, Vec<Diagnostic>) {
    let files = [("platform.yaml", PLATFORM), ("karpenter.yaml", karpenter)];
    let (plan, diagnostics) = compiled(&files, inventory, versions);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    (plan, diagnostics)
}

pub(crate) fn found(diagnostics: &[Diagnostic], code: switchback_schemas::codes::Code) -> Vec<&Diagnostic> {
    diagnostics.iter().filter(|found| found.code == code).collect()
}

/// What a step writes, and only if what is there.
fn patched(plan: &Plan, step: &str) -> (Test, Operand) {
    let step = plan.step(&id(step)).unwrap_or_else(|| panic!("no {step}"));
    let Action::Effect(Effect::Kube(KubeEffect::Patch(patch))) = &step.work.action else {
        panic!("{:?}", step.work.action)
    };
    (patch.only_if[0].is.clone(), patch.set[0].to.clone())
}

#[test]
fn p14_what_an_earlier_run_froze_is_thawed_with_its_captures() {
    for api_version in ["karpenter.sh/v1", "karpenter.sh/v1beta1"] {
        let (plan, diagnostics) = planned(KARPENTER, &left("1.5.8", api_version), &["1.8.8"]);
        assert_eq!(found(&diagnostics, codes::PLAN_LEFT_OPEN), Vec::<&Diagnostic>::new());
        assert_eq!(found(&diagnostics, codes::PLAN_UNFINISHED), Vec::<&Diagnostic>::new());
        let hop = "karpenter/karpenter@1.8.8";
        for pool in ["general", "gpu"] {
            let look = plan.step(&id(&format!("{hop}/frozen/{pool}"))).expect("it is only looked at");
            assert!(matches!(look.undo, Undo::Unneeded { .. }), "{:?}", look.undo);
            let capture =
                Operand::Captured { step: id(&format!("{FREEZE}/{pool}")), name: "budgets".to_owned() };
            assert_eq!(patched(&plan, &format!("{hop}/thaw/{pool}")).1, capture);
            let suspension = plan
                .suspensions
                .iter()
                .find(|suspension| suspension.suspend == look.id)
                .expect("a suspension");
            assert_eq!(suspension.resume, id(&format!("{hop}/thaw/{pool}")));
        }
        let general = &plan.suspensions[0];
        assert!(general.resume_command.contains("20%"), "{}", general.resume_command);
    }
}

#[test]
fn only_the_first_hop_takes_over_and_the_next_ones_freeze_themselves() {
    let manifest = KARPENTER.replace("1.8.8", "1.1.10");
    let (plan, _) =
        planned(&manifest, &left("0.37.0", "karpenter.sh/v1beta1"), &["0.37.7", "1.0.14", "1.1.10"]);
    let opens: Vec<&str> = plan.suspensions.iter().map(|suspension| suspension.suspend.as_str()).collect();
    let hop = |version: &str, what: &str| format!("karpenter/karpenter@{version}/{what}/general");
    assert!(opens.contains(&hop("0.37.7", "frozen").as_str()), "{opens:?}");
    for version in ["1.0.14", "1.1.10"] {
        let freeze = hop(version, "freeze");
        assert!(opens.contains(&freeze.as_str()), "{opens:?}");
        // What the first hop's thaw put back, not what was observed.
        let first = Test::Equals(Operand::Value(json!([{"nodes": "20%"}])));
        assert_eq!(patched(&plan, &freeze).0, first);
        let own = Operand::Captured { step: id(&freeze), name: "budgets".to_owned() };
        assert_eq!(patched(&plan, &hop(version, "thaw")).1, own);
    }
}

#[test]
fn what_nobody_would_close_is_refused_and_what_is_not_gone_on_with_is_said() {
    let inventory = left("1.8.8", "karpenter.sh/v1");
    let (plan, diagnostics) =
        compiled(&[("platform.yaml", PLATFORM), ("karpenter.yaml", KARPENTER)], &inventory, &["1.8.8"]);
    assert!(plan.is_none());
    let open = found(&diagnostics, codes::PLAN_LEFT_OPEN);
    assert_eq!(open.len(), 2, "{diagnostics:#?}");
    assert!(
        open[0]
            .message
            .contains("run r-old suspended drift and consolidation of NodePool general (old-freeze-general)"),
        "{}",
        open[0].message
    );
    let unfinished = found(&diagnostics, codes::PLAN_UNFINISHED);
    assert_eq!((unfinished.len(), unfinished[0].severity), (1, Severity::Warning));
}

#[test]
fn what_was_closed_by_hand_is_not_asked_for_again() {
    let mut inventory = left("1.8.8", "karpenter.sh/v1");
    let name = ComponentName::new("karpenter").expect("a name");
    let section = inventory.components.get_mut(&name).expect("Karpenter");
    for pool in section["nodePools"].as_array_mut().expect("NodePools") {
        pool["budgets"] = json!([{"nodes": "20%"}]);
    }
    let files = [("platform.yaml", PLATFORM), ("karpenter.yaml", KARPENTER)];
    let (_, diagnostics) = compiled(&files, &inventory, &["1.8.8"]);
    assert_eq!(found(&diagnostics, codes::PLAN_LEFT_OPEN), Vec::<&Diagnostic>::new());
    // What the run left was looked at: its hop is named as not gone on with.
    assert_eq!(found(&diagnostics, codes::PLAN_UNFINISHED).len(), 1, "{diagnostics:#?}");
}

#[test]
fn a_suspension_whose_first_value_is_not_there_is_not_guessed_at() {
    let mut inventory = left("1.5.8", "karpenter.sh/v1");
    inventory.carry_over.as_mut().expect("a run").captures.remove(&id(&format!("{FREEZE}/gpu")));
    let (plan, diagnostics) =
        compiled(&[("platform.yaml", PLATFORM), ("karpenter.yaml", KARPENTER)], &inventory, &["1.8.8"]);
    assert!(plan.is_none());
    let mut open = found(&diagnostics, codes::PLAN_LEFT_OPEN);
    open.retain(|found| found.is_error());
    assert_eq!(open.len(), 1, "{diagnostics:#?}");
    assert!(open[0].message.contains("old-freeze-gpu"), "{}", open[0].message);
}

#[test]
fn p14_what_somebody_else_froze_stays_frozen() {
    let mut inventory = inventory("1.5.8");
    freeze(&mut inventory);
    let (plan, diagnostics) = planned(KARPENTER, &inventory, &["1.8.8"]);
    let said = found(&diagnostics, codes::PLAN_LEFT_OPEN);
    assert_eq!(said.iter().map(|said| said.severity).collect::<Vec<_>>(), [Severity::Warning; 2]);
    assert!(plan.suspensions.is_empty(), "{:?}", plan.suspensions);
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert!(ids.iter().any(|id| id.ends_with("/frozen/gpu")), "{ids:?}");
    assert!(!ids.iter().any(|id| id.contains("/freeze/") || id.contains("/thaw/")), "{ids:?}");
}

/// EKS at 1.32 with its nodes, where a run left it that had come from 1.31.
fn minor_left(unfinished: bool) -> Inventory {
    let mut observed = world_eks::eks();
    observed.cluster.version = world::v("1.32.3");
    for node in &mut observed.nodes {
        node.kubelet = Some(world::v("1.32.3"));
    }
    world_eks::change(&mut observed, |cluster| {
        cluster.version = world::v("1.32");
        for group in &mut cluster.nodegroups {
            group.version = world::v("1.32");
        }
        for support in &mut cluster.calendar {
            support.extended_until = "2030-01-01".parse().expect("a day");
        }
    });
    let mut carried = left("1.5.8", "karpenter.sh/v1").carry_over.expect("a run");
    carried.left_suspended.clear();
    carried.hops = vec![hop("eks/dev@1.32", "1.31", !unfinished)];
    observed.carry_over = Some(carried);
    observed
}

fn to_the_next(observed: &Inventory) -> (Option<Plan>, Vec<Diagnostic>) {
    let eks = world_eks::EKS.replace("1.32", "1.33");
    world_eks::compiled(&[("p.yaml", world_eks::PLATFORM), ("e.yaml", &eks)], observed, world_eks::addons())
}

#[test]
fn the_next_minor_ends_the_way_back_of_the_run_that_moved_the_one_before() {
    let (plan, diagnostics) = to_the_next(&minor_left(false));
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    let closes = &plan.parent.as_ref().expect("it continues a run").expires;
    assert_eq!(closes.iter().map(|closes| closes.hop.to_string()).collect::<Vec<_>>(), ["eks/dev@1.32"]);
    let line = plan.points.iter().find(|line| line.step == closes[0].at).expect("it is a point of no return");
    assert_eq!(line.ends, "rollback to EKS 1.31, from which run r-old came,");
    let step = plan.step(&line.step).expect("a step");
    assert!(step.gates.contains(&line.id), "somebody approves it: {:?}", step.gates);
}

#[test]
fn the_next_minor_waits_for_the_end_of_the_one_before() {
    let (plan, diagnostics) = to_the_next(&minor_left(true));
    assert!(plan.is_none());
    let unfinished = found(&diagnostics, codes::PLAN_UNFINISHED);
    assert_eq!((unfinished.len(), unfinished[0].severity), (1, Severity::Error), "{diagnostics:#?}");
    assert!(unfinished[0].message.contains("r-old began eks/dev@1.32"), "{}", unfinished[0].message);
}

/// What a run began and left suspended is ended before anything else moves: here nodes before Karpenter, which would thaw them.
#[test]
fn nodes_that_stayed_behind_come_first_where_a_run_began_to_move_them() {
    let small = inventory("1.5.8");
    let mut observed = world_eks::eks_and_karpenter();
    (observed.releases, observed.crds) = (small.releases, small.crds);
    let name = ComponentName::new("karpenter").expect("a name");
    observed.components.get_mut(&name).expect("Karpenter")["version"] = json!("1.5.8");
    observed.cluster.version = world::v("1.32.3");
    world_eks::change(&mut observed, |cluster| cluster.version = world::v("1.32"));
    let hops = |observed: &Inventory| {
        let platform = world_eks::with_karpenter();
        let files = [("p.yaml", platform.as_str()), ("e.yaml", world_eks::EKS), ("k.yaml", KARPENTER)];
        let (plan, diagnostics) = world_eks::compiled(&files, observed, world_eks::addons());
        let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
        plan.hops.iter().map(|hop| hop.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(hops(&observed), ["karpenter/karpenter@1.8.8", "eks/dev@1.32"]);
    let mut carried = left("1.5.8", "karpenter.sh/v1").carry_over.expect("a run");
    carried.left_suspended.clear();
    carried.hops = vec![hop("eks/dev@1.32", "1.31", false)];
    observed.carry_over = Some(carried);
    assert_eq!(hops(&observed), ["eks/dev@1.32", "karpenter/karpenter@1.8.8"]);
}

#[test]
fn p12_moving_out_of_a_stored_version_ends_the_way_back_of_the_run_that_came_from_below_it() {
    let mut observed = left("1.0.8", "karpenter.sh/v1");
    let carried = observed.carry_over.as_mut().expect("a run");
    carried.hops = vec![
        hop("karpenter/karpenter@0.37.7", "0.37.0", true),
        hop("karpenter/karpenter@1.0.8", "0.37.7", true),
    ];
    let (plan, _) = planned(KARPENTER, &observed, &["1.8.8"]);
    let closes = &plan.parent.as_ref().expect("it continues a run").expires;
    let hops: Vec<String> = closes.iter().map(|closes| closes.hop.to_string()).collect();
    assert_eq!(hops, ["karpenter/karpenter@0.37.7", "karpenter/karpenter@1.0.8"]);
    assert!(plan.points.iter().any(|line| line.step == closes[0].at), "{:?}", plan.points);
}
