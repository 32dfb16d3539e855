//! Failures, rollbacks, suspensions, people.

use switchback_executor::machine::{Phase, Rest, What};
use switchback_schemas::{
    RunId, Seconds,
    journal::{At, Class, End, Event, RollbackScope, SideKind, WaitsFor},
    name::SavepointId,
    plan::{ExpiresAt, Expiry, FailureAction, Plan, Undo},
};

use super::{
    drive::Drive,
    plans::{Drawn, asks, id, plan, step, suspension},
    steps::{answers, drive, held, not},
};

fn fails(mut step: Drawn, action: FailureAction) -> Drawn {
    step.on_failure.action = action;
    step
}

fn undone(drive: &Drive) -> Vec<&str> {
    drive.world.log.iter().filter_map(|landed| landed.what.strip_prefix("undo ")).collect()
}

fn three(action: FailureAction) -> Plan {
    plan(vec![step("a", &[]), step("b", &["a"]), fails(step("c", &["b"]), action)])
}

fn say_and_go_on(drive: &mut Drive, says: SideKind) -> Rest {
    drive.say(says);
    drive.take_over();
    drive.rest()
}

fn reason() -> String {
    "a test".to_owned()
}

fn back_to_start() -> SideKind {
    SideKind::Rollback {
        scope: RollbackScope::Savepoint(SavepointId::new("start").unwrap()),
        reason: reason(),
    }
}

#[test]
fn a_hop_is_taken_back_in_reverse_when_its_plan_says_so() {
    let mut drive = drive(three(FailureAction::RollbackHop));
    answers(&mut drive, "do c", [not(Class::Refused)]);
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
    assert_eq!(undone(&drive), ["b", "a"], "what did not happen is not undone");
    assert!(drive.world.done.is_empty());
}

#[test]
fn a_step_is_taken_back_and_then_the_run_holds_and_can_go_on() {
    let mut drive = drive(three(FailureAction::RollbackStep));
    drive.world.fails.insert("healthy c".to_owned());
    let rest = drive.rest();
    assert!(held(&rest).contains("c is undone"), "{rest:?}");
    assert_eq!(undone(&drive), ["c"]);
    drive.world.fails.clear();
    let tokens =
        drive.world.log.iter().filter(|landed| landed.what == "do c").map(|landed| landed.token.clone());
    let first: Vec<String> = tokens.collect();
    assert_eq!(
        say_and_go_on(&mut drive, SideKind::Continue { reason: reason() }),
        Rest::Ended(End::Complete)
    );
    let again = drive.world.log.iter().rfind(|landed| landed.what == "do c").unwrap();
    assert!(!first.contains(&again.token), "after an undo it is another effect");
}

#[test]
fn a_hold_keeps_what_is_healthy_and_waits_for_a_person() {
    let mut drive = drive(three(FailureAction::Hold));
    answers(&mut drive, "do c", [not(Class::Refused)]);
    held(&drive.rest());
    assert!(undone(&drive).is_empty());
    drive.take_over();
    held(&drive.rest());
    assert_eq!(say_and_go_on(&mut drive, back_to_start()), Rest::Ended(End::RolledBack));
}

#[test]
fn going_on_without_a_failed_step_does_the_rest_and_holds_again() {
    let mut drive = drive(plan(vec![step("a", &[]), step("b", &["a"]), step("x", &[]), step("y", &["x"])]));
    answers(&mut drive, "do a", [not(Class::Refused)]);
    held(&drive.rest());
    let rest = say_and_go_on(&mut drive, SideKind::Continue { reason: reason() });
    assert!(held(&rest).contains('a'), "{rest:?}");
    assert_eq!(drive.machine.state().phase(&At::forward(&id("y"))), Phase::Done);
    assert_eq!(drive.machine.state().phase(&At::forward(&id("b"))), Phase::New);
    let rest = say_and_go_on(&mut drive, SideKind::Retry { step: id("a"), reason: reason() });
    assert_eq!(rest, Rest::Ended(End::Complete));
}

#[test]
fn a_line_of_no_return_is_never_crossed_backwards_by_itself() {
    let mut plan = three(FailureAction::RollbackHop);
    plan.steps[1].undo = Undo::Irreversible { why: "one way".to_owned(), recovery: "restore".to_owned() };
    plan.rollback.remove(1);
    let mut drive = drive(plan);
    answers(&mut drive, "do c", [not(Class::Refused)]);
    let rest = drive.rest();
    assert!(held(&rest).contains("b cannot be undone"), "{rest:?}");
    // A person is refused, too, and told why.
    held(&say_and_go_on(&mut drive, back_to_start()));
    assert!(drive.machine.state().notes.iter().any(|note| note.contains("b cannot be undone")));
    assert!(undone(&drive).is_empty());
}

#[test]
fn a_way_back_that_has_closed_is_not_taken() {
    let mut plan = three(FailureAction::RollbackHop);
    plan.rollback[0].expires =
        vec![Expiry { at: ExpiresAt::After(Seconds(5)), why: "the platform forgets".to_owned() }];
    let mut drive = drive(plan);
    answers(&mut drive, "do c", [not(Class::Refused)]);
    assert!(held(&drive.rest()).contains("the platform forgets"));
}

#[test]
fn p37_a_failed_undo_holds_and_is_tried_again_by_a_person() {
    let mut drive = drive(three(FailureAction::RollbackHop));
    answers(&mut drive, "do c", [not(Class::Refused)]);
    answers(&mut drive, "undo b", [not(Class::Refused)]);
    assert!(held(&drive.rest()).contains("undo test/test@1/b failed"));
    assert!(undone(&drive).is_empty(), "a is not undone before b is");
    let rest = say_and_go_on(&mut drive, SideKind::Retry { step: id("b"), reason: reason() });
    assert_eq!(rest, Rest::Ended(End::RolledBack));
    assert_eq!(undone(&drive), ["b", "a"]);
}

#[test]
fn a_rollback_that_was_paused_between_two_that_undo_one_step_goes_on_with_the_second() {
    let mut plan = plan(vec![step("a", &[])]);
    let mut second = step("a-2", &[]).rollback;
    (second.undoes, second.after) = (vec![id("a")], vec![id("a")]);
    second.work.done_when = None;
    plan.rollback.push(second);
    let mut drive = drive(plan);
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    drive.say(back_to_start());
    drive.take_over();
    while undone(&drive).is_empty() {
        drive.step();
    }
    drive.say(SideKind::Pause { reason: reason() });
    held(&drive.rest());
    assert_eq!(drive.machine.state().phase(&At::rollback(&id("a"))), Phase::Done);
    let rest = say_and_go_on(&mut drive, SideKind::Continue { reason: reason() });
    assert_eq!((rest, undone(&drive)), (Rest::Ended(End::RolledBack), vec!["a", "a-2"]));
}

#[test]
fn only_a_failure_turns_a_run_back_and_the_mildest_answer_wins() {
    let mut steps =
        vec![fails(step("a", &[]), FailureAction::RollbackHop), fails(step("b", &[]), FailureAction::Hold)];
    steps[1].work.verify.clear();
    let mut drive = drive(plan(steps));
    answers(&mut drive, "do a", [not(Class::Refused)]);
    answers(&mut drive, "do b", [not(Class::Refused)]);
    held(&drive.rest());
}

#[test]
fn a_pause_starts_nothing_new_and_lets_what_runs_end() {
    let mut drive = drive(plan(vec![step("a", &[]), step("b", &["a"])]));
    while drive.world.done.is_empty() {
        drive.step();
    }
    drive.say(SideKind::Pause { reason: reason() });
    let rest = drive.rest();
    assert!(held(&rest).contains("paused by ann"), "{rest:?}");
    assert_eq!(drive.machine.state().phase(&At::forward(&id("a"))), Phase::Done);
    assert_eq!(drive.machine.state().phase(&At::forward(&id("b"))), Phase::New);
    // What was heard once is not obeyed again.
    assert_eq!(
        say_and_go_on(&mut drive, SideKind::Continue { reason: reason() }),
        Rest::Ended(End::Complete)
    );
}

fn with_suspension() -> Plan {
    let mut plan = plan(vec![step("open", &[]), step("work", &["open"]), step("shut", &["open", "work"])]);
    plan.suspensions.push(suspension("open", "shut"));
    for step in &mut plan.steps {
        step.on_failure.action = FailureAction::RollbackHop;
    }
    plan
}

#[test]
fn p38_a_suspension_that_somebody_undoes_stops_dispatch() {
    let mut drive = drive(with_suspension());
    while drive.machine.state().phase(&At::forward(&id("open"))) != Phase::Done {
        drive.step();
    }
    drive.world.fails.insert("held open".to_owned());
    let rest = drive.rest();
    assert!(held(&rest).contains("ended by somebody else"), "{rest:?}");
    assert!(!drive.world.done.contains("work"));
    drive.world.fails.clear();
    assert_eq!(
        say_and_go_on(&mut drive, SideKind::Continue { reason: reason() }),
        Rest::Ended(End::Complete)
    );
}

#[test]
fn nothing_starts_while_nobody_knows_whether_a_suspension_holds() {
    let mut drive = drive(with_suspension());
    drive.world.dark.insert("held open".to_owned());
    let rest = drive.rest();
    assert!(matches!(rest, Rest::Parked { .. }), "{rest:?}");
    assert!(!drive.world.done.contains("work"));
    drive.world.dark.clear();
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

#[test]
fn a_suspension_that_was_opened_just_now_is_looked_at_without_a_word_about_it() {
    let mut drive = drive(with_suspension());
    let mut looked = false;
    let rest = loop {
        if let Some(rest) = drive.step() {
            break rest;
        }
        looked |= drive.pending.iter().any(|command| command.what == What::Check(asks(&["held", "open"])));
        let waits: Vec<_> = drive.machine.waiting().flat_map(|(_, waits)| waits).collect();
        assert!(!waits.iter().any(|waits| matches!(waits, WaitsFor::Unreadable { .. })), "{waits:?}");
    };
    assert_eq!(rest, Rest::Ended(End::Complete));
    assert!(looked, "nothing starts before the suspension was seen to hold");
}

#[test]
fn p40_a_suspension_that_is_not_safe_to_close_is_handed_over_by_name() {
    let mut drive = drive(with_suspension());
    answers(&mut drive, "do work", [not(Class::Refused)]);
    drive.world.fails.insert("safe open".to_owned());
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBackSuspended));
    let (_, residue) = drive.machine.state().ended.clone().unwrap();
    assert!(
        residue
            .iter()
            .map(ToString::to_string)
            .any(|line| line.contains("suspension open is left") && line.contains("undo open")),
        "{residue:?}"
    );
    assert!(drive.world.done.contains("open"), "it stays as it is");
}

#[test]
fn a_suspension_is_closed_on_the_way_back_when_that_is_safe() {
    let mut drive = drive(with_suspension());
    answers(&mut drive, "do work", [not(Class::Refused)]);
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
    assert_eq!(undone(&drive), ["open"]);
}

#[test]
fn a_suspension_that_stays_open_too_long_is_told_once() {
    let mut plan = with_suspension();
    plan.suspensions[0].max_suspended = Seconds(1);
    let mut drive = drive(plan);
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    let told = drive.machine.state().notes.iter().filter(|note| note.contains("has lasted longer")).count();
    assert_eq!(told, 1);
}

/// A control plane rolls back for a week after everything is done.
#[test]
fn a_complete_run_goes_back_when_somebody_asks_and_under_a_claim_of_its_own() {
    let mut drive = drive(three(FailureAction::Hold));
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    drive.take_over();
    assert!(drive.machine.state().is_over(), "nobody asked for anything");
    drive.say(back_to_start());
    drive.take_over();
    assert!(!drive.machine.state().is_over());
    assert!(!drive.machine.state().claimed);
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
    let claims = drive.events().into_iter().filter(|event| matches!(event, Event::Claimed {})).count();
    assert_eq!(claims, 2, "its first end had released the platform");
    // What rolled back as a whole stays over.
    drive.say(back_to_start());
    drive.take_over();
    assert_eq!(drive.machine.state().ended.as_ref().map(|(end, _)| *end), Some(End::RolledBack));
}

#[test]
fn an_impossible_record_refuses_the_run_and_changes_nothing() {
    let drive = drive(three(FailureAction::Hold));
    let mut machine = drive.replay();
    let before = machine.state().clone();
    let mut head = drive.head.clone();
    let impossible = [
        Event::Intent { at: At::forward(&id("b")), attempt: 1, token: String::new() },
        Event::Intent { at: At::forward(&id("nowhere")), attempt: 1, token: String::new() },
        Event::Intent { at: At::rollback(&id("a")), attempt: 1, token: String::new() },
        Event::Verified {
            at: At::forward(&id("a")),
            verdict: switchback_schemas::journal::Verdict::holds("x"),
        },
        Event::Done { end: End::Complete, residue: Vec::new() },
        Event::Done { end: End::RolledBack, residue: Vec::new() },
        Event::Retry { at: At::rollback(&id("nowhere")), why: reason() },
        Event::Converged { at: At::forward(&id("a")) },
        Event::Returned { from: RunId::new("r-nobody").unwrap(), lost: std::collections::BTreeMap::new() },
        Event::TurnedToCleanup { steps: vec![id("a")], early: Vec::new(), why: String::new() },
    ];
    for event in impossible {
        let shown = format!("{event:?}");
        let line = head.clone().line(drive.epoch, drive.now, event).unwrap();
        assert!(machine.apply(&line.record).is_err(), "{shown}");
        assert_eq!(*machine.state(), before, "{shown}");
    }
    let stale = head.line(drive.epoch.saturating_sub(1), drive.now, Event::Claimed {}).unwrap();
    assert!(machine.apply(&stale.record).is_err(), "an older epoch");
}
