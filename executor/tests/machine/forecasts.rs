//! A forecast against the machine: where every step takes what it is expected to take, a run begins and ends its steps when the
//! forecast says, through windows, freezes, groups and rolls.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use switchback_executor::machine::{Command, Rest, What};
use switchback_model::{Graph, forecast::forecast};
use switchback_schemas::{
    Seconds,
    journal::{At, End, Event},
    plan::{Action, Day, Disruption, Estimate, FailureAction, Gate, GateKind, Plan, Step, Window, WindowUse},
};

use super::{
    drive::{Drive, start},
    plans::{Drawn, label, part, plan, roll, step, suspension},
    world::{Weather, World},
};

const MINUTE: u64 = 60;

/// A step without proofs: it takes as long as its call.
fn bare(mut step: Drawn, expected: u64, p90: u64) -> Drawn {
    step.work.verify.clear();
    step.work.done_when = None;
    step.work.estimate = Estimate::seconds(expected * MINUTE, p90 * MINUTE);
    step.on_failure.action = FailureAction::Hold;
    step.rollback.work.estimate = Estimate::seconds(MINUTE, p90 * MINUTE);
    step
}

/// Moves `nodes` one at a time, each batch in as many minutes.
fn rolls(name: &str, needs: &[&str], nodes: u64, minutes: u64) -> Drawn {
    let mut step = bare(roll(name, needs, "pool"), 0, 0);
    let Action::Roll(rule) = &mut step.work.action else { panic!("it rolls") };
    rule.batch = switchback_schemas::plan::Count::Nodes(1);
    rule.verify.clear();
    rule.soak = Seconds::minutes(7);
    rule.min_ready = 0;
    rule.observed = nodes;
    for recipe in &mut rule.recipe {
        recipe.work.done_when = None;
        recipe.work.verify.clear();
        recipe.work.estimate = Estimate::seconds(minutes * MINUTE / 3, minutes * MINUTE / 2);
    }
    let each: u64 = rule.recipe.iter().map(|recipe| recipe.work.estimate.expected.0).sum();
    let whole = nodes * (each + rule.soak.0);
    step.work.estimate = Estimate::seconds(whole, whole * 2);
    step
}

/// When the steps of a run really began and ended.
fn ran(plan: &Plan, nodes: u64) -> BTreeMap<String, (Timestamp, Timestamp)> {
    let mut world = World::default();
    world.add_pool("pool", nodes, start());
    let mut drive = Drive::new(plan.clone(), world, 7);
    // What is under way: its end, in the order in which it began.
    let mut under_way: BTreeMap<(Timestamp, u64), Command> = BTreeMap::new();
    let takes = |command: &Command| match (&command.what, &command.at.item) {
        (What::Apply(_), None) => plan.step(&command.at.step).expect("a step").work.estimate.expected,
        (What::Apply(_), Some(item)) => {
            let Some(Action::Roll(roll)) = plan.step(&command.at.step).map(|step| &step.work.action) else {
                panic!("an item is of a roll")
            };
            let recipe = roll.recipe.iter().find(|recipe| recipe.name == item.recipe);
            recipe.expect("it is of the recipe").work.estimate.expected
        }
        _ => Seconds(0),
    };
    for _ in 0..20_000 {
        let decision = drive.machine.poll(drive.now);
        for command in decision.start {
            let end = i64::try_from(takes(&command).0).expect("a length");
            let end = drive.now.checked_add(SignedDuration::from_secs(end)).expect("an instant");
            under_way.insert((end, command.id), command);
        }
        match decision.rest {
            Some(Rest::Ended(End::Complete)) => return times(&drive),
            Some(Rest::Parked { wake_at, .. }) => {
                drive.now = wake_at.expect("only time is waited for").max(drive.now);
                drive.take_over();
                continue;
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        if !decision.append.is_empty() {
            decision.append.into_iter().for_each(|event| drive.write(event));
            continue;
        }
        let next = under_way.first_key_value().map(|((end, _), _)| *end).into_iter().chain(decision.wake_at);
        drive.now = next.min().expect("something is waited for").max(drive.now);
        while let Some(entry) = under_way.first_entry().filter(|entry| entry.key().0 <= drive.now) {
            let command = entry.remove();
            let answer = drive.world.answer(&command, &mut drive.random, Weather::default(), drive.now);
            drive.machine.answered(command.id, answer, drive.now);
        }
    }
    panic!("the run does not come to its end")
}

fn times(drive: &Drive) -> BTreeMap<String, (Timestamp, Timestamp)> {
    let mut times: BTreeMap<String, (Timestamp, Timestamp)> = BTreeMap::new();
    for record in &drive.records {
        let (Event::Intent { at, .. } | Event::Frozen { at, .. } | Event::Verified { at, .. }) =
            &record.event
        else {
            continue;
        };
        let At { step, item: None, .. } = at else { continue };
        times.entry(part(step).to_owned()).or_insert((record.at, record.at)).1 = record.at;
    }
    times
}

fn window(used_for: WindowUse, days: Vec<Day>, hour: i8, hours: u64) -> Window {
    let name = if used_for == WindowUse::Freeze { "freeze" } else { "window" };
    Window {
        name: label(name),
        used_for,
        zone: "Europe/Berlin".to_owned(),
        days,
        start: jiff::civil::time(hour, 0, 0, 0),
        length: Seconds::hours(hours),
    }
}

/// `a` before, `b` opens, `c` and `d` beside each other, `e` closes, `f` a roll, `g` after. `a` and `g` wait for no window.
fn of(lengths: &[(u64, u64)], (nodes, minutes): (u64, u64), grouped: bool, windows: Vec<Window>) -> Plan {
    let of =
        |n: usize, name, needs: &[&str]| bare(step(name, needs), lengths[n].0, lengths[n].0 + lengths[n].1);
    let mut steps = vec![
        of(0, "a", &[]),
        of(1, "b", &["a"]),
        of(2, "c", &["b"]),
        of(3, "d", &["b"]),
        of(4, "e", &["c", "d"]),
        rolls("f", &["e"], nodes, minutes),
        of(5, "g", &["f"]),
    ];
    if grouped {
        steps[2].work.disruption = Disruption::Outage;
    }
    for step in &mut steps[1..6] {
        step.gates.push(label("gate"));
    }
    let mut plan = plan(steps);
    plan.windows = windows;
    plan.suspensions.push(suspension("b", "e"));
    plan.gates.push(Gate {
        id: label("gate"),
        title: "a window".to_owned(),
        kind: GateKind::Window(WindowUse::Forward),
        may_override: false,
    });
    plan
}

/// What the forecast says, if every step finds room.
fn expected(plan: &Plan) -> Option<BTreeMap<String, (Timestamp, Timestamp)>> {
    let graph = Graph::of(plan).expect("a DAG");
    let forecast = forecast(plan, &graph, start(), &BTreeMap::new()).expect("zones are known");
    let of = |step: &Step| forecast.of(&step.id).map(|e| (part(&step.id).to_owned(), (e.begins, e.ends)));
    plan.steps.iter().map(of).collect()
}

#[test]
fn a_roll_rests_where_a_window_has_no_room_for_another_batch() {
    // It begins at 11:00 in Berlin. Batches of 30 minutes, 45 nine times of ten, each watched for 7: in a window of two hours
    // the third one begins at 12:14, and there is no room for a fourth.
    let lengths = [(0, 0); 6];
    let plan = of(&lengths, (4, 30), false, vec![window(WindowUse::Forward, vec![], 11, 2)]);
    let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let roll = (at("2026-11-20T10:00:00Z"), at("2026-11-21T10:37:00Z"));
    assert_eq!(expected(&plan).expect("it ends")["f"], roll);
    assert_eq!(ran(&plan, 4)["f"], roll);
}

#[test]
fn a_group_that_does_not_fit_waits_as_a_whole() {
    // Ten minutes each; with its rollback the group needs 2 h 10 min of a window that is open for two hours more.
    let lengths = [(10, 10); 6];
    let windows = || vec![window(WindowUse::Forward, vec![], 10, 3)];
    let at = |text: &str| Some(text.parse::<Timestamp>().expect("an instant"));
    let begins = |plan: &Plan| (expected(plan).map(|of| of["b"].0), ran(plan, 1).get("b").map(|of| of.0));
    let apart = at("2026-11-20T10:10:00Z");
    assert_eq!(begins(&of(&lengths, (1, 3), false, windows())), (apart, apart));
    let together = at("2026-11-21T09:00:00Z");
    assert_eq!(begins(&of(&lengths, (1, 3), true, windows())), (together, together));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_run_begins_and_ends_its_steps_when_the_forecast_says(
        lengths in proptest::collection::vec((0_u64..90, 0_u64..60), 6),
        roll in (1_u64..6, 1_u64..60),
        grouped in any::<bool>(),
        (hour, hours) in (0_i8..24, 1_u64..14),
        freeze in proptest::option::of((0_i8..24, 1_u64..10)),
        weekend in any::<bool>(),
    ) {
        let days = if weekend { vec![Day::Sat, Day::Sun] } else { Vec::new() };
        let mut windows = vec![window(WindowUse::Forward, days, hour, hours)];
        windows.extend(freeze.map(|(hour, hours)| window(WindowUse::Freeze, Vec::new(), hour, hours)));
        let plan = of(&lengths, roll, grouped, windows);
        // What never finds room, no run gets through either.
        if let Some(expected) = expected(&plan) {
            prop_assert_eq!(ran(&plan, roll.0), expected);
        }
    }
}
