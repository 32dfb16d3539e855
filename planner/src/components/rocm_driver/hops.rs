//! The hop of a driver: from the one that the DeviceConfig names.

use std::cmp::Ordering;

use switchback_schemas::{Diagnostic, Version, codes};

use super::{
    RocmDriver,
    numbers::{self, Numbering, numbering},
    site::{self, Site},
};
use crate::{
    component::DocCx,
    hop::{HopSpec, rising},
    owner::Subject,
};

/// The hop of one document, with what was found.
pub(super) fn of(at: &DocCx<'_, RocmDriver>) -> Option<(HopSpec, Site)> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    written(at)?;
    let site = site::find(at)?;
    at.owners.of(cx, &Subject::Object(&site.object()), &cx.label(doc.doc, "/spec/to", "this driver"));
    let asked = at.asked();
    if site.driver == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return Some((finishing, site));
    }
    reboots(at, &site.driver);
    match numbers::compare(&site.driver, &spec.to) {
        // A number of ROCm is older than the driver's own, whatever the digits say.
        Some(Ordering::Less) => {}
        Some(_) if numbering(&site.driver) == numbering(&spec.to) => {
            rising(cx, doc.doc, "the driver", &site.driver, &spec.to)?;
        }
        Some(_) => {
            let message = format!("the driver is at {}, which is newer than ROCm {}", site.driver, spec.to);
            let found = Diagnostic::error(codes::PATH_BACKWARDS, message).at(cx.label(
                doc.doc,
                "/spec/to",
                "older than what is there",
            ));
            cx.findings.say(found.help("an upgrade goes up; to go down, roll back the run that went up"));
            return None;
        }
        None => {
            let message = format!(
                "no source says which of the drivers {} and {} is newer: one is the number of a package, the other of a module",
                site.driver, spec.to
            );
            let found = Diagnostic::error(codes::PATH_REQUIREMENT, message).at(cx.label(
                doc.doc,
                "/spec/to",
                "of another numbering",
            ));
            cx.findings.say(found.help("write the new driver in the numbering of the present one"));
            return None;
        }
    }
    Some((HopSpec { from: Some(site.driver.clone()), ..asked }, site))
}

/// What is asked for is a number that the operator finds a driver by.
fn written(at: &DocCx<'_, RocmDriver>) -> Option<()> {
    let (facts, to) = (at.facts, &at.doc.spec.to);
    // The image of a driver is found by the number as it is written.
    let bare = to.as_str().trim_start_matches('v');
    if bare == to.as_str() && numbering(to) != Numbering::Rocm {
        return Some(());
    }
    let (message, help) = if bare != to.as_str() {
        (format!("no driver is found as {to}"), format!("write {bare}"))
    } else if *to >= facts.own_numbers.from {
        let own = &facts.own_numbers;
        let message =
            format!("from ROCm {} on drivers have numbers of their own, and {to} is none", own.from);
        (message, format!("write the driver's own number: that of ROCm {} is {}", own.from, own.example))
    } else if to.patch() == Some(0) {
        let short = to.minor_line();
        (format!("no driver is found as {to}"), format!("write {short}: a first release has two numbers"))
    } else {
        return Some(());
    };
    let found = Diagnostic::error(codes::PATH_REQUIREMENT, message);
    at.findings.say(found.at(at.label(at.doc.doc, "/spec/to", "not a driver's number")).help(help));
    None
}

/// Old drivers are not wholly loaded before their node has booted anew.
fn reboots(at: &DocCx<'_, RocmDriver>, from: &Version) {
    let (spec, known) = (&at.doc.spec, &at.facts.reboots);
    let old = |version: &Version| {
        numbering(version) == Numbering::Rocm && version.minor_line() <= known.up_to.minor_line()
    };
    if spec.reboot.is_some() || !(old(from) || old(&spec.to)) {
        return;
    }
    let message = format!(
        "drivers up to ROCm {} are not wholly loaded before their node has booted anew, and this plan boots none",
        known.up_to
    );
    let found = Diagnostic::error(codes::PATH_REQUIREMENT, message).at(at.label(
        at.doc.doc,
        "/spec/to",
        "needs a reboot of every node",
    ));
    at.findings.say(found.help("say under `reboot` by which image nodes boot anew"));
}
