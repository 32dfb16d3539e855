//! Somebody has the run rolled back, at any of its records, while things go wrong that pass: the platform ends where it began.

use switchback_executor::machine::Rest;
use switchback_schemas::{
    journal::{End, Event, Identified, RollbackScope, SideKind},
    name::SavepointId,
};

use super::{
    bench::Bench,
    carry::{Came, Stage},
    history,
    judge::{Verdict, differences, histories, is_complete},
    scenario::Scenario,
};
use switchback_twin::World;

use crate::support::{projection::Projection, run::settled, time::Random};

/// A world without the training job and its nodes: that goes on and ends, whatever a run does.
fn there(world: &World) -> Projection {
    let mut there = settled(world.clone());
    let trains = |line: &str| {
        line.starts_with("Pod training")
            || line.starts_with("Job training")
            || line.contains("\"pool\":\"gpu\"")
    };
    there.retain(|line, _| !trains(line));
    there
}

/// The run is back at its start, and left nothing.
pub(super) fn returned(bench: &Bench, seed: u64) -> Verdict {
    let mut random = Random::of(seed);
    let scenario = Scenario::passing(seed, bench.world.now(), 2 * bench.length);
    let stage = Stage::of(bench.world.clone(), (bench.watch)(), seed);
    for fault in &scenario.faults {
        stage.platform.twin.inject(fault.clone());
    }
    let records = random.below(bench.records);
    let (first, before) = stage.until_record(&bench.planned, &scenario, records);
    let (came, after) = match first {
        None => {
            let start = RollbackScope::Savepoint(SavepointId::sanitized("start"));
            let says = SideKind::Rollback { scope: start, reason: "tired".to_owned() };
            let by = Identified::Kubernetes("twin-admin".to_owned());
            if let Err(why) = stage.says(&bench.planned, (by, says)) {
                // Before the first effect, and where a fact says that it cannot be done any more.
                return match records < bench.first {
                    true => Verdict::Well,
                    false => {
                        Verdict::Wrong(format!("after record {records} it cannot be rolled back: {why}"))
                    }
                };
            }
            stage.carries(&bench.planned, &scenario, None)
        }
        // It was over before.
        Some(ended) if is_complete(&ended) => return Verdict::Well,
        Some(ended) => (ended, 0),
    };
    let carried = stage.carried(came, before + after);
    let mut wrong = histories(&bench.planned, &carried, scenario.parallel == 1);
    let back = carried.came == Came::Rest(Rest::Ended(End::RolledBack));
    if back {
        wrong.extend(differences(&there(&bench.world), &there(&carried.world)));
        let ends = history::records(&carried.files.journal()).unwrap_or_default();
        wrong.extend(ends.last().into_iter().filter_map(|record| match &record.event {
            Event::Done { residue, .. } if !residue.is_empty() => Some(format!("it leaves {residue:?}")),
            _ => None,
        }));
    }
    let told = format!("rolled back after record {records}: {scenario:#?}\n{carried:?}");
    match (wrong.is_empty(), back) {
        (false, _) => Verdict::Wrong(format!("{}\n{told}", wrong.join("\n"))),
        (true, false) => Verdict::Person(told),
        (true, true) => Verdict::Well,
    }
}
