//! What somebody should know beside the steps, and what is in the way of them.

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, codes,
    inventory::kserve::Kserve as Section,
    lock::Render,
    plan::{BlindSpot, HopBasis},
};

use super::{Kserve, facts::Holds, modes, releases::Moved};
use crate::{component::HopCx, lower::Lowering, objects};

/// Adds the sources of a hop, and what is not known.
pub(super) fn add(at: &HopCx<'_, Kserve>, section: &Section, out: &mut Lowering) {
    let facts = at.facts;
    let mut keys = vec![facts.parts.first().map_or("charts", |part| part.source.as_str())];
    if renames(at) {
        keys.extend([facts.words.source.as_str(), &facts.lease.source]);
    }
    for key in keys {
        if let Some(source) = facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
    if section.services.iter().any(modes::is_knative) {
        out.blind_spots.push(BlindSpot {
            what: format!("which Deployments Knative makes of {}'s services in this hop", at.hop.upgrade),
            why: "each new revision has one of its own; that the services are Ready is what is looked at"
                .to_owned(),
        });
    }
}

/// Whether the hop changes the words of modes.
pub(super) fn renames(at: &HopCx<'_, Kserve>) -> bool {
    let from = at.hop.from.as_ref();
    from.is_some_and(|from| at.facts.renames(from, &at.hop.to))
}

/// Says what is in the way of a hop. `true` where nothing is.
pub(super) fn fits(at: &HopCx<'_, Kserve>, section: &Section, renders: &[(&Moved, &Render)]) -> bool {
    let stopped = is_stopped(at, section);
    let old = old_words(at, section);
    let minimal = minimal(at, section, renders);
    let two = two_at_once(at, section, renders);
    !stopped && !old && !minimal && !two
}

fn refuse(at: &HopCx<'_, Kserve>, code: codes::Code, message: String, help: String) -> bool {
    let place = at.label(at.doc.doc, "/spec/to", "not upgradable as it is");
    at.findings.say(Diagnostic::error(code, message).at(place).help(help));
    true
}

fn is_stopped(at: &HopCx<'_, Kserve>, section: &Section) -> bool {
    let controller = &section.controller;
    if controller.replicas > 0 {
        return false;
    }
    let message = format!(
        "Deployment {} is scaled to 0: no pod of an InferenceService can be created while it is",
        controller.deployment
    );
    let help =
        "if a run holds there, continue it or roll it back; else scale the Deployment up, then observe again";
    refuse(at, codes::PLAN_NOT_READY, message, help.to_owned())
}

/// Old words where the controller that runs knows only the new ones: somebody moved it without them.
fn old_words(at: &HopCx<'_, Kserve>, section: &Section) -> bool {
    let words = &at.facts.words;
    let runs = at.hop.from.as_ref().unwrap_or(&at.hop.to);
    // Where an earlier hop of the plan leads there, it changes them.
    if *runs < words.at || at.hop.basis == HopBasis::Predicted {
        return false;
    }
    let mut found = false;
    for renamed in modes::renamed(at.facts, &section.services) {
        let (service, word) = (renamed.service(), renamed.word());
        let new = at.facts.word(word).unwrap_or_default();
        let (name, namespace) = (&service.name.name, service.name.namespace.as_deref().unwrap_or_default());
        let message = format!(
            "InferenceService {} still has the mode {word}, and KServe {runs} runs: {}",
            service.name, words.why
        );
        let help = format!(
            "`kubectl patch isvc {name} -n {namespace} --subresource=status --type=merge -p '{{\"status\":{{\"deploymentMode\":\"{new}\"}}}}'`, then `kubectl annotate isvc {name} -n {namespace} --overwrite {}={new}`",
            words.annotation
        );
        found |= refuse(at, codes::PLAN_NOT_READY, message, help);
    }
    found
}

/// Minimal charts of LLM CRDs lose fields of LLM objects.
fn minimal(at: &HopCx<'_, Kserve>, section: &Section, renders: &[(&Moved, &Render)]) -> bool {
    let (minimal, storage) = (&at.facts.minimal, &at.facts.llm_storage);
    let objects = section.others.iter().filter(|other| other.object.kind.starts_with("LLM")).count();
    if at.hop.to >= minimal.fixed || at.hop.to < storage.since || objects == 0 {
        return false;
    }
    let holds = |render: &Render| storage.crds.iter().any(|crd| objects::crd(&render.objects, crd).is_some());
    let mut found = false;
    for (_, render) in
        renders.iter().filter(|(_, render)| render.chart.name.ends_with(&minimal.suffix) && holds(render))
    {
        let message = format!(
            "chart {} {} would lose fields of {objects} LLM objects: {}",
            render.chart.name, render.chart.version, minimal.why
        );
        let help = format!(
            "go to {} or beyond, or move the release to the chart without {} first",
            minimal.fixed, minimal.suffix
        );
        found |= refuse(at, codes::PATH_REQUIREMENT, message, help);
    }
    found
}

/// A controller that elects no leader: two versions of it would write every predictor back and forth, and nothing keeps it from acting
/// while words change.
fn two_at_once(at: &HopCx<'_, Kserve>, section: &Section, renders: &[(&Moved, &Render)]) -> bool {
    let controller = &section.controller;
    let part = |moved: &Moved| at.facts.parts.get(moved.part).map(|part| part.holds);
    let named = |object: &&Value| {
        objects::text(object, "/kind") == Some("Deployment")
            && objects::name(object) == Some(controller.deployment.name.as_str())
    };
    let render = renders.iter().find(|(moved, _)| part(moved) == Some(Holds::Controller));
    let after = render.and_then(|(_, render)| render.objects.iter().find(named));
    let elects = controller.leader_elect && after.is_none_or(elects_a_leader);
    let words = renames(at) && !modes::renamed(at.facts, &section.services).is_empty();
    if elects || (controller.recreate && !words) {
        return false;
    }
    let because = match words {
        true => "nothing keeps it from acting while the names of deployment modes change",
        false => "an old and a new one would write every predictor back and forth",
    };
    let message = format!("Deployment {} elects no leader: {because}", controller.deployment);
    let help = match words {
        true => {
            "give its container the argument --leader-elect, which the chart does by itself, then observe again"
        }
        false => {
            "give its container the argument --leader-elect, or the Deployment the strategy Recreate, then observe again"
        }
    };
    refuse(at, codes::PLAN_NOT_READY, message, help.to_owned())
}

/// Whether a Deployment's containers are told to elect a leader, which they do not do by themselves.
fn elects_a_leader(deployment: &Value) -> bool {
    let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let words = containers.into_iter().flatten().flat_map(|container| {
        let list = |field: &str| container.get(field).and_then(Value::as_array).into_iter().flatten();
        list("command").chain(list("args")).filter_map(Value::as_str)
    });
    let mut words = words;
    words.any(|word| matches!(word, "--leader-elect" | "--leader-elect=true" | "-leader-elect"))
}
