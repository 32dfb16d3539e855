//! What somebody should know beside the steps: which operands restart, what is known of the hop, and what stays behind.

use serde_json::Value;
use switchback_schemas::{Diagnostic, Severity, codes, plan::BlindSpot};

use super::{DriverRestarts, GpuOperator, facts::GpuFacts, site::Drivers};
use crate::{component::HopCx, lower::Lowering, objects};

/// Adds sources, advice and blind spots of one hop.
pub(super) fn add(
    at: &HopCx<'_, GpuOperator>,
    (before, after): (Option<&Value>, Option<&Value>),
    out: &mut Lowering,
) {
    for key in ["chart", "operands", "recorded"] {
        if let Some(source) = at.facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
    restarts(at, before, after);
    traps(at, out);
    out.blind_spots.push(BlindSpot {
        what: format!("who uses GPUs on the nodes of {} without asking for nvidia.com/gpu", at.hop.upgrade),
        why: "pods of runtime class nvidia and DaemonSets of others keep handles of what restarts, and nothing in them says so"
            .to_owned(),
    });
    if at.own.drivers == Drivers::OfImages {
        advise(
            at,
            codes::PLAN_ON_DELETE,
            "drivers are part of the nodes' images, so this upgrade touches none",
            "they move with the image of each node: its node group or its EC2NodeClass says which",
        );
    }
}

fn advise(at: &HopCx<'_, GpuOperator>, code: codes::Code, message: &str, help: &str) {
    let found = Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(code, message) };
    at.findings.say(found.at(at.cx.label(at.doc.doc, "/spec/to", "this version of the chart")).help(help));
}

/// Which operands restart, with their versions.
fn restarts(at: &HopCx<'_, GpuOperator>, before: Option<&Value>, after: Option<&Value>) {
    let version = |policy: Option<&Value>, field: &str| -> Option<String> {
        let pointer = format!("/spec/{field}/version");
        policy.and_then(|policy| objects::text(policy, &pointer)).map(str::to_owned)
    };
    let there = |name: &str| at.own.section.daemon_sets.iter().any(|set| set.name.name == name);
    let moved: Vec<String> = at
        .facts
        .operands
        .iter()
        .filter(|operand| there(&operand.daemon_set))
        .filter_map(|operand| {
            let (from, to) = (version(before, &operand.field)?, version(after, &operand.field)?);
            Some(if from == to { operand.title.clone() } else { format!("{} {from} -> {to}", operand.title) })
        })
        .collect();
    if !moved.is_empty() {
        let message = format!("the operator restarts its operands on every GPU node: {}", moved.join(", "));
        let help =
            "GPU pods go on; while the device plugin restarts, a node offers no GPU to new pods for a moment";
        advise(at, codes::PLAN_HOOK, &message, help);
    }
}

/// What is known of a hop over a version.
fn traps(at: &HopCx<'_, GpuOperator>, out: &mut Lowering) {
    let hop = at.hop;
    for trap in &at.facts.traps {
        let only = trap.from.as_ref().is_none_or(|from| hop.from.as_ref() == Some(from))
            && trap.to.as_ref().is_none_or(|to| hop.to == *to);
        if !only || !GpuFacts::crosses(hop.from.as_ref(), &hop.to, &trap.over) {
            continue;
        }
        let message = format!("over GPU Operator {}: {}", trap.over, trap.what);
        if trap.to.is_some() {
            let place = at.cx.label(at.doc.doc, "/spec/to", "has it");
            let found = Diagnostic::warning(codes::PLAN_HOOK, message).at(place);
            at.findings.say_about(&trap.over.to_string(), found.help("move to a later release of its line"));
        } else {
            advise(at, codes::PLAN_HOOK, &message, "nothing has to be done");
        }
        if let Some(source) = at.facts.source(&trap.source) {
            out.sources.insert(trap.source.clone(), source);
        }
    }
}

/// Says what becomes of driver pods whose template changes, or refuses it.
pub(super) fn driver_pods(at: &HopCx<'_, GpuOperator>, changes: &[String]) {
    if changes.is_empty() {
        return;
    }
    let whys = changes.join("; ");
    let place = at.cx.label(at.doc.doc, "/spec/to", "changes the pods of drivers");
    let nodes = at.own.section.nodes.len();
    let advice = |message: String, help: &str| {
        let found =
            Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(codes::PLAN_ON_DELETE, message) };
        at.findings.say(found.at(place.clone()).help(help));
    };
    match (&at.own.drivers, at.doc.spec.driver_restarts) {
        (Drivers::Automatic(_), DriverRestarts::Refuse) => {
            let message = format!(
                "driver pods get another template under GPU Operator {}, though the driver stays: the operator would cordon {nodes} GPU nodes and delete their GPU pods ({whys})",
                at.hop.to
            );
            let help = "`driverRestarts: postpone` keeps the label nvidia.com/gpu-driver-upgrade.skip on every GPU node: drivers go on as they are, until somebody drains a node and takes it off";
            at.findings.say(Diagnostic::error(codes::PLAN_ON_DELETE, message).at(place).help(help));
        }
        (Drivers::Automatic(_), DriverRestarts::Postpone) => advice(
            format!(
                "{nodes} GPU nodes keep the label nvidia.com/gpu-driver-upgrade.skip afterwards, and say upgrade-required: their driver pods have another template ({whys})"
            ),
            "drivers go on as they are; node by node, drain it and take the label off, and the operator restarts its driver and uncordons it",
        ),
        (Drivers::ByHand(_), _) => advice(
            format!("driver pods stay as they are until somebody deletes them ({whys})"),
            "autoUpgrade is off: nobody deletes them by himself",
        ),
        (Drivers::OfImages, _) => {}
    }
}
