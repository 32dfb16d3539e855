//! What a component is given beside the platform: its document, its facts, and the hop.

use std::ops::Deref;

use switchback_schemas::ComponentName;

use super::{Component, Doc};
use crate::{context::Cx, hop::HopSpec, lower::HopScope, owner::Owners};

/// One document of a component, with the platform and the component's facts.
pub struct DocCx<'a, C: Component> {
    /// The platform.
    pub cx: &'a Cx<'a>,
    /// Who can write changes.
    pub owners: Owners<'a>,
    /// The component's name.
    pub component: &'a ComponentName,
    /// The document.
    pub doc: &'a Doc<C>,
    /// What is known of versions.
    pub facts: &'a C::Facts,
}

impl<C: Component> Clone for DocCx<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Component> Copy for DocCx<'_, C> {}

impl<'a, C: Component> Deref for DocCx<'a, C> {
    type Target = Cx<'a>;

    fn deref(&self) -> &Cx<'a> {
        self.cx
    }
}

impl<C: Component> DocCx<'_, C> {
    /// The hop to the version that the document asks for, from one that is not known.
    pub fn asked(&self) -> HopSpec {
        HopSpec::asked(self.cx, self.component.clone(), self.doc)
    }
}

/// One hop of a component, with its document and what was found when it was asked for.
pub struct HopCx<'a, C: Component> {
    /// The document.
    pub at: DocCx<'a, C>,
    /// The hop.
    pub hop: &'a HopSpec,
    /// What its steps share.
    pub scope: HopScope,
    /// What was found.
    pub own: &'a C::Hop,
}

impl<'a, C: Component> Deref for HopCx<'a, C> {
    type Target = DocCx<'a, C>;

    fn deref(&self) -> &DocCx<'a, C> {
        &self.at
    }
}
