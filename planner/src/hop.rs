//! One hop as everything but its own component sees it.

use switchback_schemas::{
    ComponentName, Diagnostic, HopId, Label as Place, Severity, Version, codes,
    manifest::{Document, OnFailure, Requires},
    name::Label,
    plan::HopBasis,
};

use crate::{
    context::Cx,
    manifest::{DocRef, Spanned, Spec, Upgrade},
};

/// One hop that a manifest asks for.
#[derive(Clone, Debug)]
pub struct HopSpec {
    /// The component's name.
    pub component: ComponentName,
    /// The manifest's name.
    pub upgrade: Label,
    /// The manifest.
    pub doc: DocRef,
    /// The target.
    pub target: Label,
    /// The version before; absent where it is not known, and where what stayed behind follows.
    pub from: Option<Version>,
    /// The version after.
    pub to: Version,
    /// The component of the catalog that it moves and the version of that, where they are others: a release whose chart the catalog
    /// knows.
    pub stands_for: Option<(String, Version)>,
    /// Whether it starts from what was observed.
    pub basis: HopBasis,
    /// Whether its version is there, and it does what an earlier run of the operation left of the hop.
    pub finishes: bool,
    /// What the manifest says must come first.
    pub requires: Vec<Requires>,
    /// What the manifest says about failures.
    pub on_failure: Option<OnFailure>,
    /// Where it says so.
    pub place: Place,
}

impl HopSpec {
    /// The hop to the version that a manifest asks for, from one that is not known.
    pub fn asked<S: Spec>(cx: &Cx<'_>, component: ComponentName, doc: &Spanned<Document<S>>) -> Self {
        Self {
            component,
            upgrade: doc.metadata.name.clone(),
            doc: doc.doc,
            target: Upgrade::target(&doc.spec).clone(),
            from: None,
            to: Upgrade::to(&doc.spec).clone(),
            stands_for: None,
            finishes: false,
            basis: HopBasis::Exact,
            requires: Upgrade::requires(&doc.spec).to_vec(),
            on_failure: Upgrade::on_failure(&doc.spec),
            place: cx.label(doc.doc, "/spec/onFailure", "requested here"),
        }
    }

    /// A hop to each version on the way from one. Only the first starts from what was observed.
    pub fn through(&self, from: &Version, versions: Vec<Version>) -> Vec<Self> {
        let mut before = from.clone();
        let mut hops = Vec::new();
        for (number, version) in versions.into_iter().enumerate() {
            let basis = if number == 0 { HopBasis::Exact } else { HopBasis::Predicted };
            hops.push(Self { from: Some(before), to: version.clone(), basis, ..self.clone() });
            before = version;
        }
        hops
    }

    /// What it moves, and to which version.
    pub fn id(&self) -> HopId {
        HopId::new(self.component.clone(), self.upgrade.clone(), &self.to)
    }

    /// The component and the version that the joint path knows it by.
    pub fn on_path(&self) -> (&str, &Version) {
        let own = (self.component.as_str(), &self.to);
        self.stands_for.as_ref().map_or(own, |(component, version)| (component.as_str(), version))
    }

    /// For a version that is there already: the hop that finishes what an earlier run of the operation began, if one did.
    pub fn finishing(&self, cx: &Cx<'_>) -> Option<Self> {
        cx.unfinished(&self.id())?;
        Some(Self { from: None, finishes: true, ..self.clone() })
    }
}

/// Checks that a target lies above what is there, or is another build of it: `None` when there is nothing to do or it would go down.
pub fn rising(cx: &Cx<'_>, doc: DocRef, what: &str, from: &Version, to: &Version) -> Option<()> {
    match from.precedence(to) {
        // Which of two builds is newer, nobody says.
        std::cmp::Ordering::Equal if from.is_another_build_of(to) => Some(()),
        std::cmp::Ordering::Less => Some(()),
        std::cmp::Ordering::Equal => {
            let message = format!("{what} is at {from} already");
            cx.findings.say(
                Diagnostic {
                    severity: Severity::Advice,
                    ..Diagnostic::warning(codes::PLAN_UNCHANGED, message)
                }
                .at(cx.label(doc, "/spec/to", "reached")),
            );
            None
        }
        std::cmp::Ordering::Greater => {
            let message = format!("{what} is at {from}, which is newer than {to}");
            cx.findings.say(
                Diagnostic::error(codes::PATH_BACKWARDS, message)
                    .at(cx.label(doc, "/spec/to", "older than what is there"))
                    .help("an upgrade goes up; to go down, roll back the run that went up"),
            );
            None
        }
    }
}
