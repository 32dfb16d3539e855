//! Worked cases of forecasts and of the times of rollbacks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use switchback_schemas::{
    Seconds,
    name::{Label, SavepointId},
    plan::{
        Day, Estimate, ExpiresAt, Expiry, Gate, GateKind, Plan, PointOfNoReturn, Savepoint, UndoKind, Window,
        WindowUse,
    },
    report::ExpiringRollback,
};

use crate::{
    Graph,
    decide::{RollbackTimes, Stand, times},
    forecast::{Ran, forecast},
    rollback_order::{RollbackOrder, rollback_order},
    schedule,
    testing::{Drawn, id, plan, step},
    windows::Windows,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn takes(name: &str, needs: &[&str], forward: u64, back: u64) -> Drawn {
    let mut step = step(name, needs);
    step.work.estimate = Estimate::seconds(forward, forward);
    step.rollback.work.estimate = Estimate::seconds(back / 2, back);
    step
}

/// A minor of a cluster: its control plane, add-ons, nodes; rolling back, the control plane comes last.
fn minor(closes: Vec<ExpiresAt>) -> Vec<Drawn> {
    let mut control_plane = takes("a-control-plane", &[], 30 * MINUTE, HOUR);
    control_plane.rollback.kind = UndoKind::Window;
    control_plane.rollback.expires =
        closes.into_iter().map(|at| Expiry { at, why: "EKS takes back one minor".to_owned() }).collect();
    vec![
        control_plane,
        takes("b-addons", &["a-control-plane"], 10 * MINUTE, 30 * MINUTE),
        takes("c-nodes", &["b-addons"], 2 * HOUR, 2 * HOUR),
    ]
}

fn week() -> ExpiresAt {
    ExpiresAt::After(Seconds(7 * DAY))
}

fn window(used_for: WindowUse, days: &[Day], start: (i8, i8), hours: u64) -> Window {
    Window {
        name: Label::new("w").expect("a name"),
        used_for,
        zone: "Europe/Berlin".to_owned(),
        days: days.to_vec(),
        start: jiff::civil::time(start.0, start.1, 0, 0),
        length: Seconds(hours * HOUR),
    }
}

fn back_of(plan: &Plan, started: &[&str]) -> RollbackOrder {
    let graph = Graph::of(plan).expect("a DAG");
    let start = Savepoint { frontier: Vec::new(), ..plan.savepoints[0].clone() };
    rollback_order(plan, &graph, &started.iter().map(|name| id(name)).collect(), &start)
}

/// The times of the rollback of everything, if the run begins at an instant and nothing was started.
fn whole(steps: Vec<Drawn>, windows: Vec<Window>, from: &str) -> Option<RollbackTimes> {
    let plan = Plan { windows, ..plan(steps) };
    back(&plan, &["a-control-plane", "b-addons", "c-nodes"], from)
}

fn back(plan: &Plan, started: &[&str], from: &str) -> Option<RollbackTimes> {
    let graph = Graph::of(plan).expect("a DAG");
    let forecast = forecast(plan, &graph, at(from), &BTreeMap::new()).expect("zones are known");
    let way = back_of(plan, started);
    times(plan, &way, &forecast, &Windows::back(&plan.windows).expect("zones are known"), at(from))
}

/// What closes a rollback or delays it, each worked by hand. The control plane moves in 30 minutes, its add-ons in 10, its nodes in
/// two hours; back, nodes take up to two hours, add-ons 30 minutes, the control plane one hour, and half of that as a rule.
#[test]
fn the_three_times_of_a_way_back_are_these() {
    let support = |text: &str| ExpiresAt::Instant(at(text));
    let gated_next = |mut plan: Plan| {
        let next = takes("d-next", &["c-nodes"], 30 * MINUTE, HOUR);
        plan.steps.push(next.step);
        plan.rollback.push(next.rollback);
        let gate = Label::new("window").expect("a name");
        plan.steps[3].gates.push(gate.clone());
        let kind = GateKind::Window(WindowUse::Forward);
        plan.gates.push(Gate { id: gate, title: String::new(), kind, may_override: true });
        plan
    };
    let minor_that = |closes| plan(minor(closes));
    let mut short = minor(vec![support("2027-03-28T05:00:00Z")]);
    short[2].rollback.work.estimate = Estimate::seconds(45 * MINUTE, 90 * MINUTE);
    let cases = [
        // 30 min after the begin, and seven days; 2 h and 30 min before that the nodes begin.
        (
            "window of the platform",
            minor_that(vec![week()]),
            "2026-12-14T02:30:00Z",
            "2026-12-14T00:00:00Z",
            105,
        ),
        (
            "end of support",
            minor_that(vec![week(), support("2026-12-10T00:00:00Z")]),
            "2026-12-10T00:00:00Z",
            "2026-12-09T21:30:00Z",
            105,
        ),
        // The next step begins when the nodes are through, at 04:40Z.
        (
            "closing step",
            gated_next(minor_that(vec![week(), ExpiresAt::Start(id("d-next"))])),
            "2026-12-07T04:40:00Z",
            "2026-12-07T02:10:00Z",
            105,
        ),
        // With its rollback it takes 90 minutes, which are not left until 06:00Z: the next night it begins at 01:00Z.
        (
            "closing step that waits for a maintenance window",
            Plan {
                windows: vec![window(WindowUse::Forward, &[], (2, 0), 5)],
                ..gated_next(minor_that(vec![week(), ExpiresAt::Start(id("d-next"))]))
            },
            "2026-12-08T01:00:00Z",
            "2026-12-07T22:30:00Z",
            105,
        ),
        // Saturday the 12th, 01:00Z to 05:00Z: the control plane from 04:00Z, add-ons from 03:30Z, nodes from 01:30Z.
        (
            "rollback window",
            Plan {
                windows: vec![window(WindowUse::Rollback, &[Day::Sat], (2, 0), 4)],
                ..minor_that(vec![week()])
            },
            "2026-12-14T02:30:00Z",
            "2026-12-12T01:30:00Z",
            105,
        ),
        // Berlin skips 02:30 on that Sunday: the window is open from 01:00Z to 04:00Z. The control plane from 03:00Z, add-ons from
        // 02:30Z, nodes, which take 90 minutes here, from 01:00Z.
        (
            "clock that is changed",
            Plan { windows: vec![window(WindowUse::Rollback, &[], (2, 30), 3)], ..plan(short) },
            "2027-03-28T05:00:00Z",
            "2027-03-28T01:00:00Z",
            90,
        ),
    ];
    for (name, plan, expires_at, decide_by, minutes) in cases {
        let back = back_of(&plan, &["a-control-plane", "b-addons", "c-nodes"]);
        assert_eq!(schedule::takes(&plan, &back), Seconds(minutes * MINUTE), "{name}");
        let found = self::back(&plan, &["a-control-plane", "b-addons", "c-nodes"], "2026-12-07T02:00:00Z");
        let found = found.unwrap_or_else(|| panic!("{name}: it closes"));
        assert_eq!((found.expires_at, found.decide_by), (at(expires_at), Some(at(decide_by))), "{name}");
    }
}

#[test]
fn a_way_back_is_decided_so_early_that_what_closes_last_still_begins() {
    // Columns: what closes it, rollback windows, when the run begins, when it closes, by when one decides. The control plane
    // ends 30 minutes after the begin; rolling back takes 2 h for nodes and 30 min for add-ons before its turn comes.
    let saturdays = || vec![window(WindowUse::Rollback, &[Day::Sat], (2, 0), 4)];
    let support = |text: &str| ExpiresAt::Instant(at(text));
    let cases = [
        (
            "seven days",
            vec![week()],
            vec![],
            "2026-12-07T02:00:00Z",
            "2026-12-14T02:30:00Z",
            "2026-12-14T00:00:00Z",
        ),
        (
            "the end of support comes first",
            vec![week(), support("2026-12-10T00:00:00Z")],
            vec![],
            "2026-12-07T02:00:00Z",
            "2026-12-10T00:00:00Z",
            "2026-12-09T21:30:00Z",
        ),
        (
            "the end of support comes later",
            vec![week(), support("2027-03-23T00:00:00Z")],
            vec![],
            "2026-12-07T02:00:00Z",
            "2026-12-14T02:30:00Z",
            "2026-12-14T00:00:00Z",
        ),
        // Saturday 12 December, 02:00 to 06:00 in Berlin: 01:00Z to 05:00Z. The control plane needs an hour of it.
        (
            "one Saturday is left",
            vec![week()],
            saturdays(),
            "2026-12-08T01:00:00Z",
            "2026-12-15T01:30:00Z",
            "2026-12-12T01:30:00Z",
        ),
        // It closes on that Saturday at 03:30Z: add-ons from 03:00Z, nodes from 01:00Z.
        (
            "it closes in the middle of the window",
            vec![week(), support("2026-12-12T03:30:00Z")],
            saturdays(),
            "2026-12-08T01:00:00Z",
            "2026-12-12T03:30:00Z",
            "2026-12-12T01:00:00Z",
        ),
        // At 03:20Z there is no room for the nodes before the add-ons any more: they roll back the Saturday before.
        (
            "the nodes do not fit before it",
            vec![support("2026-12-12T03:20:00Z")],
            saturdays(),
            "2026-12-01T01:00:00Z",
            "2026-12-12T03:20:00Z",
            "2026-12-05T03:00:00Z",
        ),
    ];
    for (name, closes, windows, from, expires_at, decide_by) in cases {
        let found = whole(minor(closes), windows, from).unwrap_or_else(|| panic!("{name}: it closes"));
        assert_eq!(found.expires_at, at(expires_at), "{name}");
        assert_eq!(found.decide_by, Some(at(decide_by)), "{name}");
        assert_eq!(found.step, id("a-control-plane"), "{name}");
    }
}

#[test]
fn the_clock_is_changed_inside_of_a_window() {
    // Berlin goes from 02:00 to 03:00 on 2027-03-28: the window of 02:30 begins at 01:00Z and lasts three hours.
    let nightly = || vec![window(WindowUse::Rollback, &[], (2, 30), 3)];
    let only = |length: u64, closes: &str| {
        let mut steps = minor(vec![ExpiresAt::Instant(at(closes))]);
        steps.truncate(1);
        steps[0].rollback.work.estimate = Estimate::seconds(length, length);
        steps
    };
    let decide = |length, closes: &str, from: &str| {
        let plan = Plan { windows: nightly(), ..plan(only(length, closes)) };
        back(&plan, &["a-control-plane"], from).expect("it closes").decide_by
    };
    let spring = decide(3 * HOUR, "2027-03-28T05:00:00Z", "2027-03-26T00:00:00Z");
    assert_eq!(spring, Some(at("2027-03-28T01:00:00Z")), "what was skipped is not lost");
    // On 2027-10-31 it has 02:00 to 03:00 twice; the window begins at the first 02:30, 00:30Z, and ends at 03:30Z.
    let autumn = decide(HOUR, "2027-10-31T03:00:00Z", "2027-10-29T00:00:00Z");
    assert_eq!(autumn, Some(at("2027-10-31T02:30:00Z")), "what is doubled counts once");
    let never = decide(4 * HOUR, "2027-10-31T03:00:00Z", "2027-10-29T00:00:00Z");
    assert_eq!(never, None, "four hours fit into no window of three");
}

#[test]
fn the_start_of_a_later_step_closes_it() {
    let mut steps = minor(vec![week(), ExpiresAt::Start(id("d-next"))]);
    steps.push(takes("d-next", &["c-nodes"], 30 * MINUTE, HOUR));
    let found = whole(steps.clone(), Vec::new(), "2026-12-07T02:00:00Z").expect("it closes");
    assert_eq!(found.expires_at, at("2026-12-07T04:40:00Z"), "30 min, 10 min and 2 h after the begin");
    assert_eq!(
        found.decide_by,
        Some(at("2026-12-07T02:10:00Z")),
        "before it was even verified: a bake has to be asked for"
    );

    // Where it is a point of no return it waits for a person, and time closes nothing before the seven days.
    let line = PointOfNoReturn {
        id: Label::new("line").expect("a name"),
        step: id("d-next"),
        ends: String::new(),
        recovery: String::new(),
    };
    let with_line = Plan { points: vec![line], ..plan(steps) };
    let found = back(&with_line, &["a-control-plane"], "2026-12-07T02:00:00Z").expect("it closes");
    assert_eq!(found.expires_at, at("2026-12-14T02:30:00Z"));
    let graph = Graph::of(&with_line).expect("a DAG");
    let begun = Ran { began: at("2026-12-08T00:00:00Z"), ended: None };
    let ran = BTreeMap::from([(id("d-next"), begun)]);
    let forecast = forecast(&with_line, &graph, at("2026-12-07T02:00:00Z"), &ran).expect("zones are known");
    let start = Savepoint { frontier: Vec::new(), ..with_line.savepoints[0].clone() };
    let way = rollback_order(&with_line, &graph, &[id("a-control-plane")].into(), &start);
    let seen = at("2026-12-09T00:00:00Z");
    let found = times(&with_line, &way, &forecast, &Windows::always(), seen).expect("it closes");
    assert_eq!(found.expires_at, at("2026-12-08T00:00:00Z"), "it was crossed");
    assert_eq!(found.stand, Stand::Expired);
}

#[test]
fn what_is_looked_at_too_late_is_late_and_then_closed() {
    // Decide by midnight of the 14th, closes two and a half hours later.
    let told = |found: RollbackTimes| ExpiringRollback {
        to: SavepointId::new("start").expect("a savepoint"),
        decide_by: found.decide_by,
        expires_at: found.expires_at,
        why: found.why,
        step: found.step,
    };
    let open = whole(minor(vec![week()]), Vec::new(), "2026-12-07T02:00:00Z").expect("it closes");
    assert_eq!(open.stand, Stand::Open);
    let open = told(open);
    let short = vec![window(WindowUse::Rollback, &[], (2, 0), 1)];
    let no_room = whole(minor(vec![week()]), short, "2026-12-07T02:00:00Z").expect("it closes");
    assert_eq!((no_room.decide_by, no_room.stand), (None, Stand::Late), "no window has room for the nodes");
    let no_room = told(no_room);
    let cases = [
        (&open, "2026-12-13T00:00:00Z", Stand::Open),
        (&open, "2026-12-14T00:00:00Z", Stand::Open),
        (&open, "2026-12-14T00:00:01Z", Stand::Late),
        (&open, "2026-12-14T02:29:59Z", Stand::Late),
        (&open, "2026-12-14T02:30:00Z", Stand::Expired),
        (&open, "2027-01-01T00:00:00Z", Stand::Expired),
        (&no_room, "2026-12-13T00:00:00Z", Stand::Late),
        (&no_room, "2026-12-14T02:30:00Z", Stand::Expired),
    ];
    for (way, seen, stand) in cases {
        assert_eq!(RollbackTimes::of(way, at(seen)).stand, stand, "{way:?} at {seen}");
    }
}

#[test]
fn what_nothing_closes_has_no_times() {
    assert_eq!(whole(minor(Vec::new()), Vec::new(), "2026-12-07T02:00:00Z"), None);
    let unknown = vec![ExpiresAt::Start(id("never-there"))];
    assert_eq!(whole(minor(unknown), Vec::new(), "2026-12-07T02:00:00Z"), None);
}

#[test]
fn what_did_happen_counts_and_not_what_was_expected() {
    let plan = plan(minor(vec![week()]));
    let graph = Graph::of(&plan).expect("a DAG");
    let late = Ran { began: at("2026-12-07T02:00:00Z"), ended: Some(at("2026-12-07T05:00:00Z")) };
    let ran = BTreeMap::from([(id("a-control-plane"), late)]);
    let forecast = forecast(&plan, &graph, at("2026-12-07T06:00:00Z"), &ran).expect("zones are known");
    let ends = |name: &str| forecast.of(&id(name)).expect("it runs").ends;
    assert_eq!(ends("b-addons"), at("2026-12-07T06:10:00Z"), "what is left begins now");
    let start = Savepoint { frontier: Vec::new(), ..plan.savepoints[0].clone() };
    let way = rollback_order(&plan, &graph, &[id("a-control-plane")].into(), &start);
    let found =
        times(&plan, &way, &forecast, &Windows::always(), at("2026-12-07T06:00:00Z")).expect("it closes");
    assert_eq!(
        (found.expires_at, found.decide_by),
        (at("2026-12-14T05:00:00Z"), Some(at("2026-12-14T05:00:00Z")))
    );
}

/// The minor with a window gate on every step.
fn gated(windows: Vec<Window>) -> Plan {
    let mut steps = minor(vec![week()]);
    for step in &mut steps {
        step.gates.push(Label::new("window").expect("a name"));
    }
    let gate = Gate {
        id: Label::new("window").expect("a name"),
        title: String::new(),
        kind: GateKind::Window(WindowUse::Forward),
        may_override: true,
    };
    Plan { windows, gates: vec![gate], ..plan(steps) }
}

fn begins(plan: &Plan, from: &str) -> Vec<String> {
    let graph = Graph::of(plan).expect("a DAG");
    let forecast = forecast(plan, &graph, at(from), &BTreeMap::new()).expect("zones are known");
    let steps = plan.steps.iter().map(|step| forecast.of(&step.id));
    steps.map(|step| step.map_or_else(|| "never".to_owned(), |step| step.begins.to_string())).collect()
}

#[test]
fn a_forecast_waits_for_windows_that_have_room_for_the_way_back_too() {
    let nightly = || window(WindowUse::Forward, &[], (2, 0), 5);
    let plan = gated(vec![nightly()]);
    // 01:00Z to 06:00Z. The nodes need four hours with their rollback, which are not left after the add-ons.
    let night = ["2026-12-08T01:00:00Z", "2026-12-08T01:30:00Z", "2026-12-08T01:40:00Z"];
    assert_eq!(begins(&plan, "2026-12-07T12:00:00Z"), night);
    let short = ["2026-12-08T03:00:00Z", "2026-12-08T03:30:00Z", "2026-12-09T01:00:00Z"];
    assert_eq!(begins(&plan, "2026-12-08T03:00:00Z"), short);
    let frozen = gated(vec![nightly(), window(WindowUse::Freeze, &[Day::Tue], (0, 0), 24)]);
    assert_eq!(begins(&frozen, "2026-12-07T12:00:00Z")[0], "2026-12-09T01:00:00Z", "Tuesday is frozen");
    let never = gated(vec![window(WindowUse::Forward, &[], (2, 0), 3)]);
    assert_eq!(begins(&never, "2026-12-07T12:00:00Z")[2], "never", "four hours fit into no window of three");
}
