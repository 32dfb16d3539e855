//! One hop of Karpenter, as steps: freeze, look, CRDs, controller, health, nodes, thaw.

use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    inventory::karpenter::{Karpenter, NodePool},
    lock::Render,
    manifest::NodeMove,
    name::{Label, ObjectRef},
    plan::{
        Action, ApprovalScope, ClosesEarlier, Closing, ClosingAt, Condition, Effect, Estimate, FieldTest,
        Find, Gate, GateKind, Hop, NoReturn, Operand, Pool, Stale, Strategy, Target, Test, Undo, Wait,
    },
    report::CarriedHop,
};

use super::{hops::Doc, notices, storage};
use crate::{
    components::HopSpec,
    context::Cx,
    lower::{Draft, HopScope, Lowering, checks, freeze::Freeze, helm, nodes, verify},
    objects,
    outlook::{Outlook, crd_ref},
};

/// How long the controller may take to be ready, and its NodePools after it.
const CONTROLLER: Seconds = Seconds::minutes(10);
const HEALTH: Seconds = Seconds::minutes(10);

/// Lowers one hop. What is missing is said once and the hop left out: no plan comes out then.
pub(super) fn hop(cx: &Cx<'_>, hop: &HopSpec, doc: &Doc, outlook: &mut Outlook<'_>, to: &mut Lowering) {
    let label = |text: &str| cx.label(doc.doc, "/spec/to", text);
    let section = match outlook.karpenter() {
        Ok(Some(section)) => section,
        Ok(None) => {
            let message = "the inventory holds nothing about Karpenter";
            let help = "observe again with credentials that may list NodePools and NodeClaims";
            return cx.findings.say(
                Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message).at(label("needs it")).help(help),
            );
        }
        Err(error) => {
            return cx
                .findings
                .say(Diagnostic::error(codes::PLAN_UNREADABLE, error.to_string()).at(label("needs it")));
        }
    };
    let crds = cx.render(&doc.spec.crd_release, &hop.to, label("this version of the CRD chart"));
    let controller = cx.render(&doc.spec.release, &hop.to, label("this version of the chart"));
    let (Some(crds), Some(controller)) = (crds, controller) else { return };
    notices::add(cx, hop, &section, to);
    let road = Road { cx, hop, doc, scope: hop.scope(), section: &section };
    road.build(crds, controller, outlook, to);
}

/// What every part of a hop looks at.
struct Road<'a> {
    cx: &'a Cx<'a>,
    hop: &'a HopSpec,
    doc: &'a Doc,
    scope: HopScope,
    section: &'a Karpenter,
}

impl Road<'_> {
    fn build(&self, crds: &Render, controller: &Render, outlook: &mut Outlook<'_>, to: &mut Lowering) {
        let freezes: Vec<(Freeze, &NodePool)> = self
            .section
            .node_pools
            .iter()
            .map(|pool| (Freeze::new(&self.scope, pool, self.api_version(), outlook), pool))
            .collect();
        let mut frozen = Vec::new();
        for (freeze, pool) in &freezes {
            freeze.check(self.cx);
            // A later hop finds the budgets as the earlier hop's thaw left them, which is the same value.
            outlook.note_budgets(pool, &freeze.object().api_version);
            frozen.push(to.add(freeze.open_step(&self.scope, outlook).done()));
            freeze.bracket(pool, self.safe_to_thaw(), to);
        }
        let rolls = self.rolls();
        let baselines: Vec<StepId> = rolls.iter().map(|roll| self.baseline(roll, &frozen, to)).collect();
        let moved = self.storage(crds, outlook, &frozen, to);
        let crd_step = self.crds(crds, outlook, &[frozen.as_slice(), &baselines, &moved].concat(), to);
        let controller_step = crd_step.and_then(|crd| self.controller(controller, outlook, &crd, to));
        let Some(controller_step) = controller_step else { return };
        let health = self.health(&controller_step, to);
        let mut last = vec![health.clone()];
        let mut previous: Option<StepId> = None;
        for (roll, baseline) in rolls.iter().zip(&baselines) {
            let step = self.move_nodes(roll, baseline, &health, previous.as_ref(), &controller_step, to);
            previous = Some(step.clone());
            last.push(step);
        }
        for (freeze, _) in &freezes {
            let Some(mut draft) = freeze.close_step(&self.scope) else { continue };
            for step in &last {
                draft = draft.needs(
                    step,
                    "nothing may drift before the upgrade is verified and its nodes have moved",
                    None,
                );
            }
            to.add(draft.done());
        }
    }

    /// The API version in which NodePools are written during this hop: v1beta1 until 1.0 runs.
    fn api_version(&self) -> &'static str {
        match &self.hop.from {
            Some(from) if *from < self.cx.catalog.karpenter.bridge.from => "karpenter.sh/v1beta1",
            _ => "karpenter.sh/v1",
        }
    }

    fn deployment(&self) -> ObjectRef {
        ObjectRef::new("apps/v1", "Deployment", &self.section.deployment)
    }

    /// Thawing in a mixed state would let drift take the fleet: the controller must be whole and nothing drifted.
    fn safe_to_thaw(&self) -> Condition {
        Condition::All {
            of: vec![
                Condition::Rollout { object: Target::Object(self.deployment()) },
                nodes::none_drifted(&std::collections::BTreeMap::new()),
            ],
        }
    }

    /// Pools that may have to move: those whose nodes Karpenter makes.
    fn rolls(&self) -> Vec<PoolRoll> {
        if self.doc.spec.nodes == NodeMove::None {
            return Vec::new();
        }
        let mut pools: Vec<&Pool> =
            self.cx.pools.iter().filter(|pool| pool.strategy == Strategy::Nodeclaim).collect();
        pools.sort_by_key(|pool| (pool.tier, pool.name.clone()));
        let roll = |pool: &'_ Pool| {
            let inside = checks::nodes_of(self.cx.inventory, pool);
            let drifted = inside
                .iter()
                .filter(|node| node.node_claim.as_ref().is_some_and(|claim| claim.drifted))
                .count();
            let all = inside.len() as u64;
            let observed = if self.doc.spec.nodes == NodeMove::All { all } else { drifted as u64 };
            PoolRoll { pool: pool.clone(), nodes: all, observed }
        };
        pools.into_iter().map(roll).collect()
    }

    /// Looks at a pool before anything moves. Its undo, which comes late on the way back, moves what has drifted from the
    /// restored state, while Karpenter is still frozen.
    fn baseline(&self, roll: &PoolRoll, frozen: &[StepId], to: &mut Lowering) -> StepId {
        checks::drainable(self.cx.findings, self.cx.inventory, &roll.pool, &self.cx.classes);
        let part = format!("nodes/{}/baseline", roll.pool.name);
        let plan = self.roll_of(roll, Stale::Drifted {});
        let until = Condition::NodesReady { pool: roll.pool.name.clone(), at_least: plan.floor };
        let undo = nodes::back(&roll.pool, &plan);
        let title = format!("see that pool {} has its floor of {} Ready nodes", roll.pool.name, plan.floor);
        let mut draft = self.scope.step(&part, title, Effect::Wait(Wait { until }), undo, Vec::new());
        for step in frozen {
            draft = draft.needs(step, "what is looked at must not be moved by drift meanwhile", None);
        }
        let draft = draft.time(HEALTH, Estimate::seconds(5, 30)).idempotent();
        to.pools.push(roll.pool.clone());
        to.add(draft.done())
    }

    /// Rewrites objects that are stored in a version which the target drops; that closes the way back of an earlier hop
    /// that needs it, so it is a line of no return then.
    fn storage(
        &self,
        crds: &Render,
        outlook: &Outlook<'_>,
        after: &[StepId],
        to: &mut Lowering,
    ) -> Vec<StepId> {
        let names = &self.cx.catalog.karpenter.crds;
        let moving: Vec<_> = names
            .iter()
            .filter_map(|name| outlook.crd(name))
            .filter(|crd| storage::has_to_move(crds, crd))
            .collect();
        outlook.take_reads();
        let mut steps = Vec::new();
        for crd in &moving {
            outlook.crd(&crd.name);
            steps.push(storage::migrate(&self.scope, outlook, crd, &self.hop.to, after, to));
        }
        if let Some(first) = steps.first().cloned()
            && self.closes_the_way_below_one(&first, to)
        {
            let gate = Label::sanitized(&format!("below-{}", self.cx.catalog.karpenter.bridge.from));
            for step in to.steps.iter_mut().filter(|step| steps.contains(&step.id)) {
                step.gates.push(gate.clone());
            }
            for step in steps.iter().skip(1) {
                to.order(step, &first, "the line is crossed once, by the first of them");
            }
        }
        steps
    }

    /// If an earlier hop of this plan, or of a run that it continues, came from below 1.0, its way back ends when v1beta1 is no
    /// longer stored.
    fn closes_the_way_below_one(&self, first: &StepId, to: &mut Lowering) -> bool {
        let bridge = &self.cx.catalog.karpenter.bridge;
        let here = self.hop.id();
        let why =
            format!("{} serves no {}, and no object is stored in it any more", self.hop.to, bridge.drops);
        let below = |carried: &&CarriedHop| {
            Hop::moved(&carried.id) == Hop::moved(&here)
                && carried.from.as_ref().is_some_and(|from| *from < bridge.from)
        };
        let earlier: Vec<ClosesEarlier> = self
            .cx
            .carried()
            .filter(below)
            .map(|carried| ClosesEarlier { hop: carried.id.clone(), at: first.clone(), why: why.clone() })
            .collect();
        let mut found = !earlier.is_empty();
        to.closes_earlier.extend(earlier);
        for step in
            to.steps.iter_mut().filter(|step| step.hop != here && step.id.as_str().starts_with("karpenter/"))
        {
            if let Undo::Step(undo) = &mut step.undo
                && matches!(undo.action, Action::Effect(Effect::HelmRollback(_)))
            {
                undo.closes.push(Closing { at: ClosingAt::Start(first.clone()), why: why.clone() });
                found = true;
            }
        }
        if found {
            let id = Label::sanitized(&format!("below-{}", bridge.from));
            let closes = format!("the way back below Karpenter {}", bridge.from);
            to.gates.push(Gate {
                id: id.clone(),
                title: format!("approve the end of {closes}"),
                kind: GateKind::Approval(ApprovalScope::Line(id.clone())),
                may_override: false,
            });
            to.lines.push(NoReturn {
                id,
                step: first.clone(),
                closes,
                recovery: format!(
                    "restore the exported objects into a cluster that runs Karpenter below {}",
                    bridge.from
                ),
            });
        }
        found
    }

    fn crds(
        &self,
        render: &Render,
        outlook: &mut Outlook<'_>,
        after: &[StepId],
        to: &mut Lowering,
    ) -> Option<StepId> {
        let names = objects::crds(&render.objects);
        for name in &names {
            outlook.crd(name);
        }
        let title = format!("upgrade the CRDs to {} by release {}", self.hop.to, render.release);
        let step = helm::ReleaseStep { part: "crds", title, render, within: CONTROLLER };
        let mut draft = helm::upgrade(&self.scope, outlook, step)?;
        for step in after {
            draft = draft.needs(
                step,
                "drift is frozen and stored versions are moved before CRDs change",
                Some("kubernetes-crd-versions"),
            );
        }
        let established = names.iter().map(|name| {
            let condition = Condition::Field {
                object: Target::Object(crd_ref(name)),
                pointer: "/status/conditions".to_owned(),
                is: Test::Contains(serde_json::json!({"type": "Established", "status": "True"})),
            };
            verify(format!("CRD {name} is established"), condition, Seconds(0), Seconds::minutes(1))
        });
        // A conversion webhook that nobody answers breaks every read in the other version (user-pain P-10).
        let callable = names.iter().map(|name| {
            let condition = Condition::ConversionReady { crd: name.clone() };
            verify(format!("the API server can convert {name}"), condition, Seconds(5), Seconds::minutes(2))
        });
        let verifies: Vec<_> = established.chain(callable).collect();
        let id = to.add(draft.verify(verifies).done());
        outlook.upgraded(render, &id);
        Some(id)
    }

    fn controller(
        &self,
        render: &Render,
        outlook: &mut Outlook<'_>,
        crds: &StepId,
        to: &mut Lowering,
    ) -> Option<StepId> {
        let title = format!("upgrade the controller to {} by release {}", self.hop.to, render.release);
        let step = helm::ReleaseStep { part: "controller", title, render, within: CONTROLLER };
        let draft = helm::upgrade(&self.scope, outlook, step)?;
        let draft = draft
            .needs(crds, "the controller needs the CRDs of its version", Some("charts"))
            .verify([self.version_label()]);
        let id = to.add(draft.done());
        outlook.upgraded(render, &id);
        helm::warn_about_hooks(
            self.cx.findings,
            render,
            Some(&self.cx.label(self.doc.doc, "/spec/to", "this version of the chart")),
        );
        Some(id)
    }

    /// That the controller which runs is the one that was asked for: a chart that pins the image by digest keeps the old one
    /// when only its tag is set.
    fn version_label(&self) -> switchback_schemas::plan::Verify {
        let condition = Condition::Field {
            object: Target::Object(self.deployment()),
            pointer: "/metadata/labels/app.kubernetes.io~1version".to_owned(),
            is: Test::Equals(Operand::Value(serde_json::json!(self.hop.to.plain()))),
        };
        verify(
            format!("the controller says it is {}", self.hop.to.plain()),
            condition,
            Seconds(0),
            Seconds::minutes(2),
        )
    }

    fn health(&self, controller: &StepId, to: &mut Lowering) -> StepId {
        let ready = |kind: &str, api_version: &str, count: usize| Condition::Count {
            find: Find {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: None,
                labels: std::collections::BTreeMap::new(),
            },
            each: vec![FieldTest {
                pointer: "/status/conditions".to_owned(),
                is: Test::Contains(serde_json::json!({"type": "Ready", "status": "True"})),
            }],
            at_least: Some(count as u64),
            at_most: None,
        };
        let pools = self.section.node_pools.iter().filter(|pool| pool.ready).count();
        let classes = self.section.node_classes.iter().filter(|class| class.ready).count();
        let until = Condition::All {
            of: vec![
                Condition::Rollout { object: Target::Object(self.deployment()) },
                ready("NodePool", "karpenter.sh/v1", pools),
                ready("EC2NodeClass", "karpenter.k8s.aws/v1", classes),
            ],
        };
        let title = format!("see {pools} NodePools and {classes} EC2NodeClasses Ready under {}", self.hop.to);
        let undo = Undo::ReadOnly { why: "it only looks".to_owned() };
        let settled = verify("Karpenter stays healthy", until.clone(), Seconds::minutes(1), HEALTH);
        let draft = self
            .scope
            .step("health", title, Effect::Wait(Wait { until }), undo, Vec::new())
            .needs(controller, "the new controller has to take over its objects", None)
            .verify(std::iter::once(settled).chain(self.cx.verifications(&self.doc.spec.verify)))
            .time(HEALTH, Estimate::seconds(70, 180))
            .idempotent();
        to.add(draft.done())
    }

    fn roll_of(&self, roll: &PoolRoll, stale: Stale) -> switchback_schemas::plan::Roll {
        let rollout = &self.doc.spec.rollout;
        let canary =
            rollout.canary.as_ref().map(|canary| self.cx.verifications(&canary.verify)).unwrap_or_default();
        let mut built = nodes::roll(nodes::RollPlan {
            pool: &roll.pool,
            stale,
            observed: roll.observed,
            nodes: roll.nodes,
            rollout,
            canary_verify: canary,
            batch_verify: Vec::new(),
        });
        built.verify = vec![nodes::floor_kept(&roll.pool, built.floor, roll.nodes, Seconds::minutes(20))];
        built
    }

    fn move_nodes(
        &self,
        roll: &PoolRoll,
        baseline: &StepId,
        health: &StepId,
        previous: Option<&StepId>,
        controller: &StepId,
        to: &mut Lowering,
    ) -> StepId {
        let stale = match self.doc.spec.nodes {
            NodeMove::All => Stale::BornBefore(controller.clone()),
            NodeMove::Drifted | NodeMove::None => Stale::Drifted {},
        };
        let built = self.roll_of(roll, stale);
        let estimate = nodes::estimate(&built, roll.nodes);
        let why = "replaced nodes stay; those that drift from the restored state are moved by it".to_owned();
        let undo = Undo::CoveredBy { step: baseline.clone(), why };
        let which = match self.doc.spec.nodes {
            NodeMove::All => "all nodes",
            NodeMove::Drifted | NodeMove::None => "drifted nodes",
        };
        let title = format!("move {which} of pool {}", roll.pool.name);
        let mut draft: Draft = self
            .scope
            .roll(&format!("nodes/{}/roll", roll.pool.name), title, built, undo)
            .needs(health, "nodes move under a controller that is known to work", None)
            .needs(baseline, "the pool had its floor before", None)
            .time(Seconds::hours(24), estimate)
            .idempotent()
            .disrupts(switchback_schemas::plan::Disruption::Drain, Some(roll.pool.tier))
            .permits(nodes::permissions());
        if let Some(previous) = previous {
            draft = draft.needs(previous, "pools of a lower tier move first, one pool at a time", None);
        }
        to.add(draft.done())
    }
}

/// A pool that may have to move.
struct PoolRoll {
    pool: Pool,
    nodes: u64,
    observed: u64,
}
