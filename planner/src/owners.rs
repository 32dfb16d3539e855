//! Owners: a change written past its owner is undone by it.

use switchback_schemas::{
    Diagnostic, codes,
    inventory::Ownership,
    manifest::{OwnerKind, OwnerRule},
    name::ObjectRef,
};

use crate::findings::Findings;

/// Checks that an object may be written directly, or through Helm, by somebody who is not the owner's own pipeline.
///
/// The Platform's own word wins; without it the evidence of the inventory must point to one owner. `through` says how the
/// plan writes.
pub fn check(
    findings: &Findings,
    ownership: Option<&Ownership>,
    rule: Option<&OwnerRule>,
    object: &ObjectRef,
    through: OwnerKind,
) {
    let about = object.to_string();
    let rule = rule.map(|rule| rule.owner);
    let evidence = || ownership;
    let seen: Vec<OwnerKind> = {
        let mut seen: Vec<_> = evidence().into_iter().flat_map(|o| &o.evidence).map(|e| e.owner).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    let because = || {
        let lines: Vec<_> =
            evidence().into_iter().flat_map(|o| &o.evidence).map(|e| e.because.as_str()).collect();
        lines.join("; ")
    };
    // A pipeline that reconciles outranks what Helm or kubectl left behind: it would undo the change.
    let reconciler =
        seen.iter().copied().find(|owner| matches!(owner, OwnerKind::Gitops | OwnerKind::Terraform));
    match rule.or(reconciler).or_else(|| single(&seen)) {
        Some(owner) if owner == through => {}
        // An operator's object is written by people too; what the operator owns is checked when it is held.
        Some(OwnerKind::Operator) if through == OwnerKind::Kubectl => {}
        Some(owner @ (OwnerKind::Gitops | OwnerKind::Terraform)) => findings.say_about(
            &about,
            Diagnostic::error(
                codes::PLAN_OWNER_NOT_BUILT,
                format!("{about} belongs to {} ({}), which would undo a change made past it", word(owner), because()),
            )
            .help("this release cannot go through that owner yet; suspend its sync for the object and say `owners:` in the Platform"),
        ),
        Some(owner) => findings.say_about(
            &about,
            Diagnostic::error(
                codes::PLAN_OWNER_UNKNOWN,
                format!("{about} belongs to {} ({}), and the plan would write it by {}", word(owner), because(), word(through)),
            )
            .help(format!("change it through its owner, or say under `owners:` of the Platform that it belongs to {}", word(through))),
        ),
        None => findings.say_about(
            &about,
            Diagnostic::error(
                codes::PLAN_OWNER_UNKNOWN,
                if seen.is_empty() {
                    format!("nothing shows who owns {about}")
                } else {
                    format!("{about} seems to have several owners ({})", because())
                },
            )
            .help("name its owner under `owners:` of the Platform"),
        ),
    }
}

fn single(seen: &[OwnerKind]) -> Option<OwnerKind> {
    match seen {
        [only] => Some(*only),
        _ => None,
    }
}

fn word(owner: OwnerKind) -> &'static str {
    match owner {
        OwnerKind::Helm => "Helm",
        OwnerKind::Kubectl => "kubectl",
        OwnerKind::Gitops => "a GitOps controller",
        OwnerKind::Terraform => "Terraform",
        OwnerKind::Operator => "an operator",
    }
}
