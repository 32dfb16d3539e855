//! What somebody should know beside the steps.

use switchback_schemas::{Diagnostic, Version, codes, inventory::karpenter::Karpenter, plan::BlindSpot};

use crate::{components::HopSpec, context::Cx, lower::Lowering};

/// Adds sources, warnings and blind spots of one hop.
pub(super) fn add(cx: &Cx<'_>, hop: &HopSpec, section: &Karpenter, to: &mut Lowering) {
    sources(cx, to);
    notices(cx, hop, section, to);
}

fn sources(cx: &Cx<'_>, to: &mut Lowering) {
    for key in ["compatibility", "charts", "kubernetes-crd-versions"] {
        if let Some(source) = cx.catalog.karpenter.source(key) {
            to.sources.insert(key.to_owned(), source);
        }
    }
}

fn notices(cx: &Cx<'_>, hop: &HopSpec, section: &Karpenter, to: &mut Lowering) {
    for class in &section.node_classes {
        for alias in class.ami_aliases.iter().filter(|alias| alias.ends_with("@latest")) {
            let message = format!(
                "EC2NodeClass {} uses {alias}, which moves by itself and drifts nodes when it does",
                class.name
            );
            cx.findings.say_about(
                &class.name,
                Diagnostic::warning(codes::PLAN_FLOATING_IMAGE, message)
                    .help("pin the alias to the version that runs"),
            );
        }
    }
    let facts = &cx.catalog.karpenter;
    let crossed =
        |version: &Version| hop.from.as_ref().is_none_or(|from| from < version) && *version <= hop.to;
    for drift in facts.drifts.iter().filter(|drift| crossed(&drift.version)) {
        to.blind_spots.push(BlindSpot {
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
        to.blind_spots.push(BlindSpot {
            what: format!("whether the controller's role allows {}", calls.join(", ")),
            why: "IAM is not read by this release; the new version needs these calls".to_owned(),
        });
    }
}
