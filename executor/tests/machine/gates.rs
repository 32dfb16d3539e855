//! Gates: approvals, points of no return, windows, instants, checks.

use jiff::{SignedDuration, Timestamp};
use switchback_executor::machine::Rest;
use switchback_schemas::{
    Digest, Seconds,
    journal::{Approval, End, Event, Identified, SideEntry, SideKind, WaitsFor},
    plan::{
        ApprovalScope, Disruption, FailureAction, Gate, GateKind, Plan, PointOfNoReturn, Window, WindowUse,
    },
};

use super::{
    drive::Drive,
    plans::{asks, id, label, plan, run, step, suspension},
    steps::drive,
};

fn gated(kind: GateKind) -> Plan {
    let mut one = step("a", &[]);
    one.gates.push(label("gate"));
    one.on_failure.action = FailureAction::RollbackHop;
    let mut plan = plan(vec![one]);
    plan.gates.push(Gate { id: label("gate"), title: "a gate".to_owned(), kind, may_override: true });
    plan
}

fn parked(rest: &Rest) -> (&[WaitsFor], Option<Timestamp>) {
    match rest {
        Rest::Parked { waits_for, wake_at } => (waits_for, *wake_at),
        other => panic!("{other:?}"),
    }
}

fn go_on(drive: &mut Drive) -> Rest {
    drive.take_over();
    drive.rest()
}

fn approval(drive: &Drive, by: &str, scope: ApprovalScope) -> Approval {
    Approval {
        by: Identified::Kubernetes(by.to_owned()),
        scope,
        review: drive.index.plan.digests.review,
        reason: None,
        given: drive.now,
        expires: None,
        proof: None,
    }
}

fn give(drive: &mut Drive, approval: Approval) {
    let by = approval.by.clone();
    drive.side.push(SideEntry { run: run(), at: drive.now, by, says: SideKind::Approve { approval } });
}

#[test]
fn an_approval_counts_only_for_what_was_reviewed_while_it_lasts_and_from_whom_it_may() {
    let mut plan = gated(GateKind::Approval(ApprovalScope::Plan {}));
    plan.platform.allow_asserted = false;
    let mut drive = drive(plan);
    let first = drive.rest();
    assert_eq!(parked(&first), (&[WaitsFor::Approval { scope: ApprovalScope::Plan {} }][..], None));

    let good = approval(&drive, "ann", ApprovalScope::Plan {});
    let mut other_review = good.clone();
    other_review.review = Digest::of("another plan");
    let mut expired = good.clone();
    expired.expires = Some(drive.now);
    let mut asserted = good.clone();
    asserted.by = Identified::Asserted("ann".to_owned());
    let mut narrower = good.clone();
    narrower.scope = ApprovalScope::Gate(label("gate"));
    for void in [other_review, expired, asserted, narrower] {
        give(&mut drive, void.clone());
        let rest = go_on(&mut drive);
        assert!(matches!(rest, Rest::Parked { .. }), "{void:?}");
    }
    // Somebody else's name on an entry of one's own proves nothing.
    drive.side.push(SideEntry {
        run: run(),
        at: drive.now,
        by: Identified::Asserted("eve".to_owned()),
        says: SideKind::Approve { approval: good.clone() },
    });
    assert!(matches!(go_on(&mut drive), Rest::Parked { .. }));
    give(&mut drive, good.clone());
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
    assert_eq!(drive.machine.state().approvals, [good]);
}

#[test]
fn a_quorum_is_of_different_people() {
    let mut plan = gated(GateKind::Approval(ApprovalScope::Plan {}));
    plan.platform.quorum = 2;
    let mut drive = drive(plan);
    for _ in 0..2 {
        let ann = approval(&drive, "ann", ApprovalScope::Plan {});
        give(&mut drive, ann);
    }
    assert!(matches!(drive.rest(), Rest::Parked { .. }));
    let ben = approval(&drive, "ben", ApprovalScope::Plan {});
    give(&mut drive, ben);
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
}

#[test]
fn a_line_of_no_return_is_crossed_only_by_an_approval_that_names_it() {
    // No gate of the step says so: the line does.
    let mut plan = plan(vec![step("a", &[])]);
    plan.points.push(PointOfNoReturn {
        id: label("gone"),
        step: id("a"),
        ends: "the rollback".to_owned(),
        recovery: "none".to_owned(),
    });
    let mut drive = drive(plan);
    let whole = approval(&drive, "ann", ApprovalScope::Plan {});
    give(&mut drive, whole);
    let rest = drive.rest();
    assert_eq!(parked(&rest).0, [WaitsFor::Approval { scope: ApprovalScope::Point(label("gone")) }]);
    let named = approval(&drive, "ann", ApprovalScope::Point(label("gone")));
    give(&mut drive, named);
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
}

#[test]
fn a_hop_of_which_something_has_to_be_approved_disturbs_nothing_before() {
    let point = |step| PointOfNoReturn {
        id: label("gone"),
        step,
        ends: "the rollback".to_owned(),
        recovery: "none".to_owned(),
    };
    let mut restarts = step("a", &["t"]);
    restarts.work.disruption = Disruption::Restart;
    let mut one_hop = plan(vec![step("t", &[]), restarts, step("b", &["a"])]);
    one_hop.points.push(point(id("b")));
    let mut drive = drive(one_hop);
    let waits = [WaitsFor::Approval { scope: ApprovalScope::Point(label("gone")) }];
    assert_eq!(parked(&drive.rest()).0, waits);
    let called: Vec<&str> = drive.world.log.iter().map(|landed| landed.what.as_str()).collect();
    assert_eq!(called, ["do t"], "a trial needs nobody, and a comes before b");
    let named = approval(&drive, "ann", ApprovalScope::Point(label("gone")));
    give(&mut drive, named);
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
}

#[test]
fn an_override_needs_a_reason_and_an_end() {
    let mut drive = drive(gated(GateKind::Check(asks(&["steady", "x"]))));
    drive.world.fails.insert("steady x".to_owned());
    let rest = drive.rest();
    assert!(matches!(parked(&rest).0, [WaitsFor::Condition { .. }]), "{rest:?}");
    let mut quiet = approval(&drive, "ann", ApprovalScope::Gate(label("gate")));
    give(&mut drive, quiet.clone());
    assert!(matches!(go_on(&mut drive), Rest::Parked { .. }));
    quiet.reason = Some("known and harmless".to_owned());
    quiet.expires = Some(drive.now.checked_add(SignedDuration::from_hours(1)).unwrap());
    give(&mut drive, quiet);
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
}

#[test]
fn p09_a_gate_that_cannot_be_read_blocks() {
    let mut drive = drive(gated(GateKind::Check(asks(&["steady", "x"]))));
    drive.world.dark.insert("steady x".to_owned());
    let began = drive.now;
    let rest = drive.rest();
    assert!(
        matches!(parked(&rest).0, [WaitsFor::Unreadable { what, .. }] if what == "gate gate"),
        "{rest:?}"
    );
    // EKS takes minutes to look at a cluster again: a run that parked at once would need a second process for every hop.
    let waited = drive.now.duration_since(began);
    assert!(waited >= SignedDuration::from_mins(15), "{waited}");
    assert!(waited < SignedDuration::from_mins(20), "{waited}");
    drive.world.dark.clear();
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
}

#[test]
fn not_before_parks_until_its_instant() {
    let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let mut drive = drive(gated(GateKind::NotBefore(at)));
    let rest = drive.rest();
    assert_eq!(parked(&rest), (&[WaitsFor::Instant { at }][..], Some(at)));
    drive.now = at;
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
}

fn window(used_for: WindowUse, hour: i8, length: u64) -> Window {
    Window {
        name: label("night"),
        used_for,
        zone: "Europe/Berlin".to_owned(),
        days: Vec::new(),
        start: jiff::civil::time(hour, 0, 0, 0),
        length: Seconds(length),
    }
}

#[test]
fn a_step_starts_inside_its_window_and_only_if_it_and_its_way_back_fit() {
    let mut plan = gated(GateKind::Window(WindowUse::Forward));
    plan.windows.push(window(WindowUse::Forward, 2, 3600));
    let mut drive = drive(plan.clone());
    let rest = drive.rest();
    // It is Friday 11:00 in Berlin; the next night begins at 01:00Z.
    assert_eq!(parked(&rest).1, Some("2026-11-21T01:00:00Z".parse().unwrap()));
    // 20 s of the step and 20 s of its undo do not fit into 30 s.
    drive.now = "2026-11-21T01:59:30Z".parse().unwrap();
    assert!(matches!(go_on(&mut drive), Rest::Parked { .. }));
    drive.now = "2026-11-22T01:30:00Z".parse().unwrap();
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
}

/// A suspension that may not stay open over a park: each step takes 20 s, and so does its undo.
fn grouped(spans_park: bool) -> Plan {
    let mut plan = plan(vec![step("open", &[]), step("work", &["open"]), step("shut", &["open", "work"])]);
    plan.suspensions.push(suspension("open", "shut"));
    plan.suspensions[0].spans_park = spans_park;
    let kind = GateKind::Window(WindowUse::Forward);
    plan.gates.push(Gate { id: label("gate"), title: "a gate".to_owned(), kind, may_override: true });
    for step in &mut plan.steps {
        step.gates.push(label("gate"));
    }
    plan.windows.push(window(WindowUse::Forward, 2, 3600));
    plan
}

#[test]
fn a_group_begins_only_if_all_of_it_and_its_way_back_fit() {
    // A minute is left: enough for a step and its undo, not for three and the rollback of three.
    for (spans_park, opened) in [(true, true), (false, false)] {
        let mut drive = drive(grouped(spans_park));
        drive.now = "2026-11-21T01:59:00Z".parse().unwrap();
        let rest = drive.rest();
        assert_eq!(drive.world.log.iter().any(|landed| landed.what == "do open"), opened, "{rest:?}");
        assert_eq!(parked(&rest).1, Some("2026-11-22T01:00:00Z".parse().unwrap()));
        drive.now = "2026-11-22T01:00:00Z".parse().unwrap();
        assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
    }
    // With the room that all of it needs, it begins and ends in one window.
    let mut drive = drive(grouped(false));
    drive.now = "2026-11-21T01:57:00Z".parse().unwrap();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

#[test]
fn nothing_forward_starts_in_a_freeze_and_going_back_does_not_care() {
    let mut plan = plan(vec![step("a", &[]), step("b", &["a"])]);
    plan.steps[1].on_failure.action = FailureAction::RollbackHop;
    plan.windows.push(window(WindowUse::Freeze, 11, 3600));
    let mut drive = drive(plan);
    let rest = drive.rest();
    assert_eq!(parked(&rest).1, Some("2026-11-20T11:00:00Z".parse().unwrap()));
    assert!(drive.world.log.is_empty());
    // b fails just before tomorrow's freeze; the rollback goes on inside of it.
    drive.now = "2026-11-21T09:59:40Z".parse().unwrap();
    drive.world.fails.insert("healthy b".to_owned());
    assert_eq!(go_on(&mut drive), Rest::Ended(End::RolledBack));
    assert!(drive.now < "2026-11-21T11:00:00Z".parse().unwrap());
}

#[test]
fn rollback_windows_hold_the_way_back() {
    let mut plan = plan(vec![step("a", &[])]);
    plan.steps[0].on_failure.action = FailureAction::RollbackHop;
    plan.windows.push(window(WindowUse::Rollback, 2, 3600));
    let mut drive = drive(plan);
    drive.world.fails.insert("healthy a".to_owned());
    let rest = drive.rest();
    assert_eq!(parked(&rest).1, Some("2026-11-21T01:00:00Z".parse().unwrap()));
    drive.now = "2026-11-21T01:00:00Z".parse().unwrap();
    assert_eq!(go_on(&mut drive), Rest::Ended(End::RolledBack));
}

#[test]
fn gates_are_asked_again_when_a_run_is_taken_up_before_its_step_began() {
    let mut plan = gated(GateKind::Check(asks(&["steady", "x"])));
    plan.steps[0].work.reads.push(super::plans::reads(&["steady", "y"]));
    let mut drive = drive(plan);
    drive.world.dark.insert("steady y".to_owned());
    assert!(matches!(drive.rest(), Rest::Parked { .. }));
    drive.world.dark.clear();
    assert_eq!(go_on(&mut drive), Rest::Ended(End::Complete));
    let passed = drive.events().into_iter().filter(|event| matches!(event, Event::Passed { .. })).count();
    assert_eq!(passed, 2);
}
