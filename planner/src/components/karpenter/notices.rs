//! What somebody should know beside the steps.

use switchback_schemas::{
    Diagnostic, Version, codes, inventory::karpenter::Karpenter as Section, plan::BlindSpot,
};

use super::Karpenter;
use crate::{component::HopCx, lower::Lowering};

/// Adds sources, warnings and blind spots of one hop.
pub(super) fn add(at: &HopCx<'_, Karpenter>, section: &Section, out: &mut Lowering) {
    sources(at, out);
    notices(at, section, out);
}

fn sources(at: &HopCx<'_, Karpenter>, out: &mut Lowering) {
    for key in ["compatibility", "charts", "kubernetes-crd-versions"] {
        if let Some(source) = at.facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
}

fn notices(at: &HopCx<'_, Karpenter>, section: &Section, out: &mut Lowering) {
    let hop = at.hop;
    for class in &section.node_classes {
        for alias in class.ami_aliases.iter().filter(|alias| alias.ends_with("@latest")) {
            let message = format!(
                "EC2NodeClass {} uses {alias}, which moves by itself and drifts nodes when it does",
                class.name
            );
            at.findings.say_about(
                &class.name,
                Diagnostic::warning(codes::PLAN_FLOATING_IMAGE, message)
                    .at(at.cx.label(at.doc.doc, "/spec/to", "its nodes move"))
                    .help("pin the alias to the version that runs"),
            );
        }
    }
    let facts = at.facts;
    let crossed =
        |version: &Version| hop.from.as_ref().is_none_or(|from| from < version) && *version <= hop.to;
    for drift in facts.drifts.iter().filter(|drift| crossed(&drift.version)) {
        out.blind_spots.push(BlindSpot {
            what: format!("how many nodes drift when Karpenter reaches {}", drift.version),
            why: drift.why.clone(),
        });
    }
    let calls: Vec<&str> = facts
        .iam
        .iter()
        .filter(|iam| crossed(&iam.since))
        .flat_map(|iam| &iam.add)
        .map(String::as_str)
        .collect();
    if !calls.is_empty() {
        out.blind_spots.push(BlindSpot {
            what: format!("whether the controller's role allows {}", calls.join(", ")),
            why: "IAM is not read by this release; the new version needs these calls".to_owned(),
        });
    }
}
