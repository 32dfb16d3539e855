//! What should be known beside the steps: whether the new driver fits workloads and hardware, and what no step can keep from happening.

use switchback_schemas::{Diagnostic, Severity, codes};

use super::GpuDriver;
use crate::{
    component::HopCx,
    findings::listed,
    lower::{Lowering, drivers::fits::Fit},
};

/// Adds errors, advice, sources and blind spots of one hop.
pub(super) fn add(at: &HopCx<'_, GpuDriver>, out: &mut Lowering) {
    for key in ["recorded", "state-machine", "operands", "holders"] {
        if let Some(source) = at.facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
    let place = |text: &str| at.cx.label(at.doc.doc, "/spec/to", text);
    let fit = Fit { cx: at.cx, known: &at.facts.known, driver: &at.hop.to, place: &place };
    fit.branch(out);
    let at_cuda = || at.cx.label(at.doc.doc, "/spec/cuda", "what workloads need");
    fit.cuda(at.doc.spec.cuda.as_ref(), &at_cuda, &at.hop.upgrade, out);
    fit.hardware(at.inventory.nodes.iter(), out);
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
