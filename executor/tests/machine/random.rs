//! Random plans in random weather with crashes anywhere: whatever happens, the run ends and accounts for all of it.

use proptest::prelude::*;
use switchback_executor::machine::{Machine, Phase, Rest};
use switchback_schemas::{
    journal::{At, End, Event, Record, RollbackScope, SideKind, Way},
    name::SavepointId,
    plan::{Action, Plan, Undo},
};

use super::{
    drive::{Drive, start},
    plans::{Random, part, random},
    world::{Weather, World},
};

/// Runs one seed to its end. People answer holds; after a while the weather clears.
fn run_seed(seed: u64, weather: Weather, crashes: u64) -> (Drive, End) {
    let mut drive = begun(seed, |_, _| {});
    drive.weather = weather;
    drive.crashes = crashes;
    let end = to_its_end(&mut drive);
    (drive, end)
}

/// The run of a random plan, changed by a function.
pub fn begun(seed: u64, change: impl FnOnce(&mut Plan, &mut Random)) -> Drive {
    let mut numbers = Random(seed);
    let mut plan = random(&mut numbers);
    change(&mut plan, &mut numbers);
    let mut world = World::default();
    for step in &plan.steps {
        if let Action::Roll(roll) = &step.work.action {
            world.add_pool(roll.pool.as_str(), 2 + numbers.below(5), start());
        }
    }
    Drive::new(plan, world, seed ^ 0x5eed)
}

/// Carries a run on to its end.
pub fn to_its_end(drive: &mut Drive) -> End {
    let mut rests = 0;
    loop {
        let rest = drive.rest();
        rests += 1;
        if rests > 12 {
            drive.weather = Weather::default();
            drive.crashes = 0;
        }
        match rest {
            Rest::Ended(end) => return end,
            Rest::Superseded(by) => panic!("superseded by {by}"),
            Rest::Parked { wake_at, .. } => {
                let later = drive.now.checked_add(jiff::SignedDuration::from_mins(20)).unwrap();
                drive.now = wake_at.unwrap_or(later).max(drive.now);
            }
            Rest::Held { .. } => {
                nobody_is_left_cordoned(drive);
                let says = what_a_person_says(drive, rests);
                drive.say(says);
            }
        }
        drive.take_over();
    }
}

/// Nodes that were touched and are still to be replaced are schedulable again when a roll holds, unless its end began or
/// letting it go failed.
fn nobody_is_left_cordoned(drive: &Drive) {
    let state = drive.machine.state();
    let Some(at) = state.hold.as_ref().and_then(|hold| hold.at.as_ref()) else { return };
    let roll = At { item: None, ..at.clone() };
    let Some(batch) = state.roll(&roll).and_then(|roll| roll.batch.as_ref()) else { return };
    if (roll.way == Way::Rollback) != state.back.is_some() {
        return;
    }
    for item in &batch.items {
        let Some(node) = drive.world.nodes.iter().find(|node| node.key == item.key.as_str()) else {
            continue;
        };
        let places = state.tasks.iter().filter(|(at, _)| {
            at.step == roll.step && at.item.as_ref().is_some_and(|place| place.key == item.key)
        });
        let ending = places.clone().any(|(at, task)| {
            at.item.as_ref().is_some_and(|item| item.recipe.as_str() == "delete") && task.may_have_acted()
        });
        let unsure = places.clone().any(|(at, task)| {
            let releases = at.item.as_ref().is_some_and(|item| item.let_go == (roll.way == Way::Rollback));
            at.way == Way::Rollback && releases && !task.phase.is_finished()
        });
        let skipped = places.clone().any(|(_, task)| task.phase == Phase::Skipped);
        assert!(!node.cordoned || ending || unsure || skipped, "{} is left cordoned", node.key);
    }
}

fn what_a_person_says(drive: &mut Drive, rests: u64) -> SideKind {
    let reason = || "a test".to_owned();
    let back = |name: &str| SideKind::Rollback {
        scope: RollbackScope::Savepoint(SavepointId::new(name).unwrap()),
        reason: reason(),
    };
    let failed = drive.machine.state().tasks.iter().find(|(_, task)| task.phase.is_failed());
    let failed = failed.map(|(at, _)| at.step.clone());
    if rests > 60 {
        return SideKind::Abandon { reason: reason() };
    }
    match (drive.random.below(if rests > 25 { 3 } else { 8 }), failed) {
        (0, _) => back("start"),
        (1, _) => back("middle"),
        (2 | 3, _) => SideKind::Continue { reason: reason() },
        (4, _) if rests > 8 => SideKind::Abandon { reason: reason() },
        (_, Some(step)) => SideKind::Retry { step, reason: reason() },
        (_, None) => SideKind::Continue { reason: reason() },
    }
}

/// Everything that the world took is done, undone, or named.
fn accounted(drive: &Drive, end: End) {
    let plan = &drive.index.plan;
    let state = drive.machine.state();
    let (_, residue) = state.ended.clone().unwrap();
    let named = |step: &str| residue.iter().any(|left| left.to_string().contains(step));
    let kept: Vec<&str> = match (&state.back, end) {
        (_, End::Complete) => plan.steps.iter().map(|step| part(&step.id)).collect(),
        (Some(back), _) => {
            let outside = plan.steps.iter().filter(|step| !back.steps.contains(&step.id));
            outside.map(|step| part(&step.id)).collect()
        }
        (None, _) => Vec::new(),
    };
    for what in &drive.world.done {
        let read_only =
            plan.steps.iter().any(|s| part(&s.id) == what && matches!(s.undo, Undo::Unneeded { .. }));
        assert!(
            kept.contains(&what.as_str()) || named(what) || read_only,
            "{what} is left without a word: {residue:?}"
        );
    }
    for node in drive.world.nodes.iter().filter(|node| node.cordoned) {
        assert!(
            named(&node.key) || named(&node.pool),
            "{node:?} is left cordoned without a word: {residue:?}"
        );
    }
    if end == End::Complete {
        for step in plan.steps.iter().filter(|step| matches!(step.work.action, Action::Effect(_))) {
            assert!(drive.world.done.contains(part(&step.id)), "{} is not done", step.id);
        }
        assert!(drive.world.nodes.iter().all(|node| node.new && !node.cordoned), "{:?}", drive.world.nodes);
    }
    if matches!(end, End::RolledBack | End::RolledBackSuspended) {
        for node in &drive.world.nodes {
            let kept = kept.contains(&node.pool.as_str());
            let doubt = named(&node.pool);
            assert!(!node.cordoned || doubt, "{node:?} is left cordoned: {residue:?}");
            assert!(kept || !node.new || doubt, "{node:?} was not taken back: {residue:?}");
        }
    }
}

/// Steps come after what they need, in the world's own log.
fn in_order(drive: &Drive) {
    let mut done: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
    let effect = |step: &switchback_schemas::plan::Step| matches!(step.work.action, Action::Effect(_));
    for landed in &drive.world.log {
        let Some(what) = landed.what.strip_prefix("do ") else {
            if let Some(what) = landed.what.strip_prefix("undo ") {
                done.remove(what);
            }
            continue;
        };
        let step = drive.index.plan.steps.iter().find(|step| part(&step.id) == what).unwrap();
        for need in &step.needs {
            let needed = drive.index.plan.step(&need.step).unwrap();
            assert!(!effect(needed) || done.contains(part(&need.step)), "{what} before {}", need.step);
        }
        done.insert(what);
    }
}

/// Calls that must not be repeated blindly are not; one token is one effect.
fn not_doubled(drive: &Drive) {
    for step in &drive.index.plan.steps {
        let forward = At::forward(&step.id);
        let never = step.work.retry == switchback_schemas::plan::RetryClass::Never;
        let mut last: Option<&Record> = None;
        for record in &drive.records {
            match &record.event {
                Event::Intent { at, .. } if *at == forward => {
                    let again = last.is_some_and(|last| !matches!(last.event, Event::Retry { .. }));
                    let blocked = matches!(
                        last.map(|last| &last.event),
                        Some(Event::Ended {
                            outcome: switchback_schemas::journal::Outcome::Blocked { .. },
                            ..
                        })
                    );
                    assert!(!never || !again || blocked, "{} is called again by itself", step.id);
                    last = Some(record);
                }
                Event::Ended { at, .. } | Event::Retry { at, .. } if *at == forward => last = Some(record),
                Event::TurnedForward { .. } => last = None,
                _ => {}
            }
        }
    }
}

fn check(seed: u64, weather: Weather, crashes: u64) -> End {
    let (mut drive, end) = run_seed(seed, weather, crashes);
    accounted(&drive, end);
    in_order(&drive);
    not_doubled(&drive);
    let records = drive.records.len();
    assert!(
        matches!(drive.step(), Some(Rest::Ended(again)) if again == end),
        "a finished run stays finished"
    );
    assert_eq!(drive.records.len(), records, "and writes nothing");
    end
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_run_ends_and_accounts_for_everything(seed in any::<u64>()) {
        check(seed, Weather { faults: 12, unreadable: 6, unhealthy: 6, vanishing: 3 }, 2);
    }

    #[test]
    fn crashes_alone_change_nothing(seed in any::<u64>()) {
        let (drive, end) = run_seed(seed, Weather::default(), 8);
        let never = drive.index.plan.steps.iter().any(|step| {
            step.work.retry != switchback_schemas::plan::RetryClass::Idempotent || step.work.done_when.is_none()
        });
        prop_assert!(end == End::Complete || never, "{end:?}");
    }

    #[test]
    fn a_calm_run_does_each_effect_once(seed in any::<u64>()) {
        let (drive, end) = run_seed(seed, Weather::default(), 0);
        prop_assert_eq!(end, End::Complete);
        prop_assert!(drive.world.times().values().all(|times| *times == 1));
    }

    #[test]
    fn from_every_prefix_there_is_a_way_back(seed in any::<u64>(), cut in any::<prop::sample::Index>()) {
        let (whole, _) = run_seed(seed, Weather::default(), 0);
        let moves = cut.index(usize::try_from(whole.moves).unwrap());
        let mut drive = Drive::new((*whole.index.plan).clone(), fresh(&whole), seed ^ 0x5eed);
        for _ in 0..moves {
            if drive.step().is_some() {
                return Ok(());
            }
        }
        if drive.machine.state().is_over() {
            return Ok(());
        }
        drive.say(SideKind::Rollback {
            scope: RollbackScope::Savepoint(SavepointId::new("start").unwrap()),
            reason: "a test".to_owned(),
        });
        drive.take_over();
        let undoable = |step: &switchback_schemas::StepId| {
            drive.index.plan.step(step).unwrap().undo == Undo::Rollback {}
        };
        let changed = drive.machine.state().started().iter().any(undoable);
        match drive.rest() {
            Rest::Ended(End::RolledBack | End::RolledBackSuspended) => {
                accounted(&drive, End::RolledBack);
                in_order(&drive);
            }
            // Nothing had been changed: the request is refused, and the run goes on.
            Rest::Ended(End::Complete) => prop_assert!(!changed),
            // A call that cannot be repeated was under way.
            rest => prop_assert!(matches!(rest, Rest::Held { .. } | Rest::Parked { .. }), "{rest:?}"),
        }
    }

    #[test]
    fn every_prefix_of_a_journal_can_be_taken_up(seed in any::<u64>()) {
        let (drive, _) = run_seed(seed, Weather { faults: 12, unreadable: 4, unhealthy: 4, vanishing: 3 }, 2);
        let mut machine = Machine::of(std::sync::Arc::clone(&drive.index), switchback_executor::machine::Settings::default());
        for record in &drive.records {
            machine.apply(record).unwrap();
            let seq = machine.state().records;
            prop_assert_eq!(seq, record.seq + 1);
        }
        // No record may be left out or come twice.
        let gap = drive.records.len() / 2;
        let mut machine = Machine::of(std::sync::Arc::clone(&drive.index), switchback_executor::machine::Settings::default());
        let without = drive.records.iter().enumerate().filter(|(n, _)| *n != gap).map(|(_, r)| r);
        prop_assert!(without.into_iter().try_for_each(|record| machine.apply(record)).is_err() || gap + 1 == drive.records.len());
    }
}

fn fresh(whole: &Drive) -> World {
    let mut world = World::default();
    for step in &whole.index.plan.steps {
        if let Action::Roll(roll) = &step.work.action {
            world.add_pool(roll.pool.as_str(), 4, start());
        }
    }
    world
}
