//! What one release takes over, another one must let go of: two that hold one object would write it in turn.

use switchback_schemas::{
    Diagnostic, HopId, Label, codes,
    name::{ObjectName, ObjectRef},
    plan::{Effect, HelmEffect, Hop, Step},
};

use crate::{context::Cx, hop::HopSpec, index::same};

/// Says which release still holds what another one took over.
pub(super) fn check(cx: &Cx<'_>, hops: &[(HopSpec, Hop)], steps: &[Step]) {
    let effects = || {
        steps.iter().flat_map(|step| {
            let effects = step.work.effects();
            effects.into_iter().filter_map(move |effect| match effect {
                Effect::Helm(effect) => Some((&step.hop, effect)),
                _ => None,
            })
        })
    };
    let lets_go = |release: &ObjectName, object: &ObjectRef| {
        effects().any(|(_, effect)| match effect {
            HelmEffect::Upgrade(upgrade) => {
                let mut left = upgrade.leaves.iter().flat_map(|handed| &handed.objects);
                upgrade.release == *release && left.any(|left| same(left, object))
            }
            HelmEffect::Detach(detached) => detached.release == *release,
            _ => false,
        })
    };
    for (hop, effect) in effects() {
        let [takes, _] = effect.handovers();
        let takes = takes.iter().filter_map(|handed| Some((handed.other.as_ref()?, &handed.objects)));
        let kept = takes.filter(|(other, objects)| objects.iter().any(|object| !lets_go(other, object)));
        for (other, _) in kept {
            let message = format!(
                "release {} takes objects over from release {other}, which would go on to hold them",
                effect.release()
            );
            let found = Diagnostic::error(codes::PLAN_HANDOVER, message).at_all(place(hops, hop));
            cx.findings.say(found.help(
                "move that release after it, in the same plan, to a chart that no longer holds them; or name it under `replaces`",
            ));
        }
    }
}

fn place(hops: &[(HopSpec, Hop)], hop: &HopId) -> Option<Label> {
    hops.iter().find(|(_, planned)| planned.id == *hop).map(|(spec, _)| spec.place.clone())
}
