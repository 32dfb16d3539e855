//! What every component is given.

use jiff::Timestamp;
use switchback_schemas::{
    Diagnostic, HopId, Label, Version, codes,
    inventory::{Container, Inventory, Workload},
    lock::{Lock, Render},
    manifest::DrainSpec,
    name::{Label as Name, ObjectName, ObjectRef},
    plan::{OnDrain, Pool, Verify, Window, WorkloadClass},
    report::CarriedHop,
};

use crate::{
    catalog::Catalog,
    findings::Findings,
    index::{Index, nodes_of},
    manifest::{DocRef, Manifests},
    sections::Sections,
    solver::JointPath,
    verification,
};

/// What a plan is compiled from, before anything is made of it.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The manifests.
    pub manifests: &'a Manifests,
    /// What is there.
    pub inventory: &'a Inventory,
    /// What the targets are.
    pub lock: &'a Lock,
    /// Facts about versions.
    pub catalog: &'a Catalog,
    /// Where diagnostics go.
    pub findings: &'a Findings,
    /// The instant for which dates are judged.
    pub as_of: Timestamp,
}

/// What every component is given: the manifests, what is there, what the targets are, the facts, and a place to say what is
/// wrong.
pub struct Cx<'a> {
    /// The manifests.
    pub manifests: &'a Manifests,
    /// What is there; components look at it through the predicted state.
    pub inventory: &'a Inventory,
    /// What the targets are.
    pub lock: &'a Lock,
    /// Facts about versions.
    pub catalog: &'a Catalog,
    /// Where diagnostics go.
    pub findings: &'a Findings,
    /// The instant for which dates are judged.
    pub as_of: Timestamp,
    /// Inventory and lock by key.
    pub index: Index<'a>,
    /// What single components observed, each read once.
    pub sections: Sections<'a>,
    /// The platform's pools.
    pub pools: Vec<Pool>,
    /// The platform's workload classes.
    pub classes: Vec<WorkloadClass>,
    /// The joint path of what the catalog knows; `None` where nothing of it moves or there is none.
    pub path: Option<JointPath>,
}

impl<'a> Cx<'a> {
    /// Resolves what the platform says about itself.
    pub fn new(given: &Given<'a>, path: Option<JointPath>) -> Self {
        let (spec, inventory) = (&given.manifests.platform.spec, given.inventory);
        let pool = |pool: &switchback_schemas::manifest::PoolSpec| {
            let plain = Pool {
                name: pool.name.clone(),
                labels: pool.match_labels.clone(),
                tier: pool.tier,
                capacity: pool.capacity,
                strategy: pool.strategy,
                gpu: false,
            };
            let gpu = nodes_of(inventory, &plain).iter().any(|node| !node.gpus.is_empty());
            Pool { gpu, ..plain }
        };
        let class = |class: &switchback_schemas::manifest::ClassSpec| WorkloadClass {
            name: class.name.clone(),
            select: class.select.clone(),
            on_drain: match &class.on_drain {
                DrainSpec::Wait { max, then } => OnDrain::Wait { max: max.0, then: *then },
                DrainSpec::Requeue {} => OnDrain::Requeue {},
                DrainSpec::Evict {} => OnDrain::Evict {},
                DrainSpec::Never {} => OnDrain::Never {},
            },
            gang: class.gang,
            overrides: class.overrides.clone(),
            may_lose: class.may_lose.map(|length| length.0),
        };
        Self {
            manifests: given.manifests,
            inventory,
            lock: given.lock,
            catalog: given.catalog,
            findings: given.findings,
            as_of: given.as_of,
            index: Index::new(inventory, given.lock),
            sections: Sections::new(inventory),
            pools: spec.pools.iter().map(pool).collect(),
            classes: spec.workloads.iter().map(class).collect(),
            path,
        }
    }

    /// The platform's windows.
    pub fn windows(&self) -> Vec<Window> {
        let window = |window: &switchback_schemas::manifest::WindowSpec| Window {
            name: window.name.clone(),
            used_for: window.used_for,
            zone: window.zone.clone(),
            days: window.days.clone(),
            start: window.start,
            length: window.length.0,
        };
        self.manifests.platform.spec.windows.iter().map(window).collect()
    }

    /// Hops that earlier runs of the operation moved, or began to.
    pub fn carried(&self) -> impl Iterator<Item = &'a CarriedHop> {
        self.inventory.carry_over.iter().flat_map(|carried| &carried.hops)
    }

    /// What an earlier run of the operation began of a hop and did not finish.
    pub fn unfinished(&self, hop: &HopId) -> Option<&'a CarriedHop> {
        self.carried().find(|carried| carried.id == *hop && !carried.whole)
    }

    /// The versions that the joint path moves a component through, in order; none where it does not move it.
    pub fn versions(&self, component: &str) -> Vec<Version> {
        self.path.as_ref().map(|path| path.versions(component)).unwrap_or_default()
    }

    /// A label in a manifest.
    pub fn label(&self, doc: DocRef, pointer: &str, text: &str) -> Label {
        self.manifests.label(doc, pointer, text)
    }

    /// A label at a pool in the Platform document.
    pub fn pool_label(&self, pool: &Pool, text: &str) -> Label {
        let platform = &self.manifests.platform;
        let number = platform.spec.pools.iter().position(|spec| spec.name == pool.name);
        let pointer =
            number.map_or_else(|| "/spec/pools".to_owned(), |number| format!("/spec/pools/{number}/name"));
        self.label(platform.doc, &pointer, text)
    }

    /// Verifications by name, as steps of a hop are verified by them. A name that no document has was refused when the manifests
    /// were read.
    pub fn verifications(&self, hop: &HopId, names: &[Name]) -> Vec<Verify> {
        let found = names.iter().filter_map(|name| self.manifests.verifications.get(name));
        found.map(|doc| verification::verify(hop, &self.pools, &doc.metadata.name, &doc.spec)).collect()
    }

    /// The render of a release in a version; without one the lock has to be made again.
    pub fn render(&self, release: &ObjectName, version: &Version, label: Label) -> Option<&'a Render> {
        let render = self.index.render(release, version);
        if render.is_none() {
            let message = format!("the lock holds no render of release {release} at {version}");
            self.findings.say(
                Diagnostic::error(codes::PLAN_LOCK_MISSING, message)
                    .at(label)
                    .help("run `switchback resolve` again for these manifests and this inventory"),
            );
        }
        render
    }

    /// The container that an upgrade names, in its Deployment; what is not there is said.
    pub fn container(
        &self,
        doc: DocRef,
        deployment: &ObjectName,
        container: &str,
    ) -> Option<(&'a Workload, &'a Container)> {
        let object = ObjectRef::new("apps/v1", "Deployment", deployment);
        let missing = |at: &str, label: &str, message: String, help: &str| {
            let missing = Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message);
            self.findings.say(missing.at(self.label(doc, at, label)).help(help));
        };
        let Some(workload) = self.index.workload(&object) else {
            let help = "check the name and namespace, or observe again";
            missing("/spec/deployment", "not in the inventory", format!("there is no {object}"), help);
            return None;
        };
        let found = workload.containers.iter().find(|found| found.name == container);
        if found.is_none() {
            let names: Vec<_> = workload.containers.iter().map(|container| container.name.as_str()).collect();
            let message = format!("{object} has no container {container:?}");
            missing(
                "/spec/container",
                "not a container of it",
                message,
                &format!("it has {}", names.join(", ")),
            );
        }
        Some((workload, found?))
    }
}
