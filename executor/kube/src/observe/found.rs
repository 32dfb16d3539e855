//! What observation found of a component.

use serde_json::Value;
use switchback_schemas::ComponentName;

/// What was found of a component.
pub(super) struct Found {
    component: ComponentName,
    section: Value,
    /// Its objects as they are, for evidence of their owners.
    pub(super) objects: Vec<Value>,
}

impl Found {
    /// A section of the inventory, with the objects whose owners count.
    pub(super) fn new(
        component: &str,
        section: serde_json::Result<Value>,
        objects: Vec<Value>,
    ) -> Option<Self> {
        let component = ComponentName::new(component).ok()?;
        Some(Self { component, section: section.ok()?, objects })
    }

    /// The section, under its component's name.
    pub(super) fn section(self) -> (ComponentName, Value) {
        (self.component, self.section)
    }
}
