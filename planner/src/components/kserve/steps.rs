//! The steps of one hop, in order: look, CRDs, words of statuses while the controller does not act, runtimes and controllers, words of
//! annotations, health.

use std::rc::Rc;

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    inventory::{Crd, kserve::Kserve as Section},
    lock::Render,
    manifest::AcceptedDeletion,
    name::ObjectName,
    plan::{Condition, Disruption, Estimate, FieldTest, KubeCondition, Operand, Target, Test, Verify},
};

use super::{
    Kserve,
    controller::{self, Lease},
    facts::{Holds, Part},
    models,
    modes::{self, Renamed},
    notices,
    releases::Moved,
    restarts::{Changed, Restarted},
    road::{CONTROLLER, HEALTH, ONE_BY_ONE, Road},
};
use crate::{
    component::HopCx,
    lower::{Lowering, need, verify},
    objects,
    owner::{Adopts, Asked, Desired, DesiredRelease},
    predicted::{Predicted, crd_ref},
};

/// Lowers one hop. What is missing is said once and the hop left out: no plan comes out then.
pub(super) fn lower(at: &HopCx<'_, Kserve>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let Some(section) = section(at) else { return };
    let place = || at.label(at.doc.doc, "/spec/to", "this version of the chart");
    let render = |moved: &'_ Moved| at.render(&moved.release, &at.hop.to, place());
    let there: Vec<&Moved> = at.own.iter().filter(|moved| moved.is_there_at(at.facts, &at.hop.to)).collect();
    let renders: Vec<Option<&Render>> = there.iter().copied().map(render).collect();
    let Some(renders) = renders.into_iter().collect::<Option<Vec<_>>>() else { return };
    let mut renders: Vec<(&Moved, &Render)> = there.into_iter().zip(renders).collect();
    // What a new release takes over it takes before the old one drops it.
    let holds = |moved: &Moved| at.facts.parts.get(moved.part).map(|part| part.holds);
    renders.sort_by_key(|(moved, _)| (holds(moved), moved.new.is_none(), moved.part));
    if !notices::fits(at, &section, &renders) {
        return;
    }
    notices::add(at, &section, out);
    let accepted = accepted(at, &renders, predicted);
    let road = Road { at, section: &section, renders, accepted };
    road.build(predicted, out);
}

fn section(at: &HopCx<'_, Kserve>) -> Option<Rc<Section>> {
    let label = || at.label(at.doc.doc, "/spec/to", "needs it");
    match at.sections.get::<Section>("kserve") {
        Ok(Some(section)) => Some(section),
        Ok(None) => {
            let message = "the inventory holds nothing about KServe";
            let help = "observe again with credentials that may list Deployments and InferenceServices";
            let missing = Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message);
            at.findings.say(missing.at(label()).help(help));
            None
        }
        Err(error) => {
            let unreadable = Diagnostic::error(codes::PLAN_UNREADABLE, error);
            at.findings.say(unreadable.at(label()).help("observe again with this release"));
            None
        }
    }
}

/// Deletions that somebody accepts, by the release that would make them; those of none stand with the controller's, where it is said
/// that they accept nothing.
fn accepted(
    at: &HopCx<'_, Kserve>,
    renders: &[(&Moved, &Render)],
    predicted: &Predicted<'_>,
) -> Vec<(ObjectName, Vec<AcceptedDeletion>)> {
    let crds = &at.inventory.crds;
    let holds = |release: &ObjectName, name: &str| {
        let crd = crds.iter().find(|crd| crd.name == name);
        let is = |object: &Value| {
            objects::is_crd(object) && objects::name(object) == Some(name)
                || crd.is_some_and(|crd| objects::text(object, "/kind") == Some(crd.kind.as_str()))
        };
        predicted.seen(release).is_some_and(|view| view.objects.iter().any(is))
    };
    let mut by_release: Vec<(ObjectName, Vec<AcceptedDeletion>)> =
        renders.iter().map(|(moved, _)| (moved.release.clone(), Vec::new())).collect();
    for deletion in &at.doc.spec.deletes {
        let own = by_release.iter().position(|(release, _)| holds(release, &deletion.crd));
        let own = own.or_else(|| by_release.iter().position(|(release, _)| *release == at.doc.spec.release));
        if let Some((_, list)) = own.and_then(|own| by_release.get_mut(own)) {
            list.push(deletion.clone());
        }
    }
    by_release
}

impl Road<'_> {
    fn build(&self, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let renamed = match notices::renames(self) {
            true => modes::renamed(self.facts, &self.section.services),
            false => Vec::new(),
        };
        let restarted = self.restarted(predicted);
        let rolls =
            |service: &ObjectName| restarted.iter().any(|restarted| restarted.service.name == *service);
        // What rolls anyway when the controller acts again rolls once, with its new annotation.
        let (at_once, later): (Vec<&Renamed<'_>>, Vec<&Renamed<'_>>) = renamed
            .iter()
            .filter(|renamed| renamed.in_annotation())
            .partition(|renamed| rolls(&renamed.service().name));
        self.say_restarts(&restarted, &later);
        let mut last = self.baseline(predicted, out);
        last = self.move_all(&[Holds::Crds], last, predicted, out);
        let lease = Lease::new(&self.section.controller, &self.facts.lease.name, &self.scope);
        let hold = lease.hold_id();
        if !renamed.is_empty() {
            let back = renamed.iter().filter(|renamed| renamed.in_annotation());
            let back = back.map(|renamed| renamed.back_id(&self.scope)).collect();
            let draft =
                lease.hold("names of deployment modes change", back, modes::all_well(&renamed), predicted);
            let why = "CRDs of the new version are there before the controller stops acting";
            last = out.add(draft.needs(&last, why, Some(&self.facts.lease.source)));
            last = self.statuses(&renamed, &last, predicted, out);
            lease.declare(self.safe(&renamed), out);
        }
        // Over the split a release takes the runtimes before that of the controller drops them.
        if self.splits() {
            last = self.move_all(&[Holds::Runtimes], last, predicted, out);
        }
        last = self.move_all(&[Holds::Controller, Holds::Others], last, predicted, out);
        last = self.webhooks(&last, out);
        if renamed.is_empty() {
            last = self.still_taken(&last, predicted, out);
        } else {
            last = self.annotations(at_once.into_iter(), (&last, false), &hold, predicted, out);
            let why = "it acts with the new version, and on words that it knows";
            last = out.add(lease.release().needs(&last, why, Some(&self.facts.words.source)));
        }
        if !self.splits() {
            last = self.move_all(&[Holds::Runtimes], last, predicted, out);
        }
        last = self.canary(&last, &restarted, out);
        if !renamed.is_empty() {
            last = self.annotations(later.into_iter(), (&last, true), &hold, predicted, out);
            // The webhook refuses a service whose annotation differs from its status, so all have the new word in both.
            last = self.still_taken(&last, predicted, out);
        }
        self.health(&last, &restarted, predicted, out);
    }

    /// Moves the releases that hold something; those that are there already have no step.
    fn move_all(
        &self,
        holds: &[Holds],
        after: StepId,
        predicted: &mut Predicted<'_>,
        out: &mut Lowering,
    ) -> StepId {
        let of = |moved: &Moved| self.part(moved).is_some_and(|part| holds.contains(&part.holds));
        let moves = self.renders.iter().filter(|(moved, _)| of(moved));
        moves.fold(after, |last, (moved, render)| self.move_release(moved, render, last, predicted, out))
    }

    fn part(&self, moved: &Moved) -> Option<&Part> {
        self.facts.parts.get(moved.part)
    }

    /// What the controller restarts when it starts.
    fn restarted(&self, predicted: &Predicted<'_>) -> Vec<Restarted<'_>> {
        let Some(from) = self.hop.from.as_ref().filter(|_| !self.hop.finishes) else { return Vec::new() };
        let own = |name: &ObjectName| self.renders.iter().any(|(moved, _)| moved.release == *name);
        let before = predicted.releases().filter(|(name, _)| own(name)).flat_map(|(_, view)| &view.objects);
        let before: Vec<Value> = before.cloned().collect();
        let after: Vec<Value> =
            self.renders.iter().flat_map(|(_, render)| &render.objects).cloned().collect();
        Changed::between(self.facts, (from, &self.hop.to), (&before, &after))
            .restarted(&self.section.services)
    }

    fn asked<'r>(
        &'r self,
        (moved, render): (&Moved, &'r Render),
        part: &'r Part,
        adopts: &'r [ObjectName],
        after: &StepId,
    ) -> Asked<'r> {
        let deletes = self.accepted.iter().find(|(release, _)| *release == moved.release);
        let why = match part.holds {
            Holds::Crds => "every service was Ready before, and every object is kept",
            Holds::Runtimes if self.splits() => {
                "runtimes are of kinds that the CRDs define, and are taken before the release that holds them drops them"
            }
            Holds::Runtimes => "the webhooks of the new version answer, and take every object that is there",
            Holds::Controller | Holds::Others => "the controller needs the CRDs and runtimes of its version",
        };
        Asked {
            cx: self.cx,
            owners: self.owners,
            scope: &self.at.scope,
            part: &part.part,
            title: match moved.new.is_some() && self.splits() {
                true => format!("install {} {} as release {}", part.title, self.hop.to, render.release),
                false => format!("upgrade {} to {} by release {}", part.title, self.hop.to, render.release),
            },
            desired: Desired::Release(DesiredRelease {
                render,
                within: CONTROLLER,
                with_crds: false,
                deletes: Some(deletes.map(|(_, list)| list.as_slice()).unwrap_or_default()),
                installs: moved.new.is_some(),
                // A rollback leaves new CRDs with nobody.
                adopts: Adopts { releases: adopts, loose: moved.new.is_some(), by_manifest: false },
            }),
            needs: vec![need(after, why, Some(&part.source))],
            place: self.label(self.doc.doc, "/spec/to", "this version of the chart"),
        }
    }

    /// Moves a release; says its step, or the one before where nothing has to be done.
    fn move_release(
        &self,
        moved: &Moved,
        render: &Render,
        after: StepId,
        predicted: &mut Predicted<'_>,
        out: &mut Lowering,
    ) -> StepId {
        let Some(part) = self.part(moved) else { return after };
        let adopts = self.adopted();
        let asked = self.asked((moved, render), part, &adopts, &after);
        if asked.is_there(predicted) {
            return after;
        }
        let names = objects::crds(&render.objects);
        let seen: Vec<Crd> = names.iter().filter_map(|name| predicted.crd(name)).collect();
        let Some(draft) = asked.change(predicted, out) else { return after };
        let draft = self.stores_anew(moved, draft, out);
        out.add(draft.verify(names.iter().flat_map(|name| established(name, &seen))))
    }

    /// That as many services are Ready as were.
    pub(super) fn all_ready(&self) -> Condition {
        let ready = self.section.services.iter().filter(|service| service.ready).count();
        Condition::Kube(KubeCondition::Count {
            find: modes::all(),
            each: vec![FieldTest {
                pointer: "/status/conditions".to_owned(),
                is: Test::Contains(json!({"type": "Ready", "status": "True"})),
            }],
            at_least: Some(ready as u64),
            at_most: None,
        })
    }

    /// Waits until everything that served serves again.
    fn health(
        &self,
        after: &StepId,
        restarted: &[Restarted<'_>],
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) {
        let rolls = |name: &ObjectName| restarted.iter().any(|restarted| restarted.service.name == *name);
        let mut of = vec![controller::rolled_out(&self.section.controller)];
        let services = &self.section.services;
        if services.len() > ONE_BY_ONE {
            of.push(self.all_ready());
        } else {
            of.extend(services.iter().filter_map(|service| modes::is_well(service, rolls(&service.name))));
        }
        of.extend(self.others_ready());
        let ready = services.iter().filter(|service| service.ready).count();
        let until = Condition::All(of);
        let title = format!("verify that {ready} InferenceServices are Ready under KServe {}", self.hop.to);
        let settled = verify("services stay Ready", until.clone(), Seconds::minutes(1), HEALTH);
        let models = self.doc.spec.models.iter().map(models::asks);
        let disruption = if restarted.is_empty() { Disruption::None } else { Disruption::Restart };
        let draft = self
            .scope
            .look("health", title, until, predicted.take_reads())
            .needs(after, "the new controller has to take over its objects", None)
            .verify([settled].into_iter().chain(self.stored()).chain(models))
            .verify(self.cx.verifications(&self.scope.hop, &self.doc.spec.verify))
            .disrupts(disruption, None)
            .time(HEALTH, Estimate::seconds(90, 900));
        out.add(draft);
    }

    /// InferenceGraphs, TrainedModels and LLMInferenceServices that were Ready.
    fn others_ready(&self) -> Vec<Condition> {
        let field = |object: &switchback_schemas::name::ObjectRef, pointer: &str, is| {
            Condition::Kube(KubeCondition::Field {
                object: Target::Object(object.clone()),
                pointer: pointer.to_owned(),
                is,
            })
        };
        let ready = || Test::Contains(json!({"type": "Ready", "status": "True"}));
        let others = self.section.others.iter().filter(|other| other.ready).take(ONE_BY_ONE);
        let of = |other: &switchback_schemas::inventory::kserve::Serving| {
            let is = field(&other.object, "/status/conditions", ready());
            Condition::Any(vec![is, field(&other.object, "", Test::Absent {})])
        };
        others.map(of).collect()
    }

    /// That LLM objects which were stored in an older version are stored anew: the controller does that by itself.
    fn stored(&self) -> Vec<Verify> {
        let storage = &self.facts.llm_storage;
        if self.hop.to < storage.since {
            return Vec::new();
        }
        let old = self.inventory.crds.iter().filter(|crd| {
            storage.crds.contains(&crd.name) && crd.stored.iter().any(|stored| *stored != storage.version)
        });
        let stored = |crd: &Crd| {
            let condition = Condition::Kube(KubeCondition::StoredAs {
                crd: crd.name.clone(),
                version: storage.version.clone(),
            });
            let title = format!("every object of {} is stored as {}", crd.name, storage.version);
            verify(title, condition, Seconds(0), self.facts.storing())
        };
        old.map(stored).collect()
    }
}

/// That a CRD is established, is the one that was there, and can be read in each of its versions.
fn established(name: &str, seen: &[Crd]) -> Vec<Verify> {
    let field = |pointer: &str, is| {
        Condition::Kube(KubeCondition::Field {
            object: Target::Object(crd_ref(name)),
            pointer: pointer.to_owned(),
            is,
        })
    };
    let mut list = vec![
        verify(
            format!("CRD {name} is established"),
            field("/status/conditions", Test::Contains(json!({"type": "Established", "status": "True"}))),
            Seconds(0),
            Seconds::minutes(1),
        ),
        verify(
            format!("the API server can convert {name}"),
            Condition::Kube(KubeCondition::ConversionReady { crd: name.to_owned() }),
            Seconds(5),
            Seconds::minutes(2),
        ),
    ];
    if let Some(crd) = seen.iter().find(|crd| crd.name == name) {
        let uid = field("/metadata/uid", Test::Equals(Operand::Value(json!(crd.uid))));
        list.push(verify(
            format!("CRD {name} is the one that was there"),
            uid,
            Seconds(0),
            Seconds::minutes(1),
        ));
    }
    list
}
