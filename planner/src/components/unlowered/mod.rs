//! Components that the catalog knows and no lowering exists for yet: refused by name, since a plan without them would
//! look as if they were not asked for. `switchback path` orders their hops.

use switchback_schemas::{Diagnostic, codes, lock::Ask};

use super::{Component, HopSpec};
use crate::{context::Cx, lower::Lowering, outlook::Outlook};

/// Every component without a lowering.
pub struct Unlowered;

impl Component for Unlowered {
    fn name(&self) -> &'static str {
        "unlowered"
    }

    fn hops(&self, cx: &Cx<'_>) -> Vec<HopSpec> {
        for doc in &cx.manifests.components {
            let component = &doc.spec.component;
            let help = match component.as_str() {
                "karpenter" => "write a KarpenterUpgrade, which says how it is installed".to_owned(),
                "mlflow" => "write an MlflowUpgrade, which says where it runs and what it keeps its runs in"
                    .to_owned(),
                _ => "`switchback path` shows the order of its hops; move it by hand, or leave it out"
                    .to_owned(),
            };
            cx.findings.say(
                Diagnostic::error(
                    codes::MANIFEST_NOT_BUILT,
                    format!("{component} has no lowering yet: its hops cannot be turned into steps"),
                )
                .at(cx.label(doc.doc, "/spec/component", "known to the catalog only"))
                .help(help),
            );
        }
        Vec::new()
    }

    /// None: what is refused needs no chart.
    fn asks(&self, cx: &Cx<'_>) -> Vec<Ask> {
        self.hops(cx);
        Vec::new()
    }

    /// It has no hops, so it is never asked.
    fn lower(&self, _: &Cx<'_>, _: &HopSpec, _: &mut Outlook<'_>, _: &mut Lowering) {}
}
