//! The example plans and their worlds.

use std::{collections::BTreeMap, sync::OnceLock};

use switchback_executor::{
    machine::{Rest, step_of},
    store::sim::SimDisk,
};
use switchback_schemas::{
    HopId, StepId,
    journal::{At, End, Event, Outcome, Record, Way},
    name::{Label, SavepointId},
    plan::{Action, Effect, Plan},
};
use switchback_twin::World;

use super::{
    block_on,
    platform::{Manner, Platform, root},
    projection::Projection,
    run::{Files, Planned, settled},
};

/// A plan of plans/ as it is kept, and its world, changed by a function over its text.
pub(crate) fn example(name: &str, change: impl FnOnce(&str) -> String) -> (Planned, World) {
    let kept = root().join("plans").join(name).join("plan.json");
    let planned = Planned::of(std::fs::read(kept).expect("the example's plan"));
    (planned, fixture(&format!("{name}.yaml"), change))
}

/// A world of fixtures/worlds, changed by a function over its text.
pub(crate) fn fixture(name: &str, change: impl FnOnce(&str) -> String) -> World {
    let worlds = root().join("fixtures/worlds");
    let text = std::fs::read_to_string(worlds.join(name)).expect("the world");
    let place = tempfile::tempdir().expect("a directory");
    for included in ["charts.yaml", "eks.yaml"] {
        std::fs::copy(worlds.join(included), place.path().join(included)).expect("what it includes");
    }
    let path = place.path().join("world.yaml");
    std::fs::write(&path, change(&text)).expect("a file is written");
    World::open(&path).expect("a world")
}

/// Changes a text that is there.
pub(crate) fn changed(text: &str, from: &str, to: &str) -> String {
    let changed = text.replacen(from, to, 1);
    assert_ne!(changed, text, "{from} is there");
    changed
}

/// The same where nothing stands against rolling back: EKS takes managed groups back, as its page about rollbacks says (the text of
/// its API says that it does not), and the budget of pool batch lets the pool become empty, as it has to before the control plane.
pub(crate) fn that_goes_back(world: &str) -> String {
    let world = changed(world, "  eks:\n", "  eks:\n    nodegroupRollback: true\n");
    let budget = |pods: u32| {
        format!("spec: {{maxUnavailable: {pods}, selector: {{matchLabels: {{app: feature-builder}}}}}}")
    };
    changed(&world, &budget(1), &budget(4))
}

/// A moment at which the process of a run dies.
pub(crate) struct Point {
    /// The place, and how far it was.
    pub(crate) told: String,
    /// How far its place was.
    pub(crate) how: &'static str,
    pub(crate) step: StepId,
    /// Whether its step is done, and not begun or half done.
    pub(crate) whole: bool,
    pub(crate) hop: HopId,
    pub(crate) files: Files,
    pub(crate) world: World,
}

/// An example, applied once from its start to its end.
pub(crate) struct Applied {
    /// Its directory in plans/.
    pub(crate) name: &'static str,
    pub(crate) planned: Planned,
    pub(crate) points: Vec<Point>,
    pub(crate) end: World,
    /// The world at each savepoint.
    pub(crate) at: BTreeMap<SavepointId, Projection>,
}

/// The written procedures, applied once for all tests.
pub(crate) fn mlops() -> &'static Applied {
    static APPLIED: OnceLock<Applied> = OnceLock::new();
    APPLIED.get_or_init(|| block_on(applied("mlops-platform", example("mlops-platform", that_goes_back))))
}

/// The small example, applied once for all tests.
pub(crate) fn small() -> &'static Applied {
    static APPLIED: OnceLock<Applied> = OnceLock::new();
    APPLIED.get_or_init(|| block_on(applied("karpenter-small", example("karpenter-small", str::to_owned))))
}

/// The whole platform, applied once for all tests.
pub(crate) fn platform() -> &'static Applied {
    static APPLIED: OnceLock<Applied> = OnceLock::new();
    APPLIED.get_or_init(|| block_on(applied("gpu-ml-platform", example("gpu-ml-platform", that_goes_back))))
}

/// What a record begins or ends, and how many records are durable for a process that dies there.
fn moment(record: &Record) -> Option<(At, &'static str, u64)> {
    let with = record.seq + 1;
    Some(match &record.event {
        Event::Intent { at, attempt: 1, .. } => (at.clone(), "has begun", with),
        Event::Frozen { at, .. } => (at.clone(), "has chosen nodes", with),
        // Its effect is there, and nobody wrote so.
        Event::Ended { at, outcome: Outcome::Done { .. }, .. } => (at.clone(), "has acted", record.seq),
        // A roll that found nothing more is verified after that.
        Event::Verified { at, verdict } if verdict.is_holding() => (at.clone(), "is done", with),
        Event::Skipped { at, .. } => (at.clone(), "is done", with),
        _ => return None,
    })
}

/// Whether a moment within a step is one of its own: who only looks is where it was before, and of a pool the node that moves first
/// is like all that move after it.
fn tells(plan: &Plan, at: &At, first: &mut BTreeMap<Label, At>) -> bool {
    let work = match at.way {
        Way::Rollback => plan.rollback_step(&at.step).map(|step| &step.work),
        Way::Forward | Way::Cleanup => None,
    };
    let work = work.or_else(|| step_of(plan, at).map(|step| &step.work)).expect("a step of the plan");
    match (&work.action, &at.item) {
        (Action::Effect(effect), _) => !matches!(effect, Effect::Wait(_)),
        (Action::Roll(_), None) => true,
        (Action::Roll(roll), Some(item)) => {
            let known = first.entry(roll.pool.clone()).or_insert_with(|| at.clone());
            known.step == at.step && known.item.as_ref().is_some_and(|known| known.key == item.key)
        }
    }
}

/// Applies an example once, and keeps a copy of store and world at every moment.
pub(crate) async fn applied(name: &'static str, (planned, world): (Planned, World)) -> Applied {
    let platform = Platform::of(world, SimDisk::new()).await;
    let start = platform.twin.snapshot();
    let mut at = BTreeMap::from([(planned.plan.savepoints[0].id.clone(), settled(start))]);
    let (mut points, mut first) = (Vec::new(), BTreeMap::new());
    let rest = platform
        .carried_through(&planned, &Manner::default(), |platform, record| {
            if let Event::Reached { savepoint } = &record.event {
                at.entry(savepoint.clone()).or_insert_with(|| settled(platform.twin.snapshot()));
            }
            let Some((at, how, records)) = moment(record) else { return };
            let whole = at.item.is_none() && how == "is done";
            if !whole && !tells(&planned.plan, &at, &mut first) {
                return;
            }
            points.push(Point {
                told: format!("{at} {how}"),
                how,
                hop: step_of(&planned.plan, &at).expect("a step of the plan").hop.clone(),
                whole,
                step: at.step,
                files: Files::of(&platform.disk).cut(records),
                world: platform.twin.snapshot(),
            });
        })
        .await;
    assert_eq!(rest, Rest::Ended(End::Complete));
    Applied { name, planned, points, end: platform.twin.snapshot(), at }
}
