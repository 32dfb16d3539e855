//! From every step of the example plans the rollback is carried out: where it is done, where it has just begun, and where its
//! effect is there and nobody wrote so.

use std::collections::BTreeSet;

use switchback_executor::machine::Rest;
use switchback_schemas::{journal::End, name::SavepointId};
use switchback_twin::{Key, World};

use crate::support::{
    block_on,
    effects::accepted,
    example::{Applied, Point, mlops, platform, small},
    oracle,
    platform::{Manner, Platform},
    projection::{Projection, same},
    run::{Back, Files, settled},
};

const NOTHING: &str = "nothing was changed that could be undone";
const ONE_MINOR: &str = "EKS rolls it back by one minor only";

/// Takes the rollback from a point to the savepoint before it, notes what was done on it, and says to which earlier ones there is
/// none any more.
async fn goes_back(applied: &Applied, point: &Point, noted: &mut oracle::Back) -> BTreeSet<SavepointId> {
    let planned = &applied.planned;
    let platform = Platform::of(point.world.clone(), point.files.disk()).await;
    let ways = platform.ways_back(planned).await;
    let mut closed = BTreeSet::new();
    // The last one is taken when the others were looked at: a run that rolled back is over.
    for (number, (to, obstacle)) in ways.iter().enumerate().rev() {
        let told = format!("from where {} to {to}", point.told);
        match obstacle {
            Some(obstacle) => {
                let expected = if number == 0 { NOTHING } else { ONE_MINOR };
                assert!(obstacle.contains(expected), "{told}: {obstacle}");
                is_refused(&platform, applied, to, obstacle).await;
                if number == 0 {
                    let there = settled(point.world.clone());
                    same(&without_workflows(&applied.at[to]), &without_workflows(&there), &told);
                } else {
                    closed.insert(to.clone());
                }
            }
            None if number > 0 => {}
            None => taken(&platform, applied, to, &told).await,
        }
    }
    let before = point.world.log().len();
    noted.note(applied, point, accepted(&platform.twin.snapshot(), before, &planned.run()));
    assert!(!ways.is_empty(), "{}: there is always a savepoint", point.told);
    closed
}

/// What Workflows do goes on and ends by itself, whatever a run does.
fn without_workflows(world: &Projection) -> Projection {
    let own = |line: &str| line.starts_with("Workflow ") || line.contains("\"owner\":\"Workflow\"");
    world.iter().filter(|(line, _)| !own(line)).map(|(line, count)| (line.clone(), *count)).collect()
}

/// A rollback that is closed is refused with the reason that was shown, and nothing changes.
async fn is_refused(platform: &Platform, applied: &Applied, to: &SavepointId, obstacle: &str) {
    let before = (Files::of(&platform.disk), platform.twin.snapshot().to_value());
    match platform.back(&applied.planned, to).await {
        Back::Refused(why) => assert!(why.contains(obstacle), "{why}"),
        Back::Rested(rest, _) => panic!("{to}: {obstacle}, but it came to {rest:?}"),
    }
    let after = (Files::of(&platform.disk), platform.twin.snapshot().to_value());
    assert!(before == after, "a rollback to {to} that was refused changed something");
}

/// A rollback that is open ends where it leads to, and leaves nothing.
async fn taken(platform: &Platform, applied: &Applied, to: &SavepointId, told: &str) {
    match platform.back(&applied.planned, to).await {
        Back::Rested(rest, world) => {
            assert_eq!(rest, Rest::Ended(End::RolledBack), "{told}\n{}", Files::of(&platform.disk).tail());
            same(&without_workflows(&applied.at[to]), &without_workflows(&world), told);
        }
        Back::Refused(why) => panic!("{told}: {why}"),
    }
    platform.nothing_is_left(&applied.planned, told).await;
}

/// From every point of one hop; says to which savepoints there was no rollback any more.
fn from_everywhere(applied: &Applied, hop: &str) -> BTreeSet<SavepointId> {
    let points: Vec<&Point> = applied.points.iter().filter(|point| point.hop.to_string() == hop).collect();
    let steps = applied.planned.plan.steps.iter().filter(|step| step.hop.to_string() == hop);
    let steps: BTreeSet<_> = steps.map(|step| &step.id).collect();
    let done: BTreeSet<_> = points.iter().filter(|point| point.whole).map(|point| &point.step).collect();
    assert_eq!(done, steps, "the rollback is taken from every step");
    assert!(points.len() > steps.len(), "also from within steps");
    let (mut closed, mut noted) = (BTreeSet::new(), oracle::Back::default());
    for point in points {
        closed.extend(block_on(goes_back(applied, point, &mut noted)));
    }
    let hop = applied
        .planned
        .plan
        .hops
        .iter()
        .find(|known| known.id.to_string() == hop)
        .expect("a hop of the plan");
    let name = format!("back-{}-{}", hop.id.component(), hop.id.to());
    oracle::is_kept(applied.name, &name, &noted.text());
    closed
}

#[test]
fn what_is_done_on_the_way_to_the_end_is_kept() {
    oracle::is_kept("mlops-platform", "forward", &oracle::forward(mlops()));
    oracle::is_kept("karpenter-small", "forward", &oracle::forward(small()));
}

#[test]
fn from_everywhere_in_the_first_minor() {
    assert!(from_everywhere(mlops(), "eks/mlops-platform-dev@1.33").is_empty());
}

#[test]
fn from_everywhere_in_karpenter_between_the_minors() {
    assert!(from_everywhere(mlops(), "karpenter/karpenter@1.8.8").is_empty());
}

#[test]
fn from_everywhere_in_the_second_minor() {
    let closed = from_everywhere(mlops(), "eks/mlops-platform-dev@1.34");
    assert_eq!(closed, BTreeSet::from(["start".parse().expect("a savepoint")]), "the point of no return");
}

#[test]
fn from_everywhere_in_mlflow() {
    let closed = from_everywhere(mlops(), "mlflow/mlflow@3.18.0");
    assert_eq!(closed, BTreeSet::from(["start".parse().expect("a savepoint")]), "the point of no return");
}

/// The small example over the wire is rolled back from in back.rs of tests/wire; here also from within its steps.
#[test]
fn from_everywhere_in_the_small_example() {
    for hop in &small().planned.plan.hops {
        assert!(from_everywhere(small(), &hop.id.to_string()).is_empty());
    }
}

/// From every nth point of the whole platform, each after so many others. Which hops are closed by then is theirs to say.
fn from_the_platform(nth: usize, first: usize) {
    let applied = platform();
    let points: Vec<&Point> = applied.points.iter().skip(first).step_by(nth).collect();
    assert!(points.len() > 5, "{} points", points.len());
    let mut noted = oracle::Back::default();
    for point in points {
        block_on(goes_back(applied, point, &mut noted));
    }
}

#[test]
fn from_places_of_the_whole_platform() {
    from_the_platform(40, 7);
}

#[test]
#[ignore = "takes a quarter of an hour"]
fn from_everywhere_in_the_whole_platform() {
    from_the_platform(1, 0);
}

/// Over a minor and Karpenter at once, from the last moment at which the start can be rolled back to.
#[test]
fn from_the_line_of_no_return_to_the_start() {
    let applied = mlops();
    let line = &applied.planned.plan.points[0];
    let drops = applied.points.iter().position(|point| point.step == line.step).expect("it is crossed");
    let last = &applied.points[drops - 1];
    block_on(async {
        let platform = Platform::of(last.world.clone(), last.files.disk()).await;
        let start = &applied.planned.plan.savepoints[0].id;
        taken(&platform, applied, start, &format!("from where {} to the start", last.told)).await;
        let mut noted = oracle::Back::default();
        let before = last.world.log().len();
        noted.note(applied, last, accepted(&platform.twin.snapshot(), before, &applied.planned.run()));
        oracle::is_kept("mlops-platform", "back-to-the-start", &noted.text());
    });
}

/// Where the first minor is done, in a world that is changed there: as the example has it, something stands in the rollback, as its
/// README says. It is named, and nothing is forced.
async fn hindered(change: impl FnOnce(&mut World)) -> Platform {
    let of_first = |point: &&Point| point.hop.to_string() == "eks/mlops-platform-dev@1.33";
    let last = mlops().points.iter().rfind(of_first).expect("its last step");
    let platform = Platform::of(last.world.clone(), last.files.disk()).await;
    platform.twin.with(change);
    platform
}

fn budget(world: &mut World, pods: u32) {
    let key = Key::new("policy", "poddisruptionbudgets", "mlops", "feature-builder");
    assert!(world.modify(&key, |budget| budget["spec"]["maxUnavailable"] = pods.into()));
}

#[test]
fn a_budget_that_keeps_a_pool_from_becoming_empty_parks_the_way_back_by_name() {
    let applied = mlops();
    let start = &applied.planned.plan.savepoints[0].id;
    block_on(async {
        let platform = hindered(|world| budget(world, 1)).await;
        match platform.back(&applied.planned, start).await {
            Back::Rested(Rest::Parked { waits_for, .. }, _) => {
                assert!(format!("{waits_for:?}").contains("feature-builder"), "{waits_for:?}");
            }
            Back::Rested(rest, _) => panic!("{rest:?}"),
            Back::Refused(why) => panic!("{why}"),
        }
        // Somebody widens it.
        platform.twin.with(|world| budget(world, 4));
        let rest = platform.carried_through(&applied.planned, &Manner::default(), |_, _| ()).await;
        assert_eq!(rest, Rest::Ended(End::RolledBack));
        same(
            &applied.at[start],
            &settled(platform.twin.snapshot()),
            "rolled back when the budget was widened",
        );
    });
}

#[test]
fn a_group_that_eks_does_not_take_back_holds_the_way_back() {
    let applied = mlops();
    let start = &applied.planned.plan.savepoints[0].id;
    block_on(async {
        let platform = hindered(|world| world.cloud_mut().eks.nodegroup_rollback = false).await;
        match platform.back(&applied.planned, start).await {
            Back::Rested(Rest::Held { why }, _) => {
                assert!(why.contains("nodes/system/system/update"), "{why}");
            }
            Back::Rested(rest, _) => panic!("{rest:?}"),
            Back::Refused(why) => panic!("{why}"),
        }
        let world = platform.twin.snapshot();
        let cluster = world.cloud().eks.clusters.values().next().expect("a cluster");
        assert_eq!(cluster.version, "1.33", "a control plane is not rolled back under newer nodes");
    });
}
