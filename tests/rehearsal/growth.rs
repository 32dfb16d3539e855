//! How what a command needs grows with the plan: counted at a size and at four times that size, in allocations, polls, requests,
//! records and operations of the disk. Counts do not depend on the machine, as times would.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; their helpers are not marked as tests"
)]

#[expect(dead_code, reason = "what only the rehearsals need of it")]
mod support;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use allocation_counter::measure;
use async_trait::async_trait;
use jiff::Timestamp;
use switchback_executor::{
    env::Clock,
    machine::Rest,
    runs,
    runtime::{Ended, Stop},
    store::sim::SimDisk,
};
use switchback_face::plan::{diff::Diff, dry_run::DryRun, graph};
use switchback_model::{Graph, diff, lint::lint, summary::summary};
use switchback_schemas::{Digest, journal::End};
use switchback_twin::World;

use support::{
    block_on,
    example::fixture,
    planning::Asked,
    platform::{Manner, Platform},
    run::Planned,
    time::Time,
};

/// Upgrades at the two sizes.
const SIZES: [u32; 2] = [8, 32];

/// What four times the plan may need at most, in hundredths of what the plan needs: 400 is linear growth. Each is what was counted
/// when it was last lowered, and at most three hundredths more; a bound may only fall.
const BOUNDS: [(&str, u64); 12] = [
    ("plan: allocations", 395),
    ("lint: allocations", 397),
    ("show: allocations", 385),
    ("graph: allocations", 397),
    ("diff: allocations", 388),
    ("apply: allocations", 385),
    ("apply: records", 375),
    ("apply: requests", 398),
    ("apply: operations of the disk", 340),
    ("apply: polls", 390),
    ("status: allocations", 393),
    ("twin: allocations", 415),
];

/// As many Deployments as the larger plan moves, each of a pod. What a run counts on the platform grows with the platform: that is
/// the same for both.
fn world() -> World {
    fixture("karpenter-small.yaml", |_| {
        let mut text = "format: switchback.world/1.0
clock: 2026-11-20T10:00:00Z
settings: {kubernetes: v1.32.3}
nodes:
  - {name: worker, count: 2, capacity: {cpu: \"64\", memory: 256Gi, pods: \"110\"}}
objects:
  - {apiVersion: v1, kind: Namespace, metadata: {name: apps}}
"
        .to_owned();
        deployments(&mut text, SIZES[1], 1);
        text
    })
}

/// Deployments in a world's file.
fn deployments(text: &mut String, count: u32, replicas: u32) {
    for number in 0..count {
        let _ = write!(
            text,
            "  - apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: app-{number}, namespace: apps}}
    spec:
      replicas: {replicas}
      selector: {{matchLabels: {{app: app-{number}}}}}
      template:
        metadata: {{labels: {{app: app-{number}}}}}
        spec: {{containers: [{{name: app, image: 'example.invalid/app:1'}}]}}
"
        );
    }
}

/// An upgrade of each to this version.
fn files(count: u32, to: u32) -> Vec<(String, String)> {
    let platform = "apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: growth}
spec: {targets: {main: {cluster: {}}}}
";
    let mut upgrades = String::new();
    for number in 0..count {
        let _ = write!(
            upgrades,
            "---
apiVersion: switchback.dev/v1alpha1
kind: DeploymentUpgrade
metadata: {{name: app-{number}}}
spec:
  {{target: main, deployment: {{namespace: apps, name: app-{number}}}, container: app, image: 'example.invalid/app:{to}', to: '{to}'}}
"
        );
    }
    vec![("platform.yaml".to_owned(), platform.to_owned()), ("upgrades.yaml".to_owned(), upgrades)]
}

/// A clock that counts how often it is looked at: by a run, once for each poll. While the run waits the twin's world moves, and
/// what that allocates is counted apart.
struct Looked {
    time: Time,
    looks: AtomicU64,
    elsewhere: AtomicU64,
}

#[async_trait]
impl Clock for Looked {
    fn now(&self) -> Timestamp {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.time.now()
    }

    async fn sleep_until(&self, when: Timestamp) {
        polled(self.time.sleep_until(when), &self.elsewhere).await;
    }
}

/// What was counted, by what it is.
type Counts = BTreeMap<&'static str, u64>;

fn allocations<T>(counts: &mut Counts, what: &'static str, work: impl FnOnce() -> T) -> T {
    let mut made = None;
    let info = measure(|| made = Some(work()));
    counts.insert(what, info.count_total);
    made.expect("it was measured")
}

/// Everything that reads a plan, and nothing else.
fn read(counts: &mut Counts, count: u32) -> Planned {
    let asked = block_on(Asked::of(&files(count, 2), world()));
    let other = block_on(Asked::of(&files(count, 3), world())).plan(&[]).plan;
    // What is read but once a process.
    asked.plan(&[]);
    let planned = allocations(counts, "plan: allocations", || asked.plan(&[]));
    let plan = &planned.plan;
    assert!(plan.steps.len() >= count as usize, "each upgrade is a step");
    let findings = allocations(counts, "lint: allocations", || lint(plan));
    assert!(findings.is_empty(), "{findings:?}");
    let text = allocations(counts, "show: allocations", || {
        let dag = Graph::of(plan).expect("a DAG");
        let summary = summary(plan, &dag);
        DryRun { plan, graph: &dag, summary: &summary, digest: Digest::of(&planned.bytes), steps: true }
            .to_string()
    });
    assert!(text.contains("app-7"), "{text}");
    let drawn = allocations(counts, "graph: allocations", || graph::dot(plan) + &graph::mermaid(plan));
    assert!(drawn.contains("app-7"), "{drawn}");
    let changed = allocations(counts, "diff: allocations", || Diff(&diff(plan, &other)).to_string());
    assert!(changed.contains("app-7"), "{changed}");
    planned
}

/// The run of a plan from its start to its end, and its report.
fn applied(counts: &mut Counts, planned: &Planned) {
    block_on(async {
        let platform = Platform::of(world(), SimDisk::new()).await;
        let mut runtime = platform.runtime(&planned.plan, &Manner::default()).await;
        let clock = Arc::new(Looked {
            time: platform.time.clone(),
            looks: AtomicU64::new(0),
            elsewhere: AtomicU64::new(0),
        });
        runtime.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let (mut records, asked) = (0, platform.requests.load(Ordering::Relaxed));
        let mut view = |event: &switchback_schemas::event::RunEvent| {
            records += u64::from(matches!(event, switchback_schemas::event::RunEvent::Recorded { .. }));
        };
        let stop = Stop::new();
        let run = runs::apply(&runtime, &planned.bytes, &stop, &mut view);
        let allocations = AtomicU64::new(0);
        let ended = polled(run, &allocations).await.expect("the run is carried on").1;
        assert!(matches!(ended, Ended::Rest(Rest::Ended(End::Complete))), "{ended:?}");
        let own = allocations.into_inner() - clock.elsewhere.load(Ordering::Relaxed);
        counts.insert("apply: allocations", own);
        counts.insert("apply: records", records);
        counts.insert("apply: requests", platform.requests.load(Ordering::Relaxed) - asked);
        counts.insert("apply: operations of the disk", platform.disk.operations());
        counts.insert("apply: polls", clock.looks.load(Ordering::Relaxed));
        let (store, name) = (platform.store(), planned.run());
        let allocations = AtomicU64::new(0);
        let report = polled(runs::status(&store, &name), &allocations).await;
        assert!(report.is_ok(), "there is a report");
        counts.insert("status: allocations", allocations.into_inner());
    });
}

/// A future, and what it allocates on this thread whenever it is polled and nothing else is: what serves the twin is not in it.
async fn polled<T>(work: impl Future<Output = T>, allocations: &AtomicU64) -> T {
    let mut work = Box::pin(work);
    std::future::poll_fn(|context| {
        let mut state = std::task::Poll::Pending;
        let info = measure(|| state = work.as_mut().poll(context));
        allocations.fetch_add(info.count_total, Ordering::Relaxed);
        state
    })
    .await
}

/// Hundredths of the smaller count that the larger one is, rounded up.
fn ratio(small: u64, large: u64) -> u64 {
    (large * 100).div_ceil(small.max(1))
}

/// What grew by more than its bound, or has none; each as it is said.
fn grown(small: &Counts, large: &Counts, bounds: &[(&str, u64)]) -> Vec<String> {
    let mut found = Vec::new();
    for (what, count) in small {
        let more = large[what];
        let bound = bounds.iter().find(|(name, _)| name == what).map(|(_, bound)| *bound);
        let ratio = ratio(*count, more);
        if bound.is_none_or(|bound| ratio > bound) {
            found.push(format!(
                "{what}: {count}, and {more} at four times the size: {ratio}, bound {bound:?}"
            ));
        }
    }
    found
}

/// A twin that comes up with so many nodes, and a Deployment of four pods for each.
fn comes_up(counts: &mut Counts, nodes: u32) {
    let mut text = format!(
        "format: switchback.world/1.0
clock: 2026-11-20T10:00:00Z
settings: {{kubernetes: v1.32.3}}
nodes:
  - {{name: worker, count: {nodes}, capacity: {{cpu: \"64\", memory: 256Gi, pods: \"110\"}}}}
objects:
  - {{apiVersion: v1, kind: Namespace, metadata: {{name: apps}}}}
"
    );
    deployments(&mut text, nodes, 4);
    let world = allocations(counts, "twin: allocations", || {
        let mut world = fixture("karpenter-small.yaml", |_| text);
        world.advance_by(std::time::Duration::from_mins(10));
        world
    });
    let pods = world.list("", "pods", None);
    let bound = pods.filter(|(_, pod)| pod.pointer("/spec/nodeName").is_some()).count();
    assert_eq!(bound, 4 * nodes as usize, "all of them stand somewhere");
}

fn counted(count: u32) -> Counts {
    let mut counts = Counts::new();
    comes_up(&mut counts, count);
    let planned = read(&mut counts, count);
    applied(&mut counts, &planned);
    counts
}

#[test]
fn nothing_grows_faster_than_the_plan() {
    let [small, large] = SIZES.map(counted);
    let found = grown(&small, &large, &BOUNDS);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let unknown: Vec<_> = BOUNDS.iter().filter(|(what, _)| !small.contains_key(what)).collect();
    assert!(unknown.is_empty(), "bounds of what is not counted: {unknown:?}");
}

/// The ratchet fails where it has to: two sorts of work of which one looks at each pair.
#[test]
fn what_grows_with_the_square_is_seen() {
    let each = |count: usize| drop((0..count).map(|number| number.to_string()).collect::<Vec<_>>());
    let [small, large] = SIZES.map(|size| {
        let mut counts = Counts::new();
        allocations(&mut counts, "once each", || each(size as usize));
        allocations(&mut counts, "each pair", || (0..size).for_each(|_| each(size as usize)));
        counts
    });
    let found = grown(&small, &large, &[("once each", 400), ("each pair", 420)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("each pair: "), "{found:?}");
}
