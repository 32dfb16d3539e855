//! The one hop of an upgrade, and what is refused before it.

use switchback_schemas::{Diagnostic, Severity, codes, manifest::OwnerKind, name::ObjectRef};

use super::{Doc, site};
use crate::{
    components::{HopSpec, container, rising, tag},
    context::Cx,
};

/// The hop of one manifest.
pub(super) fn of(cx: &Cx<'_>, doc: &Doc) -> Option<HopSpec> {
    let spec = &doc.spec;
    let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
    let (workload, found) = container(cx, doc.doc, &spec.deployment, &spec.container)?;
    if let Some(tagged) = site::runs(&spec.image).filter(|tagged| *tagged != spec.to) {
        let message = format!("the image is tagged {tagged}, and the version to reach is {}", spec.to);
        cx.findings.say(
            Diagnostic::error(codes::MANIFEST_CONFLICT, message)
                .at(cx.label(doc.doc, "/spec/image", "another version"))
                .at(cx.label(doc.doc, "/spec/to", "than this"))
                .help("make them the same; the facts that the plan is made from are those of `to`"),
        );
        return None;
    }
    let asked = HopSpec::asked(cx, "mlflow", doc);
    // A server that is away, with its database somewhere on the way, is the business of the run that took it away.
    if found.image == spec.image
        && workload.replicas > 0
        && let Some(finishing) = asked.finishing(cx)
    {
        site::find(cx, doc, workload, Some(&spec.to))?;
        return Some(finishing);
    }
    let what = object.to_string();
    let from = if found.image == spec.image { Some(spec.to.clone()) } else { site::runs(&found.image) };
    match &from {
        Some(from) => rising(cx, doc.doc, &what, from, &spec.to)?,
        None => unknown_version(cx, doc, &what, &found.image),
    }
    cx.owner(&object, OwnerKind::Kubectl);
    site::find(cx, doc, workload, from.as_ref())?;
    Some(HopSpec { from, ..asked })
}

/// An image without a version could be newer than the target. Its database would then not be one that the target knows, which
/// the check before the outage cannot see and the migration refuses.
fn unknown_version(cx: &Cx<'_>, doc: &Doc, what: &str, image: &str) {
    let has = match tag(image) {
        Some(tag) => format!("the tag {tag:?}, which is no version"),
        None => "no tag".to_owned(),
    };
    let message = format!("which version {what} runs is not known: its image has {has}");
    cx.findings.say(
        Diagnostic { severity: Severity::Warning, ..Diagnostic::warning(codes::PLAN_BLIND_SPOT, message) }
            .at(cx.label(doc.doc, "/spec/to", "may be older"))
            .help("it is taken for older, and the database for one that has to be migrated; make sure that it is not newer"),
    );
}
