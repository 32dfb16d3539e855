//! What one release takes over, another one must let go of: two that hold one object would write it in turn.

use switchback_schemas::{
    Diagnostic, HopId, Label, codes,
    name::ObjectName,
    plan::{Effect, HelmEffect, Step},
};

use crate::{context::Cx, hop::HopSpec};

/// Says which release still holds what another one took over.
pub(super) fn check(cx: &Cx<'_>, hops: &[(HopSpec, switchback_schemas::plan::Hop)], steps: &[Step]) {
    let effects = || {
        steps.iter().flat_map(|step| {
            let effects = step.work.effects();
            effects.into_iter().filter_map(move |effect| match effect {
                Effect::Helm(effect) => Some((&step.hop, effect)),
                _ => None,
            })
        })
    };
    let lets_go = |release: &ObjectName| {
        effects().any(|(_, effect)| match effect {
            HelmEffect::Upgrade(upgrade) => upgrade.release == *release && !upgrade.leaves.is_empty(),
            HelmEffect::Detach(detached) => detached.release == *release,
            _ => false,
        })
    };
    for (hop, effect) in effects() {
        let [takes, _] = effect.handovers();
        for other in takes.iter().filter_map(|handed| handed.other.as_ref()).filter(|other| !lets_go(other)) {
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

fn place(hops: &[(HopSpec, switchback_schemas::plan::Hop)], hop: &HopId) -> Option<Label> {
    hops.iter().find(|(_, planned)| planned.id == *hop).map(|(spec, _)| spec.place.clone())
}
