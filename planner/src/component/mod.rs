//! What a component is: everything that is known of one kind of thing that can be moved.
//!
//! A component is its folder and a line of [`crate::components::COMPONENTS`]; it may as well live outside of this crate and be
//! given to a [`crate::registry::Registry`]. No method has a default, so that nothing is left out by forgetting it.

mod cx;
mod erased;

use switchback_schemas::{
    Diagnostic,
    codes::Code,
    inventory::{Inventory, Plain},
    lock::{Ask, AskAddon, Lock},
    manifest::Document,
    name::ObjectRef,
    plan::Roll,
};

pub use self::{
    cx::{DocCx, HopCx},
    erased::{AnyComponent, PlannedHop},
};
use crate::{
    catalog::{Catalog, Texts},
    context::Cx,
    hop::HopSpec,
    lower::{Lowering, suspension::RollSuspension},
    manifest::{Checks, Spanned, Spec, Touch},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

/// A kind of thing that can be moved.
pub trait Component: Sync + Sized + 'static {
    /// What a person writes about it; the kind and its schema come from here.
    type Spec: Spec;
    /// What a hop carries beside its document and its versions: what was found when it was asked for.
    type Hop: 'static;
    /// What its lowering needs to know of versions.
    type Facts: Send + Sync + 'static;

    /// Its name: folder, first part of its steps' ids, and name in the catalog.
    fn name(&self) -> &'static str;

    /// What it finds beside what is found of every component; `switchback explain` names it there.
    fn codes(&self) -> &'static [Code];

    /// Its files of the catalog.
    fn catalog(&self) -> Texts;

    /// What its lowering needs to know. An error is a bug of this build.
    fn facts(&self) -> Result<Self::Facts, Diagnostic>;

    /// What of the objects of releases it reads that may hold secrets elsewhere: entries of ConfigMaps, and variables. What no component
    /// lists does not leave the platform.
    fn plain(&self, facts: &Self::Facts) -> Plain;

    /// Asks about each text of a document that becomes an argument or a part of an address.
    fn strings(&self, spec: &Self::Spec, checks: &mut Checks<'_, '_>);

    /// Asks about each name in a document that leads somewhere, beside what every upgrade names.
    fn references(&self, spec: &Self::Spec, checks: &mut Checks<'_, '_>);

    /// Says what a document says against itself.
    fn contradictions(&self, spec: &Self::Spec, checks: &mut Checks<'_, '_>);

    /// What a document changes; no two upgrades may change the same.
    fn touches(&self, spec: &Self::Spec) -> Vec<Touch>;

    /// What a document asks of the joint path, if the catalog knows what it moves.
    fn request(&self, spec: &Self::Spec, known: &Known<'_>) -> Option<Request>;

    /// What its documents move, in the plural, where the catalog does not know which component that is.
    fn untold(&self) -> Option<&'static str>;

    /// Charts and add-ons that a document needs looked up before a plan is made. Needs no lock.
    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups);

    /// The hops that a document asks for, in order. What is wrong is said to the context.
    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, Self::Hop)>;

    /// Turns one hop into steps. The predicted state is what earlier hops leave, and is changed to what this one leaves.
    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering);

    /// What it does to nodes by itself and has to be kept from while nodes move by these rolls, in whatever
    /// hop. Nothing where it is not there.
    fn suspensions(&self, cx: &Cx<'_>, rolls: &[&Roll]) -> Vec<RollSuspension>;

    /// What was observed in a field of an object that its suspensions hold; `None` for what is not its own or was not observed.
    fn held(&self, sections: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held>;
}

/// What is known when the joint path is asked for.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Facts about versions.
    pub catalog: &'a Catalog,
    /// What is there.
    pub inventory: Option<&'a Inventory>,
    /// What the targets are; nothing of it before they are resolved.
    pub lock: Option<&'a Lock>,
}

/// What is looked up before a plan is made.
#[derive(Debug, Default)]
pub struct Lookups {
    /// Charts to render.
    pub charts: Vec<Ask>,
    /// Add-ons of EKS whose versions have to be known.
    pub addons: Vec<AskAddon>,
}

/// What was observed in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// This value.
    Is(serde_json::Value),
    /// The object is not among what was observed.
    Absent,
}

/// A document of a component.
pub type Doc<C> = Spanned<Document<<C as Component>::Spec>>;
