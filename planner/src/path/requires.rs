//! What manifests say themselves must come first.

use std::collections::BTreeMap;

use switchback_schemas::{Diagnostic, Version, codes, manifest::Requires, name::Label};

use super::Edge;
use crate::{context::Cx, hop::HopSpec};

/// Positions of hops by their upgrade.
pub(super) type ByUpgrade<'a> = BTreeMap<&'a Label, Vec<usize>>;

/// The hops of each upgrade.
pub(super) fn by_upgrade(asked: &[HopSpec]) -> ByUpgrade<'_> {
    let mut hops = ByUpgrade::new();
    for (number, hop) in asked.iter().enumerate() {
        hops.entry(&hop.upgrade).or_default().push(number);
    }
    hops
}

/// The edge that a declared requirement makes; none when it is met already, or cannot be met, which is said.
pub(super) fn edge(
    cx: &Cx<'_>,
    asked: &[HopSpec],
    by_upgrade: &ByUpgrade<'_>,
    hop: &HopSpec,
    requires: &Requires,
) -> Option<Edge> {
    let others = by_upgrade.get(&requires.upgrade).map(Vec::as_slice).unwrap_or_default();
    let goes_to = |number: &usize| asked.get(*number).map(|other| &other.to);
    let reaches = others.iter().find(|number| goes_to(number).is_some_and(|to| *to >= requires.at_least));
    let Some(before) = reaches.copied() else {
        unmet(cx, hop, requires, others.iter().filter_map(goes_to).max());
        return None;
    };
    let why = format!("it requires {} at {}: {}", requires.upgrade, requires.at_least, requires.because);
    Some(Edge { before, why, source: None, place: cx.label(hop.doc, "/spec/requires", "waits") })
}

/// A requirement that no hop of this plan meets: met already, or an error.
fn unmet(cx: &Cx<'_>, hop: &HopSpec, requires: &Requires, going: Option<&Version>) {
    let Some(going) = going else {
        // The other upgrade has nothing to do, so it is at its target.
        let target = cx.manifests.named(&requires.upgrade).map(|upgrade| upgrade.to().clone());
        if target.is_none_or(|target| target >= requires.at_least) {
            return;
        }
        return refuse(cx, hop, requires, "its own target is older");
    };
    refuse(cx, hop, requires, &format!("it goes to {going} only"));
}

fn refuse(cx: &Cx<'_>, hop: &HopSpec, requires: &Requires, why: &str) {
    let message =
        format!("{} requires {} at {}, and {why}", hop.upgrade, requires.upgrade, requires.at_least);
    cx.findings.say(
        Diagnostic::error(codes::PATH_REQUIREMENT, message)
            .at(cx.label(hop.doc, "/spec/requires", "this cannot be met"))
            .help(format!("move {} further, or lower the requirement", requires.upgrade)),
    );
}
