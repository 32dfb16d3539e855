//! MLflow: a tracking server and the database behind it. README.md says what is known about it and where the usual procedure
//! fails.

mod back;
pub mod facts;
mod hops;
mod jobs;
mod names;
mod notices;
mod road;
mod server;
mod site;
mod who;

use switchback_schemas::{
    lock::Ask,
    manifest::{Document, MlflowUpgrade},
};

use super::{Component, HopSpec};
use crate::{context::Cx, lower::Lowering, manifest::Spanned, outlook::Outlook};

/// Whether an image accepts the database as it is: run by `python -c` with the name of the variable that holds the address.
pub const CHECK_SCHEMA: &str = include_str!("check_schema.py");

/// Whether the address leads to the instance that a plan backs up, and nothing else on it is at stake: run by `python -c` with the
/// name of the variable, the instance's host, and names of accepted databases.
pub const CHECK_ADDRESS: &str = include_str!("check_address.py");

type Doc = Spanned<Document<MlflowUpgrade>>;

/// The component.
pub struct Mlflow;

impl Component for Mlflow {
    fn name(&self) -> &'static str {
        "mlflow"
    }

    fn asks(&self, _: &Cx<'_>) -> Vec<Ask> {
        Vec::new()
    }

    fn hops(&self, cx: &Cx<'_>) -> Vec<HopSpec> {
        cx.manifests.mlflow.iter().filter_map(|doc| hops::of(cx, doc)).collect()
    }

    fn lower(&self, cx: &Cx<'_>, hop: &HopSpec, outlook: &mut Outlook<'_>, to: &mut Lowering) {
        if let Some(doc) = hop.written(&cx.manifests.mlflow) {
            road::lower(cx, hop, doc, outlook, to);
        }
    }
}
