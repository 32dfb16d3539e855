//! Components: one folder each, registered here. They never import each other; order between them follows from facts.

pub mod deployment;
pub mod eks;
pub mod helm_release;
pub mod karpenter;
pub mod mlflow;
pub mod unlowered;

use switchback_schemas::{
    Label as Place, StepId, Version,
    inventory::{Container, Workload},
    lock::{Ask, AskAddon},
    manifest::{Document, OnFailure, Requires, Upgrade},
    name::{Label, ObjectName},
    plan::HopBasis,
};

use crate::{
    context::Cx,
    lower::{HopScope, Lowering},
    manifest::{DocRef, Documents, Spanned},
    outlook::Outlook,
};

/// A kind of thing that can be moved.
pub trait Component: Sync {
    /// Its name: folder, and first part of its steps' ids.
    fn name(&self) -> &'static str;

    /// The hops that its manifests ask for, in order for each manifest. What is wrong is said to the context.
    fn hops(&self, cx: &Cx<'_>) -> Vec<HopSpec>;

    /// Charts that its manifests need rendered. Needs no lock.
    fn asks(&self, cx: &Cx<'_>) -> Vec<Ask>;

    /// Add-ons of EKS whose versions it needs to know. Needs no lock.
    fn asks_addons(&self, _: &Cx<'_>) -> Vec<AskAddon> {
        Vec::new()
    }

    /// Turns one hop into steps. The outlook is as earlier hops leave it, and is changed to what this one leaves.
    fn lower(&self, cx: &Cx<'_>, hop: &HopSpec, outlook: &mut Outlook<'_>, to: &mut Lowering);
}

/// Every component. A new one is its folder and a line here.
pub const COMPONENTS: [&dyn Component; 6] = [
    &karpenter::Karpenter,
    &eks::Eks,
    &deployment::Deployment,
    &helm_release::HelmRelease,
    &mlflow::Mlflow,
    &unlowered::Unlowered,
];

/// One hop that a manifest asks for.
#[derive(Clone, Debug)]
pub struct HopSpec {
    /// The component's name.
    pub component: &'static str,
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
    pub fn asked<S: Upgrade>(cx: &Cx<'_>, component: &'static str, doc: &Spanned<Document<S>>) -> Self {
        Self {
            component,
            upgrade: doc.metadata.name.clone(),
            doc: doc.doc,
            target: doc.spec.target().clone(),
            from: None,
            to: doc.spec.to().clone(),
            finishes: false,
            basis: HopBasis::Exact,
            requires: doc.spec.requires().to_vec(),
            on_failure: doc.spec.on_failure(),
            place: cx.label(doc.doc, "/spec/onFailure", "asked here"),
        }
    }

    /// `component/instance@version`.
    pub fn id(&self) -> StepId {
        StepId::sanitized(&format!("{}/{}@{}", self.component, self.upgrade, self.to.plain()))
    }

    /// For a version that is there already: the hop that finishes what an earlier run of the operation began, if one did.
    pub fn finishing(&self, cx: &Cx<'_>) -> Option<Self> {
        cx.unfinished(&self.id())?;
        Some(Self { from: None, finishes: true, ..self.clone() })
    }

    /// The manifest that asks for it, among those of its kind, which are sorted by name.
    pub fn written<'a, S>(&self, documents: &'a Documents<S>) -> Option<&'a Spanned<Document<S>>> {
        let found = documents.binary_search_by(|document| document.metadata.name.cmp(&self.upgrade));
        documents.get(found.ok()?)
    }

    /// What its steps share.
    pub fn scope(&self) -> HopScope {
        HopScope { hop: self.id(), target: self.target.clone() }
    }
}

/// The container that an upgrade names, in its Deployment; said to the context when one of them is not there.
pub fn container<'cx>(
    cx: &Cx<'cx>,
    doc: DocRef,
    deployment: &ObjectName,
    container: &str,
) -> Option<(&'cx Workload, &'cx Container)> {
    use switchback_schemas::{Diagnostic, codes, name::ObjectRef};
    let object = ObjectRef::new("apps/v1", "Deployment", deployment);
    let missing = |at: &str, label: &str, message: String, help: &str| {
        let missing = Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message);
        cx.findings.say(missing.at(cx.label(doc, at, label)).help(help));
    };
    let Some(workload) = cx.index.workload(&object) else {
        let help = "check the name and namespace, or observe again";
        missing("/spec/deployment", "not in the inventory", format!("there is no {object}"), help);
        return None;
    };
    let found = workload.containers.iter().find(|found| found.name == container);
    if found.is_none() {
        let names: Vec<_> = workload.containers.iter().map(|container| container.name.as_str()).collect();
        let message = format!("{object} has no container {container:?}");
        missing("/spec/container", "not a container of it", message, &format!("it has {}", names.join(", ")));
    }
    Some((workload, found?))
}

/// Checks that a target lies above what is there: `None` when there is nothing to do or it would go down.
pub fn rising(cx: &Cx<'_>, doc: DocRef, what: &str, from: &Version, to: &Version) -> Option<()> {
    use switchback_schemas::{Diagnostic, codes};
    match from.cmp(to) {
        std::cmp::Ordering::Less => Some(()),
        std::cmp::Ordering::Equal => {
            let message = format!("{what} is at {from} already");
            cx.findings.say(
                Diagnostic {
                    severity: switchback_schemas::Severity::Advice,
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
                    .help("an upgrade goes up; to go back, use the way back of the run that went up"),
            );
            None
        }
    }
}

/// The tag of an image, `None` for a digest or no tag.
pub fn tag(image: &str) -> Option<&str> {
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    let last = name.rsplit('/').next()?;
    last.split_once(':').map(|(_, tag)| tag)
}

/// Nested fields from dotted paths: `{"controller.replicas": 2}` to `{"controller": {"replicas": 2}}`.
pub fn nested(set: &std::collections::BTreeMap<String, serde_json::Value>) -> serde_json::Value {
    use serde_json::{Map, Value};
    let mut root = Map::new();
    for (path, value) in set {
        let mut at = &mut root;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                at.insert(part.to_owned(), value.clone());
                break;
            }
            let next = at.entry(part.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            let Value::Object(inner) = next else { break };
            at = inner;
        }
    }
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::tag;

    #[test]
    fn a_registry_port_is_no_tag() {
        assert_eq!(tag("registry:5000/team/app"), None);
        assert_eq!(tag("registry:5000/team/app:1.2"), Some("1.2"));
        assert_eq!(tag("app:1.2@sha256:00"), Some("1.2"));
        assert_eq!(tag("app"), None);
    }

    #[test]
    fn dotted_paths_nest() {
        let set =
            [("a.b".to_owned(), json!(1)), ("a.c.d".to_owned(), json!("x")), ("e".to_owned(), json!([]))];
        assert_eq!(
            super::nested(&set.into_iter().collect()),
            json!({"a": {"b": 1, "c": {"d": "x"}}, "e": []})
        );
    }
}
