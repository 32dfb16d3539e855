//! Which versions Karpenter moves through, and which of them are refused.

use switchback_schemas::{
    Diagnostic, Label, Version, codes,
    manifest::{Document, KarpenterUpgrade},
    plan::HopBasis,
};

use super::facts::KarpenterFacts;
use crate::{
    catalog::within,
    components::{HopSpec, rising},
    context::Cx,
    lower::helm,
    manifest::Spanned,
};

pub(super) type Doc = Spanned<Document<KarpenterUpgrade>>;

/// The hops of one manifest.
pub(super) fn of(cx: &Cx<'_>, doc: &Doc) -> Vec<HopSpec> {
    let spec = &doc.spec;
    let not = |pointer: &str| Some(cx.label(doc.doc, pointer, "not upgradable as it is"));
    let release = helm::observed(cx, &spec.release, not("/spec/release"));
    let crds = helm::observed(cx, &spec.crd_release, not("/spec/crdRelease"));
    let (Some(release), Some(_)) = (release, crds) else { return Vec::new() };
    let from = &release.chart_version;
    if rising(cx, doc.doc, "Karpenter", from, &spec.to).is_none() {
        return Vec::new();
    }
    let place = cx.label(doc.doc, "/spec/to", "asked here");
    let facts = &cx.catalog.karpenter;
    let Some(versions) = path(cx, facts, from, &spec.to, &place) else { return Vec::new() };
    for version in &versions {
        supported(cx, facts, version, &place);
    }
    let mut before = from.clone();
    let mut hops = Vec::new();
    for (number, version) in versions.into_iter().enumerate() {
        hops.push(HopSpec {
            component: "karpenter",
            upgrade: doc.metadata.name.clone(),
            doc: doc.doc,
            target: spec.target.clone(),
            from: Some(before),
            to: version.clone(),
            basis: if number == 0 { HopBasis::Exact } else { HopBasis::Predicted },
            requires: Vec::new(),
            on_failure: spec.on_failure,
            place: cx.label(doc.doc, "/spec/onFailure", "asked here"),
        });
        before = version;
    }
    hops
}

/// Versions to move through, the last of them the target. Needs no inventory, so that charts can be resolved first.
pub(super) fn path(
    cx: &Cx<'_>,
    facts: &KarpenterFacts,
    from: &Version,
    to: &Version,
    place: &Label,
) -> Option<Vec<Version>> {
    let oldest = facts.kubernetes.first().map(|range| &range.line)?;
    if from < oldest {
        let message =
            format!("Karpenter {from} is older than {oldest}, from where this release knows the way");
        cx.findings.say(
            Diagnostic::error(codes::PATH_NONE, message)
                .at(place.clone())
                .help("move its objects to v1beta1 and the controller to 0.33 or later first"),
        );
        return None;
    }
    if facts.range(to).is_none() {
        let newest = facts.kubernetes.last().map(|range| range.line.to_string()).unwrap_or_default();
        let message = format!("the catalog has no facts about Karpenter {to}");
        cx.findings.say(
            Diagnostic::error(codes::PATH_UNKNOWN_VERSION, message)
                .at(place.clone())
                .help(format!("it knows lines up to {newest}, read {}", facts.read_on)),
        );
        return None;
    }
    Some(versions(facts, from, to))
}

/// The mandatory stops between two versions.
fn versions(facts: &KarpenterFacts, from: &Version, to: &Version) -> Vec<Version> {
    let mut stops = Vec::new();
    let bridge = &facts.bridge;
    if *from < bridge.from && *to >= bridge.from {
        // Going back from 1.0 is possible to exact patches only, so the line's patch comes first (user-pain P-13).
        let patch = facts.rollback_targets.iter().find(|target| target.is_of(&from.minor_line()));
        stops.extend(patch.filter(|patch| *patch > from).cloned());
        if *to >= bridge.at {
            stops.push(bridge.via.clone());
        }
    }
    stops.push(to.clone());
    stops
}

fn supported(cx: &Cx<'_>, facts: &KarpenterFacts, version: &Version, place: &Label) {
    if let Some(bad) = facts.bad.iter().find(|bad| bad.version == *version) {
        let message = format!("Karpenter {version} is a version not to upgrade to: {}", bad.why);
        cx.findings.say_about(
            &format!("karpenter {version}"),
            Diagnostic::error(codes::PATH_BAD_VERSION, message).at(place.clone()).help("take the next patch"),
        );
    }
    let cluster = &cx.inventory.cluster.version;
    let Some(range) = facts.range(version) else { return };
    if !within(cluster, &range.min, &range.max) {
        let fit: Vec<_> = facts
            .kubernetes
            .iter()
            .filter(|range| within(cluster, &range.min, &range.max))
            .map(|range| range.line.to_string())
            .collect();
        let help = match (fit.first(), fit.last()) {
            (Some(first), Some(last)) => {
                format!("lines {first} to {last} support Kubernetes {}", cluster.minor_line())
            }
            _ => format!("no line that the catalog knows supports Kubernetes {}", cluster.minor_line()),
        };
        let message = format!(
            "Karpenter {version} supports Kubernetes {} to {}, and the cluster runs {cluster}",
            range.min, range.max
        );
        cx.findings.say_about(
            &format!("karpenter {version}"),
            Diagnostic::error(codes::PATH_REQUIREMENT, message).at(place.clone()).help(help),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn stops(from: &str, to: &str) -> Vec<String> {
        let catalog = Catalog::embedded().expect("the catalog");
        let v = |text: &str| text.parse().expect(text);
        versions(&catalog.karpenter, &v(from), &v(to)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn p13_a_version_that_cannot_be_gone_back_to_first_moves_to_one_that_can() {
        assert_eq!(stops("0.37.0", "1.8.8"), ["0.37.7", "1.0.14", "1.8.8"]);
        assert_eq!(stops("0.37.7", "1.0.14"), ["1.0.14"]);
        assert_eq!(stops("0.33.12", "1.5.8"), ["1.0.14", "1.5.8"]);
    }

    #[test]
    fn from_one_on_there_is_one_hop() {
        assert_eq!(stops("1.0.8", "1.8.8"), ["1.8.8"]);
        assert_eq!(stops("1.5.8", "1.8.8"), ["1.8.8"]);
    }
}
