//! The examples on which runs are tried: world, plan, what has to hold at every moment, and how it ends where nothing goes wrong.

use std::sync::OnceLock;

use switchback_executor::machine::Rest;
use switchback_schemas::journal::{End, Event};
use switchback_twin::World;

use super::{
    carry::{Came, carried},
    history,
    judge::histories,
    scenario::Scenario,
};
use crate::support::{
    block_on,
    example::{changed, example, fixture},
    planning::{Asked, manifests},
    projection::Projection,
    run::{Planned, settled},
    watch::Watch,
};

/// A platform, its plan, and how that ends where nothing goes wrong.
pub(super) struct Bench {
    pub(super) name: &'static str,
    pub(super) planned: Planned,
    pub(super) world: World,
    pub(super) watch: fn() -> Watch,
    pub(super) end: Projection,
    /// Seconds from start to end.
    pub(super) length: u64,
    /// Records of it, and the first of them that announces an effect.
    pub(super) records: u64,
    pub(super) first: u64,
}

impl Bench {
    fn of(name: &'static str, planned: Planned, world: World, watch: fn() -> Watch) -> Self {
        let quiet = carried(&planned, world.clone(), watch(), &Scenario::quiet());
        assert_eq!(quiet.came, Came::Rest(Rest::Ended(End::Complete)), "{name}: {quiet:?}");
        let length = quiet.world.now().duration_since(quiet.began).as_secs().unsigned_abs();
        assert_eq!(histories(&planned, &quiet, true), Vec::<String>::new(), "{name}");
        let journal = history::records(&quiet.files.journal()).expect("a journal");
        let first = journal.iter().find(|record| matches!(record.event, Event::Intent { .. }));
        let first = first.expect("an effect").seq;
        let records = journal.len() as u64;
        Self { name, planned, world, watch, end: settled(quiet.world), length, records, first }
    }
}

/// The small example, where a training job is waited for that ends by itself.
pub(super) fn small() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let world = fixture("karpenter-small.yaml", |world| {
            changed(world, "cluster.switchback.test/pod: hold", "twin.switchback.dev/run-seconds: \"5400\"")
        });
        let files = manifests("karpenter-small", |name, text| match name {
            "platform.yaml" => changed(&text, "requeue: {}", "wait: {max: 24h, then: park}"),
            _ => text,
        });
        let planned = block_on(Asked::of(&files, world.clone())).plan(&[]);
        Bench::of("karpenter-small", planned, world, || {
            Watch::of().training().serving(&[("apps", "web", 5), ("apps", "api", 2)])
        })
    })
}

/// The written procedures, with a cluster and a database at AWS.
pub(super) fn procedures() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let (planned, world) = example("mlops-platform", str::to_owned);
        Bench::of("mlops-platform", planned, world, Watch::of)
    })
}

/// The whole platform.
pub(super) fn platform() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let (planned, world) = example("gpu-ml-platform", str::to_owned);
        Bench::of("gpu-ml-platform", planned, world, Watch::of)
    })
}
