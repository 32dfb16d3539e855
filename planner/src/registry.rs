//! The components that there are, what every list of kinds is made from, and the owners.

use switchback_schemas::{
    ComponentName, Diagnostic, codes,
    codes::Code,
    inventory::{Inventory, Plain},
    lock::Lock,
};

use crate::{
    catalog::Catalog,
    component::{AnyComponent, Known},
    manifest::{Kinds, Manifests, UpgradeKind},
    owner::{OWNERS, Owner, Owners},
    solver::Requests,
};

/// Components, with what is read once of all of them: schemas and catalog.
pub struct Registry<'r> {
    components: Vec<(ComponentName, &'r dyn AnyComponent)>,
    owners: Vec<&'r dyn Owner>,
    kinds: Kinds<'r>,
    catalog: Catalog,
}

impl<'r> Registry<'r> {
    /// A registry of components. An error is a bug of this build.
    pub fn new(components: &[&'r dyn AnyComponent]) -> Result<Self, Diagnostic> {
        let named = |component: &&'r dyn AnyComponent| {
            let name = ComponentName::new(component.component())
                .map_err(|error| Diagnostic::error(codes::BUG, error.to_string()))?;
            Ok((name, *component))
        };
        let kind = |component: &&'r dyn AnyComponent| -> &'r dyn UpgradeKind { *component };
        let kinds = components.iter().map(kind).collect();
        let contributions: Result<Vec<_>, _> =
            components.iter().map(|component| component.contribution()).collect();
        Ok(Self {
            components: components.iter().map(named).collect::<Result<_, Diagnostic>>()?,
            owners: OWNERS.to_vec(),
            kinds: Kinds::new(kinds),
            catalog: Catalog::new(contributions?)?,
        })
    }

    /// The same with one more owner of what is changed.
    #[must_use]
    pub fn with_owner(mut self, owner: &'r dyn Owner) -> Self {
        self.owners.push(owner);
        self
    }

    /// Who can write changes.
    pub fn owners(&self) -> Owners<'_> {
        Owners::new(&self.owners)
    }

    /// Kinds of manifests, for [`crate::manifest::read`].
    pub fn kinds(&self) -> &Kinds<'r> {
        &self.kinds
    }

    /// Facts about versions.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Its components, in the order in which hops that are free come.
    pub fn components(&self) -> impl Iterator<Item = (&ComponentName, &'r dyn AnyComponent)> {
        self.components.iter().map(|(name, component)| (name, *component))
    }

    /// The component of a name.
    pub fn component(&self, name: &str) -> Option<&'r dyn AnyComponent> {
        self.components.iter().find(|(known, _)| known.as_str() == name).map(|(_, component)| *component)
    }

    /// Components that find something under a code.
    pub fn finders(&self, code: Code) -> impl Iterator<Item = &ComponentName> {
        let finds =
            move |(_, component): &&(ComponentName, &'r dyn AnyComponent)| component.finds().contains(&code);
        self.components.iter().filter(finds).map(|(name, _)| name)
    }

    /// What of the objects of releases components read as it is.
    pub fn plain(&self) -> Plain {
        let mut plain = Plain::default();
        for (_, component) in &self.components {
            plain.extend(component.kept_plain(&self.catalog));
        }
        plain
    }

    /// What manifests ask of the joint path.
    pub fn requests(
        &self,
        manifests: &Manifests,
        inventory: Option<&Inventory>,
        lock: Option<&Lock>,
    ) -> Requests {
        let mut requests = Requests::default();
        let known = Known { catalog: &self.catalog, inventory, lock };
        for (_, component) in &self.components {
            component.request_all(manifests, &known, &mut requests);
        }
        requests
    }
}
