//! What manifests say themselves must come first.

use switchback_schemas::{Diagnostic, codes, manifest::Requires};

use super::Edge;
use crate::{context::Cx, hop::HopSpec};

/// The edge that a declared requirement makes; none when it is met already, or cannot be met, which is said.
pub(super) fn edge(cx: &Cx<'_>, asked: &[HopSpec], hop: &HopSpec, requires: &Requires) -> Option<Edge> {
    let reaches =
        asked.iter().position(|other| other.upgrade == requires.upgrade && other.to >= requires.at_least);
    let Some(before) = reaches else {
        unmet(cx, hop, requires, asked);
        return None;
    };
    let why = format!("it requires {} at {}: {}", requires.upgrade, requires.at_least, requires.because);
    Some(Edge { before, why, source: None, place: cx.label(hop.doc, "/spec/requires", "waits") })
}

/// A requirement that no hop of this plan meets: met already, or an error.
fn unmet(cx: &Cx<'_>, hop: &HopSpec, requires: &Requires, asked: &[HopSpec]) {
    let going = asked.iter().filter(|other| other.upgrade == requires.upgrade).map(|other| &other.to).max();
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
