//! The one hop of an upgrade, and what is refused before it.

use switchback_schemas::{Diagnostic, Severity, Version, codes, name::ObjectRef};

use super::{Doc, Mlflow, observed, site::Site};
use crate::{
    component::DocCx,
    context::Cx,
    hop::{HopSpec, rising},
    image::Image,
};

/// The hop of one manifest.
pub(super) fn of(at: &DocCx<'_, Mlflow>) -> Option<(HopSpec, Site)> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
    let (workload, found) = cx.container(doc.doc, &spec.deployment, &spec.container)?;
    if let Some(tagged) = runs(&spec.image).filter(|tagged| *tagged != spec.to) {
        let message = format!("the image is tagged {tagged}, and the version to reach is {}", spec.to);
        cx.findings.say(
            Diagnostic::error(codes::MANIFEST_CONFLICT, message)
                .at(cx.label(doc.doc, "/spec/image", "another version"))
                .at(cx.label(doc.doc, "/spec/to", "than this"))
                .help("make them the same; the facts that the plan is made from are those of `to`"),
        );
        return None;
    }
    let asked = at.asked();
    // A server that is away, with its database somewhere on the way, is the business of the run that took it away.
    if found.image == spec.image
        && workload.replicas > 0
        && let Some(finishing) = asked.finishing(cx)
    {
        let site = observed::find(at, workload, Some(&spec.to))?;
        return Some((finishing, site));
    }
    let what = object.to_string();
    let from = if found.image == spec.image { Some(spec.to.clone()) } else { runs(&found.image) };
    match &from {
        Some(from) => rising(cx, doc.doc, &what, from, &spec.to)?,
        None => unknown_version(cx, doc, &what, &found.image),
    }
    cx.written_directly(&object, cx.label(doc.doc, "/spec/image", "this image"));
    let site = observed::find(at, workload, from.as_ref())?;
    Some((HopSpec { from, ..asked }, site))
}

/// An image without a version could be newer than the target. Its database would then not be one that the target knows, which
/// the check before the outage cannot see and the migration refuses.
fn unknown_version(cx: &Cx<'_>, doc: &Doc, what: &str, image: &str) {
    let has = match Image(image).tag() {
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

/// The version that a container runs; `None` where its image has no tag that is one.
fn runs(image: &str) -> Option<Version> {
    // The `v` belongs to the tag, not to the version.
    let tag = Image(image).tag()?;
    tag.strip_prefix('v').unwrap_or(tag).parse().ok()
}
