//! Whose something is: what the Platform says about it, else what was observed of it.

use switchback_schemas::{
    Diagnostic, Label, codes, inventory::Ownership, manifest::OwnerKind, name::ObjectRef,
};

use crate::{context::Cx, index::same};

/// Whose an object is, and why one thinks so.
pub(crate) struct Evidence<'a> {
    object: &'a ObjectRef,
    rule: Option<OwnerKind>,
    ownership: Option<&'a Ownership>,
}

/// Who owns something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This owner.
    Owner(OwnerKind),
    /// Nothing was observed that shows an owner.
    Nobody,
    /// What was observed shows several.
    Several,
}

impl<'a> Evidence<'a> {
    /// The Platform's own word, and what was observed.
    pub(crate) fn of(cx: &Cx<'a>, object: &'a ObjectRef) -> Self {
        let rule = cx.manifests.platform.spec.owners.iter().find(|rule| same(&rule.object, object));
        Self { object, rule: rule.map(|rule| rule.owner), ownership: cx.index.ownership(object) }
    }

    fn seen(&self) -> Vec<OwnerKind> {
        let mut seen: Vec<_> =
            self.ownership.into_iter().flat_map(|o| &o.evidence).map(|e| e.owner).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    /// The owner. The Platform's own word wins; a pipeline that reconciles outranks what Helm or kubectl left behind, since it
    /// would undo the change. What an operator writes, people write too: `natural` is who writes it then.
    pub(crate) fn owner(&self, natural: OwnerKind) -> Found {
        let seen = self.seen();
        let reconciles = |owner: &OwnerKind| matches!(owner, OwnerKind::Gitops | OwnerKind::Terraform);
        let owner = self.rule.or_else(|| seen.iter().copied().find(reconciles));
        match (owner, seen.as_slice()) {
            (Some(OwnerKind::Operator), _) | (None, [OwnerKind::Operator])
                if natural == OwnerKind::Kubectl =>
            {
                Found::Owner(natural)
            }
            (Some(owner), _) => Found::Owner(owner),
            (None, [owner]) => Found::Owner(*owner),
            (None, []) => Found::Nobody,
            (None, _) => Found::Several,
        }
    }

    fn because(&self) -> String {
        let lines: Vec<_> =
            self.ownership.into_iter().flat_map(|o| &o.evidence).map(|e| e.because.as_str()).collect();
        lines.join("; ")
    }

    /// What is said where the change would be made past its owner.
    pub(crate) fn past(&self, owner: OwnerKind, through: OwnerKind) -> Diagnostic {
        let (object, because) = (self.object, self.because());
        if matches!(owner, OwnerKind::Gitops | OwnerKind::Terraform) {
            let message = format!(
                "{object} belongs to {} ({because}), which would undo a change made past it",
                word(owner)
            );
            return Diagnostic::error(codes::PLAN_OWNER_NOT_BUILT, message).help(
                "this release cannot go through that owner yet; suspend its sync for the object and name the owner under `owners:` of the Platform",
            );
        }
        let message = format!(
            "{object} belongs to {} ({because}), and the plan would write it by {}",
            word(owner),
            word(through)
        );
        Diagnostic::error(codes::PLAN_OWNER_UNKNOWN, message).help(format!(
            "change it through its owner, or say under `owners:` of the Platform that it belongs to {}",
            word(through)
        ))
    }

    /// What is said where no single owner is known.
    pub(crate) fn unknown(&self) -> Diagnostic {
        let message = if self.seen().is_empty() {
            format!("nothing shows who owns {}", self.object)
        } else {
            format!("{} seems to have several owners ({})", self.object, self.because())
        };
        Diagnostic::error(codes::PLAN_OWNER_UNKNOWN, message)
            .help("name its owner under `owners:` of the Platform")
    }
}

impl Cx<'_> {
    /// Checks that an object may be written directly. What is in the way is said.
    pub fn written_directly(&self, object: &ObjectRef, place: Label) {
        let evidence = Evidence::of(self, object);
        let wrong = match evidence.owner(OwnerKind::Kubectl) {
            Found::Owner(OwnerKind::Kubectl) => return,
            Found::Owner(owner) => evidence.past(owner, OwnerKind::Kubectl),
            Found::Nobody | Found::Several => evidence.unknown(),
        };
        self.findings.say_about(&object.to_string(), wrong.at(place));
    }
}

/// An owner, for people.
fn word(owner: OwnerKind) -> &'static str {
    match owner {
        OwnerKind::Helm => "Helm",
        OwnerKind::Kubectl => "kubectl",
        OwnerKind::Eks => "the EKS API",
        OwnerKind::Gitops => "a GitOps controller",
        OwnerKind::Terraform => "Terraform",
        OwnerKind::Operator => "an operator",
    }
}
