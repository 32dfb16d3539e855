//! Components without their types: what a registry holds.

use std::{any::Any, sync::Arc};

use schemars::Schema;
use serde_json::Value;
use switchback_schemas::{
    ComponentName, Diagnostic,
    codes::{self, Code},
    inventory::Plain,
    manifest::schema,
    name::ObjectRef,
    plan::Roll,
};

use super::{Component, Doc, DocCx, Held, HopCx, Known, Lookups};
use crate::{
    catalog::{Catalog, Contribution},
    context::Cx,
    hop::HopSpec,
    lower::{HopScope, Lowering, suspension::RollSuspension},
    manifest::{Checks, DocRef, Manifests, Spanned, Spec, Touch, UpgradeKind, Written},
    owner::Owners,
    predicted::Predicted,
    sections::Sections,
    solver::{DocumentRequest, Requests},
};

/// A [`Component`] of any kind. Every component is one.
pub trait AnyComponent: UpgradeKind {
    /// [`Component::name`].
    fn component(&self) -> &'static str;

    /// [`Component::codes`].
    fn finds(&self) -> &'static [Code];

    /// What it adds to the catalog.
    fn contribution(&self) -> Result<Contribution, Diagnostic>;

    /// [`Component::plain`].
    fn kept_plain(&self, catalog: &Catalog) -> Plain;

    /// Adds what its documents ask of the joint path.
    fn request_all(&self, manifests: &Manifests, known: &Known<'_>, requests: &mut Requests);

    /// Adds what its documents need looked up.
    fn ask_all(&self, cx: &Cx<'_>, owners: Owners<'_>, name: &ComponentName, lookups: &mut Lookups);

    /// The hops that its documents ask for.
    fn plan_all<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        owners: Owners<'a>,
        name: &'a ComponentName,
    ) -> Vec<PlannedHop<'a>>;

    /// [`Component::suspensions`].
    fn suspends(&self, cx: &Cx<'_>, rolls: &[&Roll]) -> Vec<RollSuspension>;

    /// [`Component::held`].
    fn observed(&self, sections: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held>;
}

/// A hop with all that its steps are made of.
pub struct PlannedHop<'a> {
    /// The hop.
    pub spec: HopSpec,
    work: Box<dyn Lower + 'a>,
}

impl PlannedHop<'_> {
    /// Turns it into steps.
    pub fn lower(&self, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        self.work.lower(&self.spec, predicted, out);
    }
}

trait Lower {
    fn lower(&self, spec: &HopSpec, predicted: &mut Predicted<'_>, out: &mut Lowering);
}

/// A hop of a component, its document and its own finds.
struct Own<'a, C: Component> {
    component: &'a C,
    at: DocCx<'a, C>,
    found: C::Hop,
}

impl<C: Component> Lower for Own<'_, C> {
    fn lower(&self, spec: &HopSpec, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let hop = HopCx { at: self.at, hop: spec, scope: HopScope::of(spec), own: &self.found };
        Component::lower(self.component, &hop, predicted, out);
    }
}

/// The document of a component, if it is one of it.
fn own<C: Component>(written: &dyn Written) -> Option<&Doc<C>> {
    let any: &dyn Any = written;
    any.downcast_ref()
}

/// Documents of a component with the platform and its facts.
fn documents<'a, C: Component>(
    component: &C,
    cx: &'a Cx<'a>,
    owners: Owners<'a>,
    name: &'a ComponentName,
) -> Vec<DocCx<'a, C>> {
    let Some(facts) = cx.catalog.lowering::<C::Facts>(component.name()) else {
        let message = format!("the catalog was made without the component {name}");
        cx.findings.say(Diagnostic::error(codes::BUG, message));
        return Vec::new();
    };
    cx.manifests.of::<C::Spec>().map(|doc| DocCx { cx, owners, component: name, doc, facts }).collect()
}

impl<C: Component> UpgradeKind for C {
    fn kind(&self) -> &'static str {
        C::Spec::KIND
    }

    fn schema(&self) -> Schema {
        schema::<C::Spec>(C::Spec::KIND)
    }

    fn typed(&self, doc: DocRef, value: Value) -> Result<Arc<dyn Written>, serde_json::Error> {
        Ok(Arc::new(Spanned::<switchback_schemas::manifest::Document<C::Spec>>::read(doc, value)?))
    }

    fn check(&self, document: &dyn Written, checks: &mut Checks<'_, '_>) {
        let Some(document) = own::<C>(document) else { return };
        self.references(&document.spec, checks);
        self.contradictions(&document.spec, checks);
        self.strings(&document.spec, checks);
    }

    fn touches(&self, document: &dyn Written) -> Vec<Touch> {
        own::<C>(document).map(|document| Component::touches(self, &document.spec)).unwrap_or_default()
    }
}

impl<C: Component> AnyComponent for C {
    fn kept_plain(&self, catalog: &Catalog) -> Plain {
        catalog.lowering::<C::Facts>(self.name()).map(|facts| self.plain(facts)).unwrap_or_default()
    }

    fn component(&self) -> &'static str {
        self.name()
    }

    fn finds(&self) -> &'static [Code] {
        self.codes()
    }

    fn contribution(&self) -> Result<Contribution, Diagnostic> {
        let facts = Box::new(self.facts()?);
        Ok(Contribution { component: self.name(), kind: C::Spec::KIND, texts: self.catalog(), facts })
    }

    fn request_all(&self, manifests: &Manifests, known: &Known<'_>, requests: &mut Requests) {
        requests.untold_kinds.extend(self.untold());
        for doc in manifests.of::<C::Spec>() {
            match self.request(&doc.spec, known) {
                Some(request) => {
                    let name = doc.metadata.name.to_string();
                    requests.asked.push(DocumentRequest { doc: doc.doc, name, request });
                }
                None => requests.untold += 1,
            }
        }
    }

    fn ask_all(&self, cx: &Cx<'_>, owners: Owners<'_>, name: &ComponentName, lookups: &mut Lookups) {
        for at in documents(self, cx, owners, name) {
            self.asks(&at, lookups);
        }
    }

    fn plan_all<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        owners: Owners<'a>,
        name: &'a ComponentName,
    ) -> Vec<PlannedHop<'a>> {
        let of = |at: DocCx<'a, C>| {
            let hops = self.hops(&at).into_iter();
            hops.map(move |(spec, found)| PlannedHop {
                spec,
                work: Box::new(Own { component: self, at, found }),
            })
        };
        documents(self, cx, owners, name).into_iter().flat_map(of).collect()
    }

    fn suspends(&self, cx: &Cx<'_>, rolls: &[&Roll]) -> Vec<RollSuspension> {
        self.suspensions(cx, rolls)
    }

    fn observed(&self, sections: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
        self.held(sections, object, pointer)
    }
}
