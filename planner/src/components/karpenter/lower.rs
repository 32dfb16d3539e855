//! One hop of Karpenter, as steps: freeze, look, CRDs, controller, health, nodes, thaw. Without CRDs and controller where an earlier
//! run of the operation made them what the manifests ask for, and did not finish the hop.

use std::ops::Deref;

use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    inventory::karpenter::Karpenter as Section,
    lock::Render,
    name::{Label, ObjectRef},
    plan::{
        Condition, Estimate, ExpiresAt, ExpiresEarlier, Expiry, FieldTest, Find, KubeCondition, Need,
        Operand, PointOfNoReturn, Step, Target, Test,
    },
    report::CarriedHop,
};

use super::{Karpenter, notices, storage};
use crate::{
    component::HopCx,
    lower::{Lowering, freeze, need, nodes, suspension::SuspensionDraft, verify},
    objects,
    owner::{Adopts, Asked, Desired, DesiredRelease},
    predicted::{Predicted, crd_ref},
};

/// How long the controller may take to be ready, and its NodePools after it.
const CONTROLLER: Seconds = Seconds::minutes(10);
pub(super) const HEALTH: Seconds = Seconds::minutes(10);

/// The step that moves the CRDs.
const CRDS_PART: &str = "crds";
/// The step that moves the controller.
pub(super) const CONTROLLER_PART: &str = "controller";

/// Lowers one hop. What is missing is said once and the hop left out: no plan comes out then.
pub(super) fn hop(at: &HopCx<'_, Karpenter>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let (cx, hop, doc) = (at.cx, at.hop, at.doc);
    let label = |text: &str| cx.label(doc.doc, "/spec/to", text);
    let section = match cx.sections.get::<Section>("karpenter") {
        Ok(Some(section)) => section,
        Ok(None) => {
            let message = "the inventory holds nothing about Karpenter";
            let help = "observe again with credentials that may list NodePools and NodeClaims";
            return cx.findings.say(
                Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message).at(label("needs it")).help(help),
            );
        }
        Err(error) => {
            return cx.findings.say(
                Diagnostic::error(codes::PLAN_UNREADABLE, error)
                    .at(label("needs it"))
                    .help("observe again with this release"),
            );
        }
    };
    let crds = doc.spec.crd_release.as_ref();
    let crds = crds.map(|crds| cx.render(crds, &hop.to, label("this version of the CRD chart")));
    let controller = cx.render(&doc.spec.release, &hop.to, label("this version of the chart"));
    if crds.is_some_and(|crds| crds.is_none()) || controller.is_none() {
        return;
    }
    notices::add(at, &section, out);
    let mut road = Road { at, section: &section, crds: crds.flatten(), controller };
    if hop.finishes {
        road.crds = road.crds.filter(|render| !road.asked(CRDS_PART, render, Vec::new()).is_there(predicted));
        road.controller = road
            .controller
            .filter(|render| !road.asked(CONTROLLER_PART, render, Vec::new()).is_there(predicted));
    }
    road.build(predicted, out);
}

/// What every part of a hop looks at.
pub(super) struct Road<'a> {
    at: &'a HopCx<'a, Karpenter>,
    section: &'a Section,
    /// The CRD chart and the controller's, where they move.
    crds: Option<&'a Render>,
    controller: Option<&'a Render>,
}

impl<'a> Deref for Road<'a> {
    type Target = HopCx<'a, Karpenter>;

    fn deref(&self) -> &HopCx<'a, Karpenter> {
        self.at
    }
}

impl<'a> Road<'a> {
    /// A release of Karpenter at the version of the hop.
    fn asked(&self, part: &'static str, render: &'a Render, needs: Vec<Need>) -> Asked<'a> {
        let what = if part == CRDS_PART { "CRDs" } else { "controller" };
        Asked {
            cx: self.cx,
            owners: self.owners,
            scope: &self.at.scope,
            part,
            title: match self.cx.index.release(&render.release) {
                Some(_) => format!("upgrade the {what} to {} by release {}", self.hop.to, render.release),
                None => format!("install the {what} {} as release {}", self.hop.to, render.release),
            },
            desired: Desired::Release(DesiredRelease {
                render,
                within: CONTROLLER,
                with_crds: self.doc.spec.crd_release.is_none(),
                deletes: None,
                installs: part == CRDS_PART,
                adopts: Adopts { loose: part == CRDS_PART, ..Adopts::default() },
            }),
            needs,
            place: self.cx.label(self.doc.doc, "/spec/to", "this version of the chart"),
        }
    }

    fn build(&self, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let freezes: Vec<SuspensionDraft> = self
            .section
            .node_pools
            .iter()
            .map(|pool| SuspensionDraft::new(&self.scope, freeze::of(pool, self.api_version()), predicted))
            .collect();
        let mut frozen = Vec::new();
        for freeze in &freezes {
            freeze.check(self.cx, self.cx.label(self.doc.doc, "/spec/to", "freezes it meanwhile"));
            // A later hop finds the budgets as the earlier hop's thaw left them, which is the same value.
            freeze.note(predicted);
            frozen.push(out.add(freeze.suspend_step(&self.scope, predicted)));
            freeze.declare(self.safe_to_thaw(freeze), out);
        }
        let rolls = self.rolls();
        let baselines: Vec<StepId> = rolls.iter().map(|roll| self.baseline(roll, &frozen, out)).collect();
        let before = [frozen.as_slice(), &baselines].concat();
        let crds = self.crds.and_then(|render| self.move_crds(render, predicted, &frozen, &before, out));
        let after = crds.map_or_else(|| before.clone(), |step| vec![step]);
        let controller =
            self.controller.and_then(|render| self.move_controller(render, predicted, &after, out));
        let after = controller.clone().map_or(after, |step| vec![step]);
        let health = self.health(&after, predicted, out);
        let since = controller.or_else(|| self.moved_before()).unwrap_or_else(|| health.clone());
        let mut last = vec![health.clone()];
        let mut previous: Option<StepId> = None;
        for (roll, baseline) in rolls.iter().zip(&baselines) {
            let step = self.move_nodes(roll, baseline, &health, previous.as_ref(), &since, out);
            previous = Some(step.clone());
            last.push(step);
        }
        for freeze in &freezes {
            let Some(mut draft) = freeze.resume_step(&self.scope) else { continue };
            for step in &last {
                draft = draft.needs(
                    step,
                    "nothing may drift before the upgrade is verified and its nodes have moved",
                    None,
                );
            }
            out.add(draft);
        }
    }

    /// Whether this hop moves anything of Karpenter itself.
    pub(super) fn moves(&self) -> bool {
        self.crds.is_some() || self.controller.is_some()
    }

    /// The API version in which NodePools are written during this hop: v1beta1 until 1.0 runs.
    fn api_version(&self) -> &'static str {
        let runs = self.hop.from.as_ref().unwrap_or(&self.hop.to);
        if *runs < self.facts.bridge.from { "karpenter.sh/v1beta1" } else { "karpenter.sh/v1" }
    }

    fn deployment(&self) -> ObjectRef {
        ObjectRef::new("apps/v1", "Deployment", &self.section.deployment)
    }

    /// Thawing in a mixed state would let drift take the fleet: the controller must be whole and nothing drifted. A NodePool that was
    /// not frozen in that state when this hop came is not kept from it.
    fn safe_to_thaw(&self, freeze: &SuspensionDraft) -> Condition {
        let mut of =
            vec![Condition::Kube(KubeCondition::Rollout { object: Target::Object(self.deployment()) })];
        if self.moves() || !freeze.is_ours() {
            of.push(nodes::none_drifted(&std::collections::BTreeMap::new()));
        }
        Condition::All(of)
    }

    fn not_ready(&self, kind: &str, name: &str) {
        let message = format!("{kind} {name} is not Ready, and the plan waits until it is");
        let not_ready = Diagnostic::warning(codes::PLAN_NOT_READY, message);
        let help = "no node moves before; see its conditions, or remove it if nobody needs it";
        let place = self.cx.label(self.doc.doc, "/spec/to", "waits for it");
        self.cx.findings.say_about(name, not_ready.at(place).help(help));
    }

    /// Rewrites objects that are stored in a version which the target drops; that closes the rollback of an earlier hop
    /// that needs it, so it is a point of no return then.
    fn storage(
        &self,
        crds: &Render,
        predicted: &Predicted<'_>,
        after: &[StepId],
        out: &mut Lowering,
    ) -> Vec<StepId> {
        let names = &self.facts.crds;
        let moving: Vec<_> = names
            .iter()
            .filter_map(|name| predicted.crd(name))
            .filter(|crd| storage::has_to_move(crds, crd))
            .collect();
        predicted.take_reads();
        let mut steps = Vec::new();
        for crd in &moving {
            predicted.crd(&crd.name);
            steps.push(storage::migrate(&self.scope, predicted, crd, &self.hop.to, after, out));
        }
        if let Some(first) = steps.first().cloned()
            && self.ends_the_rollback_below_one(&first, out)
        {
            let gate = Label::sanitized(&format!("below-{}", self.facts.bridge.from));
            for step in out.steps.iter_mut().filter(|step| steps.contains(&step.id)) {
                step.gates.push(gate.clone());
            }
            for step in steps.iter().skip(1) {
                out.order(step, &first, "the first of them passes the point of no return");
            }
        }
        steps
    }

    /// If an earlier hop of this plan, or of a run that it continues, came from below 1.0, its rollback ends when v1beta1 is no
    /// longer stored.
    fn ends_the_rollback_below_one(&self, first: &StepId, out: &mut Lowering) -> bool {
        let bridge = &self.facts.bridge;
        let here = self.hop.id();
        let why =
            format!("{} serves no {}, and no object is stored in it any more", self.hop.to, bridge.drops);
        let below = |carried: &&CarriedHop| {
            carried.id.moves_same(&here) && carried.from.as_ref().is_some_and(|from| *from < bridge.from)
        };
        let earlier: Vec<ExpiresEarlier> = self
            .cx
            .carried()
            .filter(below)
            .map(|carried| ExpiresEarlier { hop: carried.id.clone(), at: first.clone(), why: why.clone() })
            .collect();
        let mut found = !earlier.is_empty();
        out.expires_earlier.extend(earlier);
        let releases = |step: &&Step| {
            let part = step.hop.part(&step.id);
            step.hop != here && (part == Some(CRDS_PART) || part == Some(CONTROLLER_PART))
        };
        let earlier: Vec<&StepId> = out
            .steps
            .iter()
            .filter(|step| step.hop.moves_same(&here))
            .filter(releases)
            .map(|step| &step.id)
            .collect();
        for undo in &mut out.rollback {
            if undo.place().is_some_and(|place| earlier.contains(&place)) {
                undo.expires.push(Expiry { at: ExpiresAt::Start(first.clone()), why: why.clone() });
                found = true;
            }
        }
        if found {
            let id = Label::sanitized(&format!("below-{}", bridge.from));
            let ends = format!("rollback below Karpenter {}", bridge.from);
            let recovery = format!(
                "restore the exported objects into a cluster that runs Karpenter below {}",
                bridge.from
            );
            let point = PointOfNoReturn { id, step: first.clone(), ends, recovery };
            out.point_of_no_return(format!("approve that {} ends", point.ends), point);
        }
        found
    }

    /// Stored versions, then the CRDs.
    fn move_crds(
        &self,
        render: &'a Render,
        predicted: &mut Predicted<'_>,
        frozen: &[StepId],
        before: &[StepId],
        out: &mut Lowering,
    ) -> Option<StepId> {
        let stored = self.storage(render, predicted, frozen, out);
        let names = objects::crds(&render.objects);
        for name in &names {
            predicted.crd(name);
        }
        let why = "drift is frozen and stored versions are moved before CRDs change";
        let needs = before.iter().chain(&stored).map(|step| need(step, why, Some("kubernetes-crd-versions")));
        let draft = self.asked(CRDS_PART, render, needs.collect()).change(predicted, out)?;
        let established = names.iter().map(|name| {
            let condition = Condition::Kube(KubeCondition::Field {
                object: Target::Object(crd_ref(name)),
                pointer: "/status/conditions".to_owned(),
                is: Test::Contains(serde_json::json!({"type": "Established", "status": "True"})),
            });
            verify(format!("CRD {name} is established"), condition, Seconds(0), Seconds::minutes(1))
        });
        // A conversion webhook that nobody answers breaks every read in the other version (user-pain P-10).
        let callable = names.iter().map(|name| {
            let condition = Condition::Kube(KubeCondition::ConversionReady { crd: name.clone() });
            verify(format!("the API server can convert {name}"), condition, Seconds(5), Seconds::minutes(2))
        });
        let verifies: Vec<_> = established.chain(callable).collect();
        Some(out.add(draft.verify(verifies)))
    }

    fn move_controller(
        &self,
        render: &'a Render,
        predicted: &mut Predicted<'_>,
        after: &[StepId],
        out: &mut Lowering,
    ) -> Option<StepId> {
        let (why, source) = match self.crds {
            Some(_) => ("the controller needs the CRDs of its version", Some("charts")),
            None => {
                ("drift is frozen and pools have their min ready nodes before the controller changes", None)
            }
        };
        let mut needs: Vec<Need> = after.iter().map(|step| need(step, why, source)).collect();
        if self.doc.spec.crd_release.is_none() {
            let stored = self.storage(render, predicted, after, out);
            let why = "stored versions are moved before CRDs change";
            needs.extend(stored.iter().map(|step| need(step, why, Some("kubernetes-crd-versions"))));
        }
        let draft = self.asked(CONTROLLER_PART, render, needs).change(predicted, out)?;
        Some(out.add(draft.verify([self.version_label()])))
    }

    /// That the controller which runs is the one that was asked for: a chart that pins the image by digest keeps the old one
    /// when only its tag is set.
    fn version_label(&self) -> switchback_schemas::plan::Verify {
        let condition = Condition::Kube(KubeCondition::Field {
            object: Target::Object(self.deployment()),
            pointer: "/metadata/labels/app.kubernetes.io~1version".to_owned(),
            is: Test::Equals(Operand::Value(serde_json::json!(self.hop.to.plain()))),
        });
        verify(
            format!("the controller reports {}", self.hop.to.plain()),
            condition,
            Seconds(0),
            Seconds::minutes(2),
        )
    }

    /// Waits until Karpenter is well.
    fn health(&self, after: &[StepId], predicted: &Predicted<'_>, out: &mut Lowering) -> StepId {
        let ready = |kind: &str, api_version: &str, count: usize| {
            Condition::Kube(KubeCondition::Count {
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
            })
        };
        let counts = |ready: bool, kind: &str, name: &str| {
            // What is not Ready after an earlier run moved the controller may be its doing.
            if self.hop.finishes && !ready {
                self.not_ready(kind, name);
            }
            ready || self.hop.finishes
        };
        let pools = self.section.node_pools.iter();
        let pools = pools.filter(|pool| counts(pool.ready, "NodePool", &pool.name)).count();
        let classes = self.section.node_classes.iter();
        let classes = classes.filter(|class| counts(class.ready, "EC2NodeClass", &class.name)).count();
        let until = Condition::All(vec![
            Condition::Kube(KubeCondition::Rollout { object: Target::Object(self.deployment()) }),
            ready("NodePool", "karpenter.sh/v1", pools),
            ready("EC2NodeClass", "karpenter.k8s.aws/v1", classes),
        ]);
        let title = format!(
            "verify that {pools} NodePools and {classes} EC2NodeClasses are Ready under {}",
            self.hop.to
        );
        let settled = verify("Karpenter stays healthy", until.clone(), Seconds::minutes(1), HEALTH);
        // Else the step that moves it has read its version back.
        let runs = self.controller.is_none().then(|| self.version_label());
        let mut draft = self
            .scope
            .look("health", title, until, predicted.take_reads())
            .verify(
                runs.into_iter()
                    .chain([settled])
                    .chain(self.cx.verifications(&self.scope.hop, &self.doc.spec.verify)),
            )
            .time(HEALTH, Estimate::seconds(70, 180));
        let why = match self.moves() {
            true => "the new controller has to take over its objects",
            false => "drift is frozen and pools have their min ready nodes before it is verified",
        };
        for step in after {
            draft = draft.needs(step, why, None);
        }
        out.add(draft)
    }
}
