//! Where a step of the example plans is done, the process of the run dies, and a day later a plan is made from what is there that
//! continues the run. It brings the platform to the same end, and the rollback through both runs leads to where the first began;
//! or it is refused with its reason, and then the first run goes on.

use std::{collections::BTreeMap, time::Duration};

use switchback_executor::machine::Rest;
use switchback_schemas::{
    codes::{self, Code},
    journal::End,
};

use crate::support::{
    block_on,
    example::{Applied, Point, mlops, small},
    planning::{Asked, manifests},
    platform::{Manner, Platform},
    projection::{Projection, same},
    run::{Back, Files, settled},
};

/// What came of a plan that continues a run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// To the same end, and all the rollback.
    Through,
    /// To the same end, and back to where the second run began; what lies before that is closed, and was said to be.
    ThroughClosed,
    /// There is no plan, for these reasons; none where everything is done.
    Refused(Vec<Code>),
}

const ONE_MINOR: &str = "EKS rolls it back by one minor only";

async fn goes_on(applied: &Applied, files: &[(String, String)], point: &Point) -> Came {
    let told = format!("continued from where {}", point.told);
    let platform = Platform::of(point.world.clone(), point.files.disk()).await;
    platform.twin.with(|world| world.advance_by(Duration::from_hours(25)));
    let first = &applied.planned;
    let run = first.run();
    let asked = Box::pin(Asked::on(files, &platform, Some(&run))).await;
    let planned = match asked.and_then(|asked| asked.tried(&[])) {
        Ok(planned) => planned,
        Err(found) => {
            let errors = found.iter().filter(|found| found.is_error());
            let mut codes: Vec<Code> = errors.map(|found| found.code).collect();
            codes.dedup();
            return Came::Refused(codes);
        }
    };
    let between = settled(platform.twin.snapshot());
    let rest = platform.carried_through(&planned, &Manner::default(), |_, _| ()).await;
    assert_eq!(rest, Rest::Ended(End::Complete), "{told}\n{}", Files::of(&platform.disk).tail());
    let end = &applied.at[&first.plan.savepoints.last().expect("an end").id];
    same(&without_jobs(end.clone()), &without_jobs(settled(platform.twin.snapshot())), &told);

    let start = &planned.plan.savepoints[0].id;
    if let Back::Refused(why) = went(&platform, platform.back(&planned, start).await, &between, &told) {
        assert!(why.contains(ONE_MINOR), "{told}: {why}");
        return Came::ThroughClosed;
    }
    let start = &first.plan.savepoints[0].id;
    match went(&platform, platform.back(first, start).await, &applied.at[start], &told) {
        Back::Refused(why) => {
            assert!(why.contains(ONE_MINOR) || why.contains("nothing was changed"), "{told}: {why}");
            Came::ThroughClosed
        }
        Back::Rested(..) => {
            platform.nothing_is_left(first, &told).await;
            Came::Through
        }
    }
}

/// A rollback that was begun ends where it leads to.
fn went(platform: &Platform, back: Back, to: &Projection, told: &str) -> Back {
    if let Back::Rested(rest, world) = &back {
        assert_eq!(*rest, Rest::Ended(End::RolledBack), "{told}\n{}", Files::of(&platform.disk).tail());
        same(to, world, &format!("{told}, and back"));
    }
    back
}

/// Jobs of the first run's hop that have ended stay: no other run knows their names.
fn without_jobs(mut world: Projection) -> Projection {
    world.retain(|line, _| !(line.starts_with("Job ") && line.contains("switchback.dev/hop")));
    world
}

/// From every nth step of one hop, how often what came of it.
fn from(applied: &Applied, example: &str, hop: &str, nth: usize) -> BTreeMap<Came, usize> {
    let files = manifests(example, |_, text| text);
    let points = applied.points.iter().filter(|point| point.whole && point.hop.to_string() == hop);
    let mut came = BTreeMap::new();
    for point in points.step_by(nth) {
        *came.entry(block_on(goes_on(applied, &files, point))).or_default() += 1;
    }
    came
}

/// The next minor begins when the one before is whole.
#[test]
fn from_everywhere_in_the_first_minor() {
    let came = from(mlops(), "mlops-platform", "eks/mlops-platform-dev@1.33", 1);
    let expected = [(Came::ThroughClosed, 4), (Came::Refused(vec![codes::PLAN_UNFINISHED]), 15)];
    assert_eq!(came, BTreeMap::from(expected));
}

/// The minor after it takes over what Karpenter's hop froze.
#[test]
fn from_steps_of_karpenter_between_the_minors() {
    let came = from(mlops(), "mlops-platform", "karpenter/karpenter@1.8.8", 3);
    assert_eq!(came, BTreeMap::from([(Came::ThroughClosed, 4)]));
}

/// Where the control plane has moved, its nodes follow; a group that is being replaced is the first run's.
#[test]
fn from_steps_of_the_second_minor() {
    let came = from(mlops(), "mlops-platform", "eks/mlops-platform-dev@1.34", 3);
    let expected = [
        (Came::ThroughClosed, 4),
        (Came::Refused(vec![codes::PLAN_STRATEGY]), 1),
        (Came::Refused(vec![codes::PLAN_LEFT_OPEN]), 2),
    ];
    assert_eq!(came, BTreeMap::from(expected));
}

/// A server that is away comes back by the run that took it away.
#[test]
fn from_steps_of_mlflow() {
    let came = from(mlops(), "mlops-platform", "mlflow/mlflow@3.18.0", 2);
    let expected = [
        (Came::ThroughClosed, 4),
        (Came::Refused(vec![codes::PLAN_LEFT_OPEN]), 1),
        (Came::Refused(vec![codes::PLAN_LEFT_OPEN, codes::PLAN_NOT_READY]), 4),
    ];
    assert_eq!(came, BTreeMap::from(expected));
}

/// Where the controller has moved, the version is reached: what is left of the hop is done.
#[test]
fn from_everywhere_in_the_small_example() {
    let came = from(small(), "karpenter-small", "karpenter/karpenter@1.8.8", 1);
    assert_eq!(came, BTreeMap::from([(Came::Through, 11)]));
}
