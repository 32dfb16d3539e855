//! Every object of KServe, captured before anything moves: proven to be creatable again by the API server and the webhooks that a rollback
//! goes back to, created again by the rollback where it is gone, and asked about under the new webhooks before anything relies on them.

use switchback_schemas::{
    Seconds, StepId,
    inventory::Crd,
    plan::{
        CaptureKind, Condition, Effect, Estimate, Find, KubeCapture, KubeEffect, KubeRestore, KubeTryCreate,
        KubeTryUpdate, Operand, UndoKind, Work,
    },
};

use super::{
    controller, modes,
    road::{CONTROLLER, HEALTH, ONE_BY_ONE, Road},
};
use crate::{
    lower::{Lowering, Rollback, Undoing, verify},
    predicted::{Predicted, all_of},
};

/// The capture of all of them.
const OBJECTS: &str = "objects";
/// The group of its objects.
const GROUP: &str = "serving.kserve.io";
/// Kinds that others name, in the order in which they are created again; others come last.
const NAMED: [&str; 8] = [
    "ClusterStorageContainer",
    "ClusterServingRuntime",
    "ServingRuntime",
    "LocalModelNodeGroup",
    "LLMInferenceServiceConfig",
    "LocalModelCache",
    "InferenceService",
    "LLMInferenceService",
];

impl Road<'_> {
    /// Looks at what there is before anything moves, and captures every object of KServe as it is. Then the API server is let try to
    /// create each again: the schema and the webhooks are still those that a rollback goes back to. Rolled back, what is gone by then is
    /// created again.
    pub(super) fn baseline(&self, predicted: &Predicted<'_>, out: &mut Lowering) -> StepId {
        let until = Condition::All(vec![controller::rolled_out(&self.section.controller), self.all_ready()]);
        let ready = self.section.services.iter().filter(|service| service.ready).count();
        let title =
            format!("check that {ready} InferenceServices are Ready, and capture every object of KServe");
        let kept = self.kept(predicted);
        let mut draft = self
            .scope
            .look("baseline", title, until, predicted.take_reads())
            .time(CONTROLLER, Estimate::seconds(5, 60));
        if kept.is_empty() {
            return out.add(draft);
        }
        let finds = kept.iter().map(all_of).collect();
        let captured = Operand::Captured { step: draft.id().clone(), name: OBJECTS.to_owned() };
        draft = draft
            .captures(OBJECTS, CaptureKind::Kube(KubeCapture::Kinds(finds)))
            .undone(self.created_again(captured.clone()));
        let baseline = out.add(draft);
        let effect = Effect::Kube(KubeEffect::TryCreate(KubeTryCreate { objects: captured }));
        let title = format!("check that {} could be created again from what was captured", counted(&kept));
        let undo = Undoing::Unneeded("nothing is stored".to_owned());
        let draft = self
            .scope
            .step("backup", title, effect, undo, Vec::new())
            .needs(&baseline, "a rollback creates from it what is gone by then", None)
            .time(CONTROLLER, Estimate::seconds(2, 60))
            .idempotent();
        out.add(draft)
    }

    /// CRDs of KServe's group with objects, noted as those that were observed: one that was deleted and made again has lost its objects.
    fn kept(&self, predicted: &Predicted<'_>) -> Vec<Crd> {
        let own = self.inventory.crds.iter().filter(|crd| crd.group() == GROUP);
        let seen = own.filter_map(|crd| predicted.crd(&crd.name));
        let mut kept: Vec<Crd> = seen.filter(|crd| crd.objects != Some(0)).collect();
        let rank = |crd: &Crd| NAMED.iter().position(|kind| *kind == crd.kind).unwrap_or(NAMED.len());
        kept.sort_by_key(rank);
        kept
    }

    /// What undoes the hop last: controllers, webhooks and CRDs are those that the objects were captured under.
    fn created_again(&self, captured: Operand) -> Undoing {
        let services = self.section.services.iter();
        let well: Vec<Condition> =
            services.filter_map(|service| modes::is_well(service, false)).take(ONE_BY_ONE).collect();
        let settled = match well.len() {
            0 => None,
            ready => {
                let title = format!("{ready} InferenceServices that were Ready are Ready");
                Some(verify(title, Condition::All(well), Seconds(0), HEALTH))
            }
        };
        let restore = KubeRestore { objects: captured, only_gone: true };
        Undoing::by(Rollback {
            kind: UndoKind::Restore,
            ..Rollback::new(Work {
                verify: settled.into_iter().collect(),
                timeout: CONTROLLER,
                estimate: Estimate::seconds(5, 60),
                ..Work::effect(
                    "create those objects of KServe again that are gone",
                    Effect::Kube(KubeEffect::Restore(restore)),
                )
            })
        })
    }

    /// Lets the API server try to write each object as it is, through the webhooks of the new version.
    pub(super) fn still_taken(
        &self,
        after: &StepId,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> StepId {
        let kept = self.kept(predicted);
        let reads = predicted.take_reads();
        if kept.is_empty() {
            return after.clone();
        }
        let find: Vec<Find> = kept.iter().map(all_of).collect();
        let effect = Effect::Kube(KubeEffect::TryUpdate(KubeTryUpdate { find }));
        let title =
            format!("check that the webhooks of KServe {} take {} as they are", self.hop.to, counted(&kept));
        let undo = Undoing::Unneeded("nothing is stored".to_owned());
        let draft = self
            .scope
            .step("objects", title, effect, undo, reads)
            .needs(after, "an object that they refuse could be neither changed nor deleted any more", None)
            .time(CONTROLLER, Estimate::seconds(2, 60))
            .idempotent();
        out.add(draft)
    }
}

/// Objects of kinds, for people: how many of each, as far as they were counted.
fn counted(crds: &[Crd]) -> String {
    let of = |crd: &Crd| match crd.objects {
        Some(1) => format!("1 {}", crd.kind),
        Some(objects) => format!("{objects} {}s", crd.kind),
        None => format!("every {}", crd.kind),
    };
    let all: Vec<String> = crds.iter().map(of).collect();
    match all.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
