//! What should be known beside the steps: whether the new driver fits workloads and hardware, and what no step can keep from happening.

use jiff::tz::TimeZone;
use switchback_schemas::{Diagnostic, Severity, codes, plan::BlindSpot};

use super::GpuDriver;
use crate::{component::HopCx, findings::listed, lower::Lowering};

/// Adds errors, advice, sources and blind spots of one hop.
pub(super) fn add(at: &HopCx<'_, GpuDriver>, out: &mut Lowering) {
    for key in ["recorded", "state-machine", "operands", "holders"] {
        if let Some(source) = at.facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
    branch(at, out);
    cuda(at, out);
    hardware(at, out);
    operator(at, out);
    joining(at);
    already(at);
}

fn advise(at: &HopCx<'_, GpuDriver>, message: String, help: &str) {
    let found =
        Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(codes::PLAN_NOT_READY, message) };
    at.findings.say(found.at(at.cx.label(at.doc.doc, "/spec/to", "this driver")).help(help));
}

fn cite(at: &HopCx<'_, GpuDriver>, key: &str, out: &mut Lowering) {
    if let Some(source) = at.facts.source(key) {
        out.sources.insert(key.to_owned(), source);
    }
}

/// A branch that has ended gets no fix of its security any more.
fn branch(at: &HopCx<'_, GpuDriver>, out: &mut Lowering) {
    let to = &at.hop.to;
    let Some(branch) = at.facts.branch(to) else {
        return advise(
            at,
            format!("no source says until when the branch of driver {to} is supported"),
            "look it up",
        );
    };
    cite(at, &at.facts.branch_source, out);
    if branch.until < at.cx.as_of.to_zoned(TimeZone::UTC).date() {
        let message = format!(
            "driver {to} is of branch {} ({}), which ended {}",
            branch.of, branch.designation, branch.until
        );
        let place = at.cx.label(at.doc.doc, "/spec/to", "of a branch that has ended");
        let found = Diagnostic::error(codes::PATH_SUPPORT, message).at(place);
        at.findings.say_about(branch.of.as_str(), found.help("choose a driver of a branch that goes on"));
    }
}

/// What pods are built for needs a driver of its time.
fn cuda(at: &HopCx<'_, GpuDriver>, out: &mut Lowering) {
    let to = &at.hop.to;
    let Some(cuda) = &at.doc.spec.cuda else {
        let oldest: Vec<String> =
            at.facts.cuda.iter().map(|row| format!("{}.x from {}", row.major, row.driver)).collect();
        out.blind_spots.push(BlindSpot {
            what: format!("which CUDA the pods on GPU nodes of {} are built for", at.hop.upgrade),
            why: format!(
                "no API shows it; `cuda:` of the manifest says it, and it is compared with the driver (CUDA {})",
                oldest.join(", ")
            ),
        });
        return cite(at, &at.facts.cuda_source, out);
    };
    cite(at, &at.facts.cuda_source, out);
    let place = || at.cx.label(at.doc.doc, "/spec/cuda", "what workloads need");
    let Some(row) = at.facts.cuda.iter().find(|row| row.major.major() == cuda.major()) else {
        let message = format!("no source says which driver CUDA {cuda} needs");
        let found = Diagnostic::warning(codes::PATH_REQUIREMENT, message).at(place());
        at.findings.say_about(cuda.as_str(), found.help("look it up"));
        return;
    };
    if *to < row.driver {
        let message = format!("CUDA {cuda} needs a driver of at least {}, and {to} is older", row.driver);
        let found = Diagnostic::error(codes::PATH_REQUIREMENT, message).at(place());
        at.findings.say_about(cuda.as_str(), found.help("choose a newer driver"));
    }
}

/// A product needs the driver that first knew it.
fn hardware(at: &HopCx<'_, GpuDriver>, out: &mut Lowering) {
    let products = at.inventory.nodes.iter().filter_map(|node| node.labels.get("nvidia.com/gpu.product"));
    for row in &at.facts.hardware {
        if at.hop.to < row.driver && products.clone().any(|product| product.contains(&row.product)) {
            cite(at, &at.facts.hardware_source, out);
            let message = format!(
                "{} needs a driver of at least {}, and {} is older",
                row.product, row.driver, at.hop.to
            );
            let place = at.cx.label(at.doc.doc, "/spec/to", "too old for nodes that are there");
            let found = Diagnostic::error(codes::PATH_REQUIREMENT, message).at(place);
            at.findings.say_about(&row.product, found.help("choose a newer driver"));
        }
    }
}

/// Whether NVIDIA names the driver for the operator that runs.
fn operator(at: &HopCx<'_, GpuDriver>, out: &mut Lowering) {
    let Some(release) = at.cx.index.release(&at.doc.spec.release) else { return };
    let to = &at.hop.to;
    let of_line = at.facts.releases.iter().find(|row| release.chart_version.is_of(&row.operator));
    cite(at, &at.facts.release_source, out);
    if of_line.is_none_or(|row| !row.drivers.contains(to)) {
        let message = format!("no source names driver {to} for GPU Operator {}", release.chart_version);
        advise(at, message, "look it up in the release notes of the operator");
    }
}

/// What joins gets the driver of the template at once: nothing stands on it yet.
fn joining(at: &HopCx<'_, GpuDriver>) {
    let message = format!(
        "GPU nodes that join from the change of the ClusterPolicy on get driver {} at once, outside of any batch",
        at.hop.to
    );
    advise(at, message, "they are counted: a rollback holds them and moves them back with the others");
}

/// Driver pods that are of the new driver already.
fn already(at: &HopCx<'_, GpuDriver>) {
    let names: Vec<String> = at.own.running(&at.hop.to).map(|node| node.name.clone()).collect();
    if names.is_empty() {
        return;
    }
    let message =
        format!("driver {} runs already, outside of any batch, on {}", at.hop.to, listed(names.into_iter()));
    advise(at, message, "they are not drained; a rollback moves them back with the others");
}
