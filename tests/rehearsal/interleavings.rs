//! The written procedures with a Deployment and a Helm release beside them, in random order: hops in any sequence that the joint
//! path allows, steps that are ready together in any order, each effect after a while of its own. Whatever comes first, the
//! world is in order at every moment, and ends the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    sync::{Arc, Mutex, OnceLock},
};

use switchback_executor::{
    machine::{Rest, step_of},
    store::sim::SimDisk,
};
use switchback_schemas::{
    HopId, StepId,
    journal::{End, Event, Outcome},
};
use switchback_twin::World;

use crate::support::{
    block_on,
    example::{changed, fixture},
    planning::{Asked, drawn, manifests},
    platform::{Manner, Platform},
    projection::{Projection, same},
    run::settled,
    time::{Random, fresh},
    watch::Watch,
};

/// Seeds that are always run. One more is drawn by each run of the suite.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// Seconds that an effect is late at most.
const LATE: u64 = 240;

/// Seconds that the job has trained when a run begins: the world settles for so long.
const BEFORE: u64 = 3600;

const MORE: &str = "apiVersion: switchback.dev/v1alpha1
kind: DeploymentUpgrade
metadata: {name: sklearn-iris}
spec:
  target: main
  deployment: {namespace: mlops, name: sklearn-iris}
  container: predictor
  image: example.invalid/sklearn-iris:5
  to: \"5\"
  verify: [models-serve]
---
apiVersion: switchback.dev/v1alpha1
kind: HelmReleaseUpgrade
metadata: {name: portal}
spec:
  target: main
  release: {namespace: mlops, name: portal}
  charts: {directory: charts}
  to: \"2.0.0\"
";

/// The example where a training job is waited for, pools keep a node, and a release and a Deployment move too.
fn files() -> Vec<(String, String)> {
    let mut files = manifests("mlops-platform", |name, text| match name {
        "platform.yaml" => changed(&text, "requeue: {}", "wait: {max: 24h, then: park}"),
        _ => text,
    });
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "eks.yaml" || name == "karpenter.yaml") {
        // A min ready by what is there now could not be kept: Karpenter needs fewer nodes when the job has ended.
        *text = changed(
            text,
            "maxUnavailable: {nodes: 2}",
            "maxUnavailable: {nodes: 1}\n    minReady: {nodes: 0}",
        );
        *text = changed(text, "batch: {nodes: 2}", "batch: {nodes: 1}");
    }
    files.push(("more.yaml".to_owned(), MORE.to_owned()));
    files
}

/// Its world, with a training job that ends by itself after so many seconds of its own.
pub(crate) fn world(seconds: u64) -> World {
    fixture("mlops-platform.yaml", |world| {
        let portal = "releases:\n  - {name: portal, namespace: mlops, chart: demo, version: 1.0.0}\n";
        let world = changed(world, "releases:\n", portal);
        let ends = format!("twin.switchback.dev/run-seconds: \"{}\"", BEFORE + seconds);
        changed(&world, "cluster.switchback.test/pod: hold", &ends)
    })
}

pub(crate) fn asked() -> &'static Asked {
    static ASKED: OnceLock<Asked> = OnceLock::new();
    ASKED.get_or_init(|| block_on(Asked::of(&files(), world(3600))))
}

/// Says which seed it was when a test fails with it.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(writeln!(std::io::stderr(), "interleavings: this was seed {}", self.0));
        }
    }
}

/// What one seed came to.
struct Carried {
    hops: Vec<HopId>,
    /// Of each hop, its steps in the order in which their effects were done.
    steps: BTreeMap<HopId, Vec<StepId>>,
    /// Combinations of versions that were there.
    states: usize,
    end: Projection,
}

/// What somebody counts on, whatever moves.
pub(crate) fn promises() -> Watch {
    let nodes = [
        ("karpenter.sh/nodepool", "batch", 1),
        ("pool", "gpu-inference", 1),
        ("pool", "general", 2),
        ("pool", "system", 2),
    ];
    Watch::of().training().serving(&[("mlops", "sklearn-iris", 2)]).keeping(&nodes)
}

/// A platform whose hops are carried out in random order.
struct Case {
    asked: &'static Asked,
    /// Its world, with a training job that takes so many seconds, if it has one that ends.
    world: fn(u64) -> World,
    promises: fn() -> Watch,
    /// What has to be at the end.
    ends: fn(&World),
    /// A line of what is there at the end, without what is the seed's own; `None` where all of it is.
    line: fn(String, u64) -> Option<String>,
}

/// The written procedures.
fn procedures() -> Case {
    Case {
        asked: asked(),
        world,
        promises,
        ends: trained,
        // How long the job trained is the seed's own.
        line: |line, trains| Some(line.replace(&format!("\"{}\"", BEFORE + trains), "so long")),
    }
}

/// The whole platform, with schedules and Workflows that go on meanwhile.
fn whole() -> Case {
    static ASKED: OnceLock<Asked> = OnceLock::new();
    let world = |_: u64| fixture("gpu-ml-platform.yaml", str::to_owned);
    let files = || manifests("gpu-ml-platform", |_, text| text);
    Case {
        asked: ASKED.get_or_init(|| block_on(Asked::of(&files(), world(0)))),
        world,
        promises: Watch::of,
        ends: |_| (),
        line: |line, _| {
            let own = line.starts_with("Workflow ") || line.contains("\"owner\":\"Workflow\"");
            (!own).then_some(line)
        },
    }
}

async fn carried(case: &Case, seed: u64) -> Carried {
    let _told = Told(seed);
    let mut random = Random::of(seed);
    let hops = drawn(&case.asked.plan(&[]).plan, &mut random);
    let planned = case.asked.plan(&hops);
    let compiled: Vec<HopId> = planned.plan.hops.iter().map(|hop| hop.id.clone()).collect();
    assert_eq!(compiled, hops, "any sequence that keeps the order can be had");
    let trains = 600 + random.below(4 * 3600);
    let platform = Platform::of((case.world)(trains), SimDisk::new()).await;
    let watch = Arc::new(Mutex::new((case.promises)()));
    platform.time.is_watched_by(&watch);
    let parallel = [1, 2, 3, 16][usize::try_from(random.below(4)).expect("small")];
    let manner = Manner { late: Some((Arc::new(Mutex::new(random)), LATE)), parallel: Some(parallel) };
    let mut steps: BTreeMap<HopId, Vec<StepId>> = BTreeMap::new();
    let rest = platform
        .carried_through(&planned, &manner, |_, record| {
            if let Event::Ended { at, outcome: Outcome::Done { .. }, .. } = &record.event
                && at.item.is_none()
            {
                let step = step_of(&planned.plan, at).expect("a step of the plan");
                steps.entry(step.hop.clone()).or_default().push(step.id.clone());
            }
        })
        .await;
    assert_eq!(rest, Rest::Ended(End::Complete), "{hops:?}");
    let watch = watch.lock().expect("the watch");
    assert_eq!(watch.wrong, Vec::<String>::new(), "{hops:?}");
    let end = platform.twin.snapshot();
    (case.ends)(&end);
    let lines = settled(end).into_iter();
    let end = lines.filter_map(|(line, count)| Some(((case.line)(line, trains)?, count))).collect();
    Carried { hops, steps, states: watch.states.len(), end }
}

/// The job came to its own end.
fn trained(world: &World) {
    let mut jobs = world.list("batch", "jobs", Some("training"));
    let (_, job) = jobs.next().expect("the training job");
    assert_eq!(
        (&job["status"]["succeeded"], &job["status"]["failed"]),
        (&2.into(), &serde_json::Value::Null)
    );
}

#[test]
fn in_any_order_the_world_is_in_order_at_every_moment_and_ends_the_same() {
    let mut all: Vec<Carried> = Vec::new();
    for seed in SEEDS.into_iter().chain([fresh()]) {
        let one = block_on(carried(&procedures(), seed));
        if let Some(first) = all.first() {
            let _told = Told(seed);
            same(&first.end, &one.end, &format!("{:?} after {:?}", one.hops, first.hops));
        }
        assert!(one.states > one.hops.len(), "seed {seed}: versions were seen to move: {}", one.states);
        all.push(one);
    }
    let sequences: BTreeSet<&Vec<HopId>> = all.iter().map(|one| &one.hops).collect();
    assert!(sequences.len() > 3, "hops came in different sequences: {sequences:?}");
    let mut orders: BTreeMap<&HopId, BTreeSet<&Vec<StepId>>> = BTreeMap::new();
    for (hop, steps) in all.iter().flat_map(|one| &one.steps) {
        orders.entry(hop).or_default().insert(steps);
    }
    let free = orders.values().filter(|orders| orders.len() > 1).count();
    assert!(free > 1, "steps of a hop came in different orders: {orders:?}");
}

#[test]
fn the_whole_platform_in_any_order_ends_the_same() {
    let case = whole();
    let mut first: Option<Carried> = None;
    for seed in [1, 2] {
        let one = block_on(carried(&case, seed));
        if let Some(first) = &first {
            let _told = Told(seed);
            same(&first.end, &one.end, &format!("{:?} after {:?}", one.hops, first.hops));
        }
        first.get_or_insert(one);
    }
}
