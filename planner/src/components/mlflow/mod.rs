//! MLflow: a tracking server and the database behind it. README.md says what is known about it and where the usual procedure
//! fails.

mod consumers;
pub mod facts;
mod hops;
mod jobs;
mod names;
mod notices;
mod observed;
mod rollback;
mod server;
mod site;
mod spec;
mod steps;

use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::Plain,
    name::ObjectRef,
    plan::Roll,
};

pub use self::spec::{AcceptedOutage, MlflowUpgrade, OtherDatabase, SnapshotProof};
use self::{facts::MlflowFacts, site::Site};
use crate::{
    catalog::{self, Texts},
    component::{self, Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    image::Image,
    lower::{Lowering, suspension::RollSuspension},
    manifest::{Checks, Touch},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

const FACTS: &str = include_str!("catalog.yaml");

/// Whether an image accepts the database as it is: run by `python -c` with the name of the variable that holds the address.
pub const CHECK_SCHEMA: &str = include_str!("check_schema.py");

/// Whether the address leads to the instance that a plan backs up, and nothing else on it is at stake: run by `python -c` with the
/// name of the variable, the instance's host, and names of accepted databases.
pub const CHECK_ADDRESS: &str = include_str!("check_address.py");

type Doc = component::Doc<Mlflow>;

/// The component.
pub struct Mlflow;

impl Component for Mlflow {
    type Spec = MlflowUpgrade;
    type Hop = Site;
    type Facts = MlflowFacts;

    fn name(&self) -> &'static str {
        "mlflow"
    }

    fn codes(&self) -> &'static [Code] {
        &[
            codes::PLAN_HOOK,
            codes::PLAN_BLIND_SPOT,
            codes::PLAN_NOT_READY,
            codes::PLAN_OUTAGE,
            codes::PLAN_SHARED_DATABASE,
        ]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: Some(include_str!("versions.yaml")), lowering: &[FACTS] }
    }

    fn facts(&self) -> Result<MlflowFacts, Diagnostic> {
        catalog::read("mlflow/catalog.yaml", FACTS)
    }

    fn plain(&self, _facts: &MlflowFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &MlflowUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/deployment", &spec.deployment);
        checks.container("/spec/container", &spec.container);
        checks.image("/spec/image", &spec.image);
        checks.address("/spec/url", &spec.url, &["http://", "https://"]);
        if let Some(variable) = &spec.uri_variable {
            checks.word("/spec/uriVariable", "the name of a variable", variable, b"_");
        }
        for (index, other) in spec.other_databases.iter().enumerate() {
            let at = format!("/spec/otherDatabases/{index}/name");
            checks.word(&at, "the name of a database", &other.name, b"-_.");
        }
    }

    fn references(&self, spec: &MlflowUpgrade, checks: &mut Checks<'_, '_>) {
        checks.database("/spec/database", &spec.database);
    }

    fn contradictions(&self, spec: &MlflowUpgrade, checks: &mut Checks<'_, '_>) {
        checks.image_is("/spec/image", &spec.image, &spec.to);
    }

    fn touches(&self, spec: &MlflowUpgrade) -> Vec<Touch> {
        let database = &spec.database;
        // Two servers on one instance: the restore of the one takes the other's database along.
        let title = format!("the database `{database}`, which is restored as a whole");
        vec![
            Touch::container("/spec/container", &spec.target, &spec.deployment, &spec.container),
            Touch::new("/spec/database", "database", database, "", title),
        ]
    }

    /// Facts about MLflow are about one server by itself, so a second server is no contradiction; the first stands for them.
    fn request(&self, spec: &MlflowUpgrade, known: &Known<'_>) -> Option<Request> {
        let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
        let workloads = known.inventory.into_iter().flat_map(|inventory| &inventory.workloads);
        let workload = workloads.into_iter().find(|workload| workload.object == object);
        let containers = workload.into_iter().flat_map(|workload| &workload.containers);
        let container = containers.into_iter().find(|found| found.name == spec.container);
        let from = container.and_then(|container| Image(&container.image).version());
        let request = Request::exact(self.name(), from, spec.to.clone(), "/spec/deployment");
        Some(Request { stands_for_all: true, ..request })
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    fn asks(&self, _: &DocCx<'_, Self>, _: &mut Lookups) {}

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, Site)> {
        hops::of(at).into_iter().collect()
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        steps::lower(hop, predicted, out);
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }
}
