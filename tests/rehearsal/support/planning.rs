//! From manifests and a world to plans: observed and resolved once, compiled in any sequence.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use switchback_executor::{env::Clock as _, runs, store::sim::SimDisk};
use switchback_kube::Observing;
use switchback_planner::{
    compile::{Sources, asks, compile_preferring},
    components::built_in,
    manifest::{self, Manifests},
    registry::Registry,
};
use switchback_programs::{HelmTarget, Resolver, VerifiedCharts};
use switchback_schemas::{
    ComponentName, Diagnostic, Digest, HopId, RunId,
    inventory::{Inventory, Wanted},
    lock::Lock,
    manifest::ChartSource,
    plan::Plan,
};
use switchback_twin::World;

use super::{
    platform::{Platform, Table, root},
    run::Planned,
    time::Random,
};

/// The components of this build.
fn registry() -> &'static Registry<'static> {
    built_in().expect("the catalog")
}

/// What is asked of a platform, and what was seen of it.
pub(crate) struct Asked {
    manifests: Manifests,
    inventory: Inventory,
    lock: Lock,
}

/// The manifests of an example, each changed by a function over its text.
pub(crate) fn manifests(example: &str, change: impl Fn(&str, String) -> String) -> Vec<(String, String)> {
    let directory = root().join("plans").join(example).join("manifests");
    let files = std::fs::read_dir(&directory).expect("the example's manifests");
    let read = |path: &Path| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("a manifest");
        (name.clone(), change(&name, text))
    };
    files.map(|file| read(&file.expect("a file").path())).collect()
}

impl Asked {
    /// Observes a world, and resolves what the manifests ask for.
    pub(crate) async fn of(files: &[(String, String)], world: World) -> Self {
        let platform = Platform::of(world, SimDisk::new()).await;
        Box::pin(Self::on(files, &platform, None)).await.unwrap_or_else(|found| panic!("{found:#?}"))
    }

    /// The same on a platform, as somebody does who continues a run. Refused where it cannot be known what would have to be rendered.
    pub(crate) async fn on(
        files: &[(String, String)],
        platform: &Platform,
        continued: Option<&RunId>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let (manifests, found) = manifest::read(
            registry().kinds(),
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())),
        );
        let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
        let now = platform.time.now();
        let mut inventory =
            switchback_kube::observe(platform.client(), &Observing::at(now).keeping(registry().plain()))
                .await
                .expect("an inventory");
        let targets = manifests.platform.spec.targets.iter();
        let aws: BTreeMap<_, _> =
            targets.filter_map(|(name, target)| Some((name.clone(), target.aws()?))).collect();
        let seen =
            switchback_aws::observe(&platform.aws().await, &Wanted { aws: aws.clone(), ..Wanted::default() })
                .await;
        let mut add = |name: &str, section| {
            inventory.components.insert(ComponentName::new(name).expect("a name"), section);
        };
        add("eks", serde_json::to_value(&seen.eks).expect("JSON"));
        add("rds", serde_json::to_value(&seen.rds).expect("JSON"));
        if let Some(run) = continued {
            let carried = runs::carry_over(&platform.store(), run).await;
            inventory.carry_over = Some(carried.expect("what the run hands over"));
        }
        let (asks, found) = asks(registry(), &manifests, &inventory);
        let mut asks = asks.ok_or(found)?;
        // Manifests name a directory of the place where commands are run, which a test has not.
        for ask in &mut asks.charts {
            ask.source = ChartSource::Directory(root().join("fixtures/charts").display().to_string());
        }
        let programs = Arc::new(Table(platform.twin.clone()));
        let cache = tempfile::tempdir().expect("a directory");
        let charts = VerifiedCharts::new(programs.clone(), HelmTarget::default(), cache.path().to_owned());
        let resolver = Resolver::new(programs, charts, HelmTarget::default());
        let mut lock = resolver.resolve(&asks, &inventory, now).await.expect("a lock");
        let addons = switchback_aws::resolve_addons(&platform.aws().await, &asks.addons, &asks.aws).await;
        lock.addons = addons.expect("versions of add-ons");
        Ok(Self { manifests, inventory, lock })
    }

    /// The plan whose hops come in this sequence as far as their order allows it.
    pub(crate) fn plan(&self, sequence: &[HopId]) -> Planned {
        self.tried(sequence).unwrap_or_else(|found| panic!("{sequence:?}: {found:#?}"))
    }

    /// The same, or why there is no plan.
    pub(crate) fn tried(&self, sequence: &[HopId]) -> Result<Planned, Vec<Diagnostic>> {
        let sources = Sources {
            manifests: &self.manifests,
            inventory: &self.inventory,
            inventory_digest: Digest::of(self.inventory.to_json().expect("JSON")),
            lock: &self.lock,
            lock_digest: Digest::of(self.lock.to_json().expect("JSON")),
            as_of: None,
            estimates: None,
            trust: None,
            until: None,
        };
        let (plan, found) = compile_preferring(registry(), &sources, sequence);
        Ok(Planned::of(plan.ok_or(found)?.to_json().expect("JSON")))
    }
}

/// Hops in a sequence that is drawn among all that keep the order which the plan says there is.
pub(crate) fn drawn(plan: &Plan, random: &mut Random) -> Vec<HopId> {
    let mut sequence: Vec<HopId> = Vec::new();
    while sequence.len() < plan.hops.len() {
        let free = plan.hops.iter().filter(|hop| {
            !sequence.contains(&hop.id) && hop.after.iter().all(|order| sequence.contains(&order.hop))
        });
        let free: Vec<&HopId> = free.map(|hop| &hop.id).collect();
        let which = usize::try_from(random.below(free.len() as u64)).expect("small");
        sequence.push(free[which].clone());
    }
    sequence
}
