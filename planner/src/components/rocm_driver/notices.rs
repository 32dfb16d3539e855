//! What should be known beside the steps: that nothing of it was seen on a controller that ran, what the operator does by itself, and
//! what no step can keep from happening.

use switchback_schemas::{Diagnostic, Severity, Version, codes, plan::BlindSpot};

use super::{
    RocmDriver,
    numbers::{Numbering, compare, numbering},
};
use crate::{component::HopCx, findings::listed, lower::Lowering};

/// Adds errors, warnings, advice, sources and blind spots of one hop.
pub(super) fn add(at: &HopCx<'_, RocmDriver>, out: &mut Lowering) {
    for key in at.facts.sources.keys() {
        if let Some(source) = at.facts.source(key) {
            out.sources.insert(key.clone(), source);
        }
    }
    out.blind_spots.push(BlindSpot {
        what: format!("whether AMD's GPU Operator does what {} leans on", at.hop.upgrade),
        why: "its steps follow the operator's source and documentation; no test has run it, for want of its GPUs"
            .to_owned(),
    });
    out.blind_spots.push(BlindSpot {
        what: format!("whether the ROCm in the images of pods works with driver {}", at.hop.to),
        why: "no API shows which ROCm an image holds, and AMD's table of what works with what is not in the catalog"
            .to_owned(),
    });
    joining(at);
    boots(at);
    dra(at);
    held(at);
}

fn say(at: &HopCx<'_, RocmDriver>, severity: Severity, message: String, help: &str) {
    let found = Diagnostic { severity, ..Diagnostic::warning(codes::PLAN_NOT_READY, message) };
    at.findings.say(found.at(at.cx.label(at.doc.doc, "/spec/to", "this driver")).help(help));
}

/// What joins gets the driver of the DeviceConfig at once. What boots while its label asks for the old one gets none.
fn joining(at: &HopCx<'_, RocmDriver>) {
    let message = format!(
        "GPU nodes that join from the change of the DeviceConfig on get driver {} at once, outside of any batch",
        at.hop.to
    );
    say(at, Severity::Advice, message, "a rollback moves them back with the others");
    let message =
        "a GPU node that boots between the change of the DeviceConfig and its own turn comes up without a driver".to_owned();
    say(at, Severity::Advice, message, "its turn in the roll loads the new one, and a rollback the old one");
}

/// The DeviceConfig asks for reboots that only the operator's own upgrade makes.
fn boots(at: &HopCx<'_, RocmDriver>) {
    let asked = at.own.config.policy.as_ref().is_some_and(|policy| policy.reboots);
    if asked && at.doc.spec.reboot.is_none() {
        let message =
            "the DeviceConfig says `rebootRequired`, which is its default, and this plan boots no node"
                .to_owned();
        say(
            at,
            Severity::Warning,
            message,
            "say under `reboot` by which image nodes boot anew, where they have to",
        );
    }
}

/// A DRA driver that is too old offers no GPU of a new driver.
fn dra(at: &HopCx<'_, RocmDriver>) {
    let (known, to) = (&at.facts.dra, &at.hop.to);
    let Some(image) = &at.own.config.dra_image else { return };
    let since = known.drivers.iter().find(|driver| numbering(driver) == numbering(to));
    let needs = since.is_some_and(|since| compare(to, since).is_some_and(std::cmp::Ordering::is_ge));
    if !needs || numbering(to) == Numbering::Rocm {
        return;
    }
    let tag = image.rsplit_once(':').map(|(_, tag)| tag.trim_start_matches('v'));
    let version = tag.and_then(|tag| tag.parse::<Version>().ok());
    let severity = match &version {
        Some(version) if *version >= known.at_least => return,
        Some(_) => Severity::Error,
        None => Severity::Warning,
    };
    let what = if image.is_empty() { "the operator's own choice" } else { image };
    let message =
        format!("driver {to} needs a DRA driver of at least {}, and that is {what}", known.at_least);
    say(
        at,
        severity,
        message,
        "raise `spec.draDriver.image` of the DeviceConfig first, or no GPU is offered",
    );
}

/// A release that holds the DeviceConfig writes its own driver into it when it is upgraded.
fn held(at: &HopCx<'_, RocmDriver>) {
    let object = at.own.object();
    let holds = |objects: &[serde_json::Value]| {
        objects.iter().filter_map(crate::objects::reference).any(|one| one.identity() == object.identity())
    };
    let releases = at.cx.inventory.releases.iter().filter(|release| holds(&release.objects));
    let names: Vec<String> = releases.map(|release| release.name.to_string()).collect();
    if !names.is_empty() {
        let message = format!(
            "release {} holds {object}, and writes its own `spec.driver.version` at its next upgrade",
            listed(names.into_iter())
        );
        let help = "set `crds.defaultCR.upgrade: false` and `deviceConfig.spec.driver.version` of the release to the new driver";
        say(at, Severity::Warning, message, help);
    }
}
