//! Components that the catalog knows and nothing here moves: refused by name, since a plan without them would look as if they
//! were not asked for. `switchback path` orders their hops.

use switchback_schemas::{Diagnostic, codes};

use crate::{context::Cx, registry::Registry};

/// Refuses every upgrade of a component by its catalog name alone.
pub(super) fn refuse(cx: &Cx<'_>, registry: &Registry<'_>) {
    for doc in &cx.manifests.components {
        let component = &doc.spec.component;
        let (message, label, help) = match registry.component(component.as_str()) {
            Some(known) => (
                format!("a ComponentUpgrade of {component} says too little to make a plan from"),
                "moved by a kind of its own",
                format!("write `kind: {}`, which says what moving it needs", known.kind()),
            ),
            None => (
                format!("{component} has no lowering yet: its hops cannot be turned into steps"),
                "known to the catalog only",
                "`switchback path` shows the order of its hops; upgrade it without Switchback, or leave it out".to_owned(),
            ),
        };
        cx.findings.say(
            Diagnostic::error(codes::MANIFEST_NOT_BUILT, message)
                .at(cx.label(doc.doc, "/spec/component", label))
                .help(help),
        );
    }
}
