//! One step at a time: what is asked before it, what follows its call, what proves it.

use switchback_executor::machine::{Phase, Reaction, Rest, not_done, not_seen};
use switchback_schemas::{
    Seconds,
    journal::{At, Class, End, Event, Evidence, Outcome, Verdict, WaitsFor},
    plan::{FailureAction, Plan, RetryClass},
};

use super::{
    drive::Drive,
    plans::{captures, id, plan, proves, reads, step},
    world::World,
};

pub fn drive(plan: Plan) -> Drive {
    Drive::new(plan, World::default(), 1)
}

pub fn answers(drive: &mut Drive, what: &str, outcomes: impl IntoIterator<Item = Outcome>) {
    drive.world.answers.insert(what.to_owned(), outcomes.into_iter().collect());
}

pub fn not(class: Class) -> Outcome {
    Outcome::NotDone { class, evidence: Evidence::line("no") }
}

fn doubt() -> Outcome {
    Outcome::InDoubt { class: Class::Deadline, evidence: Evidence::line("no answer") }
}

pub fn held(rest: &Rest) -> &str {
    match rest {
        Rest::Held { why } => why,
        other => panic!("{other:?}"),
    }
}

fn kinds(drive: &Drive, step: &str) -> Vec<String> {
    let about = |event: &&Event| serde_json::to_value(event).unwrap()["at"]["step"] == id(step).as_str();
    let kind = |event: &Event| serde_json::to_value(event).unwrap()["kind"].as_str().unwrap().to_owned();
    drive.events().into_iter().filter(about).map(kind).collect()
}

#[test]
fn captures_come_before_the_intent_and_the_intent_before_the_call() {
    let mut one = step("a", &[]);
    one.work.captures = vec![captures("x"), captures("y")];
    let mut drive = drive(plan(vec![one]));
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert_eq!(kinds(&drive, "a"), ["captured", "captured", "intent", "ended", "verified"]);
}

#[test]
fn what_is_done_already_is_skipped_and_not_undone_later() {
    let mut drive = drive(plan(vec![step("a", &[]), step("b", &["a"])]));
    drive.world.done.insert("a".to_owned());
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert_eq!(kinds(&drive, "a"), ["skipped"]);
    assert!(!drive.machine.state().is_started(&id("a")));
}

#[test]
fn a_predicate_that_does_not_hold_stops_the_step_before_its_effect() {
    let mut one = step("a", &[]);
    one.work.reads = vec![reads(&["steady", "a"])];
    let mut drive = drive(plan(vec![one]));
    drive.world.fails.insert("steady a".to_owned());
    assert!(held(&drive.rest()).contains("the platform changed since the plan was made"));
    assert_eq!(kinds(&drive, "a"), ["stopped", "held"]);
    assert!(drive.world.log.is_empty());
}

#[test]
fn a_predicate_that_one_look_denies_is_looked_at_again() {
    let mut one = step("a", &[]);
    one.work.reads = vec![reads(&["steady", "a"])];
    let mut drive = drive(plan(vec![one]));
    drive.world.fails.insert("steady a".to_owned());
    let waits = loop {
        assert_eq!(drive.step(), None, "one look is no evidence");
        let seconds = drive.now.duration_since(super::drive::start()).as_secs();
        if seconds >= 8 {
            break kinds(&drive, "a");
        }
    };
    assert_eq!(waits, [] as [&str; 0]);
    drive.world.fails.clear();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

#[test]
fn a_predicate_that_cannot_be_read_holds_the_step_and_is_no_failure() {
    let mut one = step("a", &[]);
    one.work.reads = vec![reads(&["steady", "a"])];
    let mut drive = drive(plan(vec![one]));
    drive.world.dark.insert("steady a".to_owned());
    let rest = drive.rest();
    let Rest::Parked { waits_for, wake_at } = rest else { panic!("{rest:?}") };
    assert!(matches!(&waits_for[..], [WaitsFor::Unreadable { .. }]), "{waits_for:?}");
    assert!(wake_at.is_some(), "it may be readable later");
    drive.world.dark.clear();
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

#[test]
fn a_calls_class_and_the_steps_retry_class_decide_what_follows() {
    use RetryClass::{Idempotent, Never, NotDone};
    let table = [
        (Class::Throttled, [Reaction::Ask, Reaction::Wait, Reaction::Wait]),
        (Class::Unreachable, [Reaction::Ask, Reaction::Wait, Reaction::Wait]),
        (Class::Denied, [Reaction::Ask, Reaction::Wait, Reaction::Wait]),
        (Class::Conflict, [Reaction::Fail, Reaction::Again, Reaction::Again]),
        (Class::Deadline, [Reaction::Fail, Reaction::Again, Reaction::Again]),
        (Class::Crashed, [Reaction::Ask, Reaction::Again, Reaction::Again]),
        (Class::Refused, [Reaction::Fail, Reaction::Fail, Reaction::Fail]),
        (Class::Vetoed, [Reaction::Fail, Reaction::Twice, Reaction::Twice]),
        (Class::Bug, [Reaction::Fail, Reaction::Fail, Reaction::Fail]),
    ];
    for (class, reactions) in table {
        assert_eq!([Never, NotDone, Idempotent].map(|retry| not_done(class, retry)), reactions, "{class:?}");
    }
    for (class, again) in [
        (Class::Throttled, Reaction::Wait),
        (Class::Unreachable, Reaction::Wait),
        (Class::Denied, Reaction::Wait),
        (Class::Conflict, Reaction::Again),
        (Class::Deadline, Reaction::Again),
        (Class::Crashed, Reaction::Again),
        (Class::Vetoed, Reaction::Twice),
    ] {
        let reactions = [Never, NotDone, Idempotent].map(|retry| not_seen(class, retry));
        assert_eq!(reactions, [Reaction::Ask, Reaction::Ask, again], "{class:?}");
    }
    assert_eq!([Never, NotDone, Idempotent].map(|r| not_seen(Class::Refused, r)), [Reaction::Fail; 3]);
}

#[test]
fn throttling_and_expired_credentials_wait_and_never_fail() {
    for class in [Class::Throttled, Class::Denied, Class::Unreachable] {
        let mut one = step("a", &[]);
        one.on_failure.action = FailureAction::RollbackHop;
        let mut drive = drive(plan(vec![one]));
        answers(&mut drive, "do a", (0..40).map(|_| not(class)));
        let rest = drive.rest();
        let Rest::Parked { wake_at: Some(wake_at), .. } = rest else { panic!("{class:?}: {rest:?}") };
        drive.now = wake_at;
        answers(&mut drive, "do a", []);
        drive.take_over();
        assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    }
}

#[test]
fn a_conflict_is_tried_again_with_growing_pauses_and_then_fails() {
    let mut drive = drive(plan(vec![step("a", &[])]));
    answers(&mut drive, "do a", (0..20).map(|_| not(Class::Conflict)));
    assert!(held(&drive.rest()).contains("failed"));
    let intents = drive.records.iter().filter(|record| matches!(record.event, Event::Intent { .. }));
    let times: Vec<_> = intents.map(|record| record.at).collect();
    assert_eq!(times.len(), 6);
    let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect();
    assert!(pauses[4] > pauses[0] * 3, "{pauses:?}");
    let tokens: std::collections::BTreeSet<_> = drive
        .records
        .iter()
        .filter_map(|record| match &record.event {
            Event::Intent { token, .. } => Some(token),
            _ => None,
        })
        .collect();
    assert_eq!(tokens.len(), 1, "every attempt is the same request");
}

#[test]
fn an_effect_that_was_lost_from_sight_is_looked_at_before_anything_else() {
    let mut drive = drive(plan(vec![step("a", &[])]));
    answers(&mut drive, "do a", [doubt()]);
    drive.world.done.insert("a".to_owned());
    drive.world.fails.insert("done a".to_owned());
    // It is not seen before the call, and it is seen after it.
    while drive.machine.state().phase(&At::forward(&id("a"))) != Phase::InDoubt {
        assert!(drive.step().is_none());
    }
    drive.world.fails.clear();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert_eq!(kinds(&drive, "a"), ["intent", "ended", "ended", "verified"]);
}

#[test]
fn a_doubt_that_cannot_be_repeated_waits_for_a_person() {
    let mut one = step("a", &[]);
    one.work.retry = RetryClass::NotDone;
    one.on_failure.action = FailureAction::RollbackHop;
    let mut drive = drive(plan(vec![one]));
    answers(&mut drive, "do a", [doubt()]);
    assert!(held(&drive.rest()).contains("is unknown"));
    drive.say(switchback_schemas::journal::SideKind::Retry { step: id("a"), reason: "looked".to_owned() });
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

#[test]
fn a_blocked_effect_is_written_down_when_what_it_waits_for_changes_and_not_at_every_poll() {
    let blocked = |message: &str| Outcome::Blocked {
        waits_for: vec![WaitsFor::Capacity { message: message.to_owned() }],
    };
    let mut drive = drive(plan(vec![step("a", &[])]));
    let many = (0..50).map(|_| blocked("none")).chain([blocked("one")]);
    answers(&mut drive, "do a", many);
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    let written = drive.events().into_iter().filter(|event| matches!(event, Event::Ended { .. })).count();
    assert_eq!(written, 3);
}

#[test]
fn a_blocked_effect_parks_the_run_when_its_time_is_over_and_never_fails() {
    let mut one = step("a", &[]);
    one.work.timeout = Seconds(1800);
    one.on_failure.action = FailureAction::RollbackHop;
    let mut drive = drive(plan(vec![one]));
    let forever = Outcome::Blocked { waits_for: vec![WaitsFor::Capacity { message: "none".to_owned() }] };
    answers(&mut drive, "do a", (0..2000).map(|_| forever.clone()));
    let rest = drive.rest();
    assert!(matches!(rest, Rest::Parked { .. }), "{rest:?}");
    let waited = drive.now.duration_since(super::drive::start()).as_secs();
    assert!((1800..3600).contains(&waited), "{waited}");
}

#[test]
fn p19_health_has_to_hold_without_a_break() {
    let mut one = step("a", &[]);
    one.work.verify = vec![proves(&["healthy", "a"], 30), proves(&["steady", "a"], 0)];
    let mut drive = drive(plan(vec![one]));
    let at = At::forward(&id("a"));
    while drive.machine.state().phase(&at) != Phase::Applied {
        assert!(drive.step().is_none());
    }
    let applied = drive.now;
    let mut broken = None;
    while drive.machine.state().phase(&at) == Phase::Applied {
        let passed = drive.now.duration_since(applied).as_secs();
        // It flips once, in the middle of settling.
        if (5..15).contains(&passed) {
            drive.world.fails.insert("healthy a".to_owned());
            broken = Some(drive.now);
        } else {
            drive.world.fails.clear();
        }
        drive.step();
    }
    let settled = drive.now.duration_since(broken.expect("it was broken")).as_secs();
    assert!(settled >= 30, "{settled}");
    assert_eq!(drive.machine.state().phase(&at), Phase::Done);
}

#[test]
fn health_that_does_not_come_fails_and_health_that_cannot_be_read_holds() {
    for (dark, phase) in [(false, Phase::Failed), (true, Phase::Unproven)] {
        let mut one = step("a", &[]);
        one.on_failure.action = FailureAction::RollbackHop;
        let mut drive = drive(plan(vec![one]));
        let conditions = if dark { &mut drive.world.dark } else { &mut drive.world.fails };
        conditions.insert("healthy a".to_owned());
        let rest = drive.rest();
        match phase {
            Phase::Failed => assert_eq!(rest, Rest::Ended(End::RolledBack)),
            _ => assert!(held(&rest).contains("cannot be read")),
        }
        let verified = drive.events().into_iter().find_map(|event| match event {
            Event::Verified { at, verdict } if *at == At::forward(&id("a")) => Some(verdict.clone()),
            _ => None,
        });
        assert_eq!(matches!(verified, Some(Verdict::Unknown { .. })), dark);
    }
}

#[test]
fn time_while_nobody_ran_is_not_held_against_a_verification() {
    let mut drive = drive(plan(vec![step("a", &[])]));
    let at = At::forward(&id("a"));
    while drive.machine.state().phase(&at) != Phase::Applied {
        drive.step();
    }
    drive.pass(24 * 3600);
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}
