//! What single components know of the platform: sections of the inventory, each read once.

use std::{any::Any, cell::RefCell, collections::BTreeMap, rc::Rc};

use serde::de::DeserializeOwned;
use switchback_schemas::{ComponentName, inventory::Inventory};

/// A section, if there is one, or why it cannot be read.
type Read = Result<Option<Rc<dyn Any>>, String>;

/// The sections of an inventory by component.
pub struct Sections<'a> {
    inventory: &'a Inventory,
    read: RefCell<BTreeMap<&'static str, Read>>,
}

impl<'a> Sections<'a> {
    /// None is read yet.
    pub fn new(inventory: &'a Inventory) -> Self {
        Self { inventory, read: RefCell::default() }
    }

    /// The section of a component; `None` where there is none. The error says why it cannot be read. Not a predicate by itself.
    pub fn get<T: DeserializeOwned + 'static>(
        &self,
        component: &'static str,
    ) -> Result<Option<Rc<T>>, String> {
        let read = || -> Read {
            let Ok(name) = ComponentName::new(component) else { return Ok(None) };
            let section = self.inventory.section::<T>(&name).map_err(|error| error.to_string())?;
            Ok(section.map(|section| -> Rc<dyn Any> { Rc::new(section) }))
        };
        let mut sections = self.read.borrow_mut();
        match sections.entry(component).or_insert_with(read).clone()? {
            None => Ok(None),
            Some(section) => match section.downcast() {
                Ok(section) => Ok(Some(section)),
                Err(_) => Err(format!("the section {component} is read as something else elsewhere")),
            },
        }
    }
}
