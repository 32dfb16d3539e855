//! What stands still while drivers move: Karpenter, for NodePools of GPU nodes, and the operator, for each of them.

use serde_json::json;
use switchback_schemas::{
    StepId,
    inventory::gpu_operator::GpuNode,
    plan::{Condition, KubeCondition, Operand, Target, Test},
};

use super::lower::{LOOK, QUICK, Road};
use crate::{
    lower::{
        Lowering,
        drivers::{self, DONE, STATE_POINTER, state},
        freeze,
        suspension::SuspensionDraft,
    },
    predicted::Predicted,
};

/// The annotation of a node that a run has cordoned.
const CORDONED_BY: &str = "/metadata/annotations/switchback.dev~1cordoned-by";

impl Road<'_> {
    /// Karpenter replaces a node that is empty or has drifted: NodePools of GPU nodes stand still meanwhile.
    pub(super) fn freeze(
        &self,
        ready: &StepId,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> Vec<SuspensionDraft> {
        let place = |text: &str| self.cx.label(self.doc.doc, "/spec/to", text);
        let gpu = |name: &str| self.own.section.nodes.iter().any(|node| node.name == name);
        let pools = freeze::of_nodes(self.cx, place("empties its nodes"), gpu);
        let freeze = |pool| {
            let draft = SuspensionDraft::new(&self.scope, pool, predicted);
            draft.check(self.cx, place("freezes it meanwhile"));
            draft.note(predicted);
            let step = draft.suspend_step(&self.scope, predicted);
            out.add(step.needs(ready, "nothing is changed before nodes are looked at", None));
            draft
        };
        pools.into_iter().map(freeze).collect()
    }

    /// Holds the driver of every GPU node: what the ClusterPolicy names is put on a node that nothing holds.
    pub(super) fn hold<'s>(
        &'s self,
        ready: &StepId,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> (Vec<(&'s GpuNode, SuspensionDraft)>, StepId) {
        let mut drafts = Vec::new();
        let mut steps = vec![ready.clone()];
        for node in &self.own.section.nodes {
            let draft = SuspensionDraft::new(&self.scope, drivers::hold(node), predicted);
            draft.note(predicted);
            let step = draft.suspend_step(&self.scope, predicted);
            let step = out.add(step.needs(ready, "nothing is in the middle when it is held", None));
            if draft.is_ours() {
                state::keep(&step, out);
            }
            drafts.push((node, draft));
            steps.push(step);
        }
        let title = "check that the driver of every GPU node is held";
        let mut look = self.scope.look("all-held", title, drivers::all_held(), predicted.take_reads());
        for step in &steps {
            let why =
                "a node without the label is taken up as soon as the ClusterPolicy names another driver";
            look = look.needs(step, why, Some("recorded"));
        }
        (drafts, out.add(look.time(LOOK, QUICK)))
    }

    /// By what a hold may be lifted: the roll cordons the node first, and the operator says when it is done. Or the node is gone.
    pub(super) fn lifted(node: &str) -> Vec<Condition> {
        let field = |pointer: &str, is| {
            Condition::Kube(KubeCondition::Field {
                object: Target::Object(drivers::node(node)),
                pointer: pointer.to_owned(),
                is,
            })
        };
        vec![
            field(CORDONED_BY, Test::Present {}),
            field(STATE_POINTER, Test::Equals(Operand::Value(json!(DONE)))),
            drivers::gone(node),
        ]
    }
}
