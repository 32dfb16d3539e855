//! The JSON Schemas that are published beside the code, for editors and for other programs.

use schemars::{Schema, generate::SchemaSettings};

use crate::{
    Diagnostic, estimates::Estimates, event::RunEvent, inventory::Inventory, journal::Record, lock::Lock,
    manifest::Kind, plan::Plan, report::Report,
};

/// Every schema by its name: kinds of manifests as they are written, documents in lower case.
pub fn all() -> Vec<(&'static str, Schema)> {
    let generator = || SchemaSettings::draft2020_12().into_generator();
    let mut all: Vec<(&'static str, Schema)> = Kind::ALL.map(|kind| (kind.as_str(), kind.schema())).into();
    all.extend([
        ("inventory", generator().into_root_schema_for::<Inventory>()),
        ("lock", generator().into_root_schema_for::<Lock>()),
        ("plan", generator().into_root_schema_for::<Plan>()),
        ("journal-record", generator().into_root_schema_for::<Record>()),
        ("event", generator().into_root_schema_for::<RunEvent>()),
        ("report", generator().into_root_schema_for::<Report>()),
        ("estimates", generator().into_root_schema_for::<Estimates>()),
        ("diagnostic", generator().into_root_schema_for::<Diagnostic>()),
    ]);
    all
}

/// The name of a schema's file.
pub fn file_name(name: &str) -> String {
    format!("{name}.schema.json")
}

/// A schema as it is published: indented, keys sorted, one line break at the end.
pub fn text(schema: &Schema) -> String {
    format!("{:#}\n", schema.as_value())
}
