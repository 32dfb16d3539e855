//! What the planner knows about MLflow, to be held against real releases.

use switchback_planner::{catalog::Catalog, components::mlflow::facts::Does};

/// The head of the schema that a release ships.
pub(crate) fn head(version: &str) -> String {
    let catalog = Catalog::embedded().expect("the catalog");
    let head = catalog.mlflow.head(&version.parse().expect("a version"));
    head.unwrap_or_else(|| panic!("no head of MLflow {version} in the catalog")).head.clone()
}

/// What a release does at its start to a database that is not at its head.
pub(crate) fn start(version: &str) -> Does {
    let catalog = Catalog::embedded().expect("the catalog");
    let start = catalog.mlflow.start(&version.parse().expect("a version"));
    start.unwrap_or_else(|| panic!("nothing about the start of MLflow {version} in the catalog")).does
}
