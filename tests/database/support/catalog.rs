//! What the planner knows about MLflow, to be held against real releases.

use switchback_planner::{
    component::Component as _,
    components::mlflow::{Mlflow, facts::Does},
};

/// The head of the schema that a release ships.
pub(crate) fn head(version: &str) -> String {
    let facts = Mlflow.facts().expect("the catalog");
    let head = facts.head(&version.parse().expect("a version"));
    head.unwrap_or_else(|| panic!("no head of MLflow {version} in the catalog")).head.clone()
}

/// What a release does at its start to a database that is not at its head.
pub(crate) fn start(version: &str) -> Does {
    let facts = Mlflow.facts().expect("the catalog");
    let start = facts.start(&version.parse().expect("a version"));
    start.unwrap_or_else(|| panic!("nothing about the start of MLflow {version} in the catalog")).does
}
