//! The JSON Schemas of documents that are published beside the code, for other programs. Those of manifests are the planner's.

use schemars::{Schema, generate::SchemaSettings};

use crate::{
    Diagnostic, estimates::Estimates, event::RunEvent, inventory::Inventory, journal::Record, lock::Lock,
    plan::Plan, report::Report, trust::Trust,
};

/// The schema of every document by its name, in lower case.
pub fn documents() -> Vec<(&'static str, Schema)> {
    let generator = || SchemaSettings::draft2020_12().into_generator();
    vec![
        ("inventory", generator().into_root_schema_for::<Inventory>()),
        ("lock", generator().into_root_schema_for::<Lock>()),
        ("plan", generator().into_root_schema_for::<Plan>()),
        ("journal-record", generator().into_root_schema_for::<Record>()),
        ("event", generator().into_root_schema_for::<RunEvent>()),
        ("report", generator().into_root_schema_for::<Report>()),
        ("trust", generator().into_root_schema_for::<Trust>()),
        ("estimates", generator().into_root_schema_for::<Estimates>()),
        ("diagnostic", generator().into_root_schema_for::<Diagnostic>()),
    ]
}

/// The name of a schema's file.
pub fn file_name(name: &str) -> String {
    format!("{name}.schema.json")
}

/// A schema as it is published: indented, keys sorted, one line break at the end.
pub fn text(schema: &Schema) -> String {
    format!("{:#}\n", schema.as_value())
}
