//! Whether a driver fits what stands on it: its branch, the CUDA of workloads, the GPUs that are there.

use jiff::tz::TimeZone;
use switchback_schemas::{
    Diagnostic, Label, Severity, Version, codes, inventory::Node, name::Label as Name, plan::BlindSpot,
};

use super::known::KnownDrivers;
use crate::{context::Cx, lower::Lowering};

/// A driver that nodes are to have.
pub struct Fit<'a> {
    /// The platform.
    pub cx: &'a Cx<'a>,
    /// What is known of drivers.
    pub known: &'a KnownDrivers,
    /// The driver, or the oldest that nodes may have.
    pub driver: &'a Version,
    /// Where the manifest says so.
    pub place: &'a dyn Fn(&str) -> Label,
}

impl Fit<'_> {
    fn cite(&self, key: &str, out: &mut Lowering) {
        if let Some(source) = self.known.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }

    /// A branch that has ended gets no fix of its security any more.
    pub fn branch(&self, out: &mut Lowering) {
        let to = self.driver;
        let Some(branch) = self.known.branch(to) else {
            let message = format!("no source says until when the branch of driver {to} is supported");
            let found = Diagnostic {
                severity: Severity::Advice,
                ..Diagnostic::warning(codes::PLAN_NOT_READY, message)
            };
            return self.cx.findings.say(found.at((self.place)("this driver")).help("look it up"));
        };
        self.cite(&self.known.branch_source, out);
        if branch.until < self.cx.as_of.to_zoned(TimeZone::UTC).date() {
            let message = format!(
                "driver {to} is of branch {} ({}), which ended {}",
                branch.of, branch.designation, branch.until
            );
            let place = (self.place)("of a branch that has ended");
            let found = Diagnostic::error(codes::PATH_SUPPORT, message).at(place);
            self.cx
                .findings
                .say_about(branch.of.as_str(), found.help("choose a driver of a branch that goes on"));
        }
    }

    /// What pods are built for needs a driver of its time.
    pub fn cuda(&self, cuda: Option<&Version>, at: &dyn Fn() -> Label, upgrade: &Name, out: &mut Lowering) {
        self.cite(&self.known.cuda_source, out);
        let Some(cuda) = cuda else { return out.blind_spots.push(unsaid(self.known, upgrade)) };
        let Some(oldest) = self.known.for_cuda(cuda) else {
            let message = format!("no source says which driver CUDA {cuda} needs");
            let found = Diagnostic::warning(codes::PATH_REQUIREMENT, message).at(at());
            self.cx.findings.say_about(cuda.as_str(), found.help("look it up"));
            return;
        };
        if self.driver < oldest {
            let message =
                format!("CUDA {cuda} needs a driver of at least {oldest}, and {} is older", self.driver);
            let found = Diagnostic::error(codes::PATH_REQUIREMENT, message).at(at());
            self.cx.findings.say_about(cuda.as_str(), found.help("choose a newer driver"));
        }
    }

    /// A product needs the driver that first knew it.
    pub fn hardware<'n>(&self, nodes: impl Iterator<Item = &'n Node> + Clone, out: &mut Lowering) {
        let products = nodes.filter_map(|node| node.labels.get("nvidia.com/gpu.product"));
        for row in &self.known.hardware {
            let older = *self.driver < row.driver;
            if older && products.clone().any(|product| product.contains(&row.product)) {
                self.cite(&self.known.hardware_source, out);
                let message = format!(
                    "{} needs a driver of at least {}, and {} is older",
                    row.product, row.driver, self.driver
                );
                let place = (self.place)("too old for nodes that are there");
                let found = Diagnostic::error(codes::PATH_REQUIREMENT, message).at(place);
                self.cx.findings.say_about(&row.product, found.help("choose a newer driver"));
            }
        }
    }
}

/// That nobody said which CUDA pods are built for.
pub fn unsaid(known: &KnownDrivers, upgrade: &Name) -> BlindSpot {
    let oldest: Vec<String> =
        known.cuda.iter().map(|row| format!("{}.x from {}", row.major, row.driver)).collect();
    BlindSpot {
        what: format!("which CUDA the pods on GPU nodes of {upgrade} are built for"),
        why: format!(
            "no API shows it; `cuda:` of the manifest says it, and it is compared with the driver (CUDA {})",
            oldest.join(", ")
        ),
    }
}
