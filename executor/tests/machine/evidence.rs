//! What is believed, and after how many looks (safety review, group B).

use switchback_executor::machine::{Phase, Rest};
use switchback_schemas::{
    Seconds,
    journal::{At, Class, End, Event, Evidence, Outcome, WaitsFor},
    plan::FailureAction,
};

use super::{
    drive::Drive,
    plans::{id, plan, proves, step},
    steps::{answers, drive, held, not},
};

fn doubt(class: Class, says: &str) -> Outcome {
    Outcome::InDoubt { class, evidence: Evidence::line(says) }
}

/// How often a step was called forward.
fn calls(drive: &Drive, step: &str) -> usize {
    let of = |event: &&Event| matches!(event, Event::Intent { at, .. } if *at == At::forward(&id(step)));
    drive.events().into_iter().filter(of).count()
}

/// A step that rolls its hop back when it fails.
fn guarded(settle: u64, within: u64) -> Drive {
    let mut one = step("a", &["before"]);
    one.on_failure.action = FailureAction::RollbackHop;
    one.work.verify = vec![proves(&["healthy", "a"], settle)];
    for verify in &mut one.work.verify {
        verify.within = Seconds(within);
    }
    drive(plan(vec![step("before", &[]), one]))
}

/// Goes on until the run rests; every so many-th look at its health is no answer.
fn dark_every(drive: &mut Drive, nth: i64) -> Rest {
    loop {
        let look = drive.now.duration_since(super::drive::start()).as_secs() / 5;
        match look % nth == nth - 1 {
            true => drive.world.dark.insert("healthy a".to_owned()),
            false => drive.world.dark.remove("healthy a"),
        };
        if let Some(rest) = drive.step() {
            return rest;
        }
    }
}

#[test]
fn b2_a_look_that_cannot_be_read_stops_the_settle_clock_and_fails_nothing() {
    for nth in [4, 6] {
        let mut drive = guarded(60, 300);
        assert_eq!(dark_every(&mut drive, nth), Rest::Ended(End::Complete), "every {nth}th");
        let at = At::forward(&id("a"));
        let task = drive.machine.state().task(&at).unwrap();
        let took = task.last.duration_since(task.applied.unwrap()).as_secs();
        assert!((65..180).contains(&took), "{took}");
    }
}

#[test]
fn b2_what_could_not_be_read_for_long_enough_holds_and_rolls_nothing_back() {
    let mut drive = guarded(60, 70);
    drive.world.dark.insert("healthy a".to_owned());
    let rest = drive.rest();
    assert!(held(&rest).contains("could not be read since"), "{rest:?}");
    assert_eq!(drive.machine.state().phase(&At::forward(&id("a"))), Phase::Unproven);
    let applied = drive.machine.state().task(&At::forward(&id("a"))).unwrap().applied.unwrap();
    let waited = drive.now.duration_since(applied).as_mins();
    assert!((15..17).contains(&waited), "{waited} min");
}

/// An outage of ten minutes is not the time that an effect has to show itself.
#[test]
fn b2_the_time_in_which_nothing_can_be_read_is_nobodys_delay() {
    let mut drive = guarded(60, 70);
    drive.world.dark.insert("healthy a".to_owned());
    let applied = loop {
        assert_eq!(drive.step(), None);
        if let Some(applied) =
            drive.machine.state().task(&At::forward(&id("a"))).and_then(|task| task.applied)
        {
            break applied;
        }
    };
    while drive.now.duration_since(applied).as_mins() < 10 {
        assert_eq!(drive.step(), None, "nothing is known yet");
    }
    drive.world.dark.clear();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

/// Tries of an outage do not add up with what happens after it.
#[test]
fn b5_a_crash_after_an_outage_is_the_first_one() {
    let mut drive = guarded(0, 60);
    answers(&mut drive, "do a", (0..8).map(|_| doubt(Class::Unreachable, "500 Internal error")));
    let mut died = false;
    let ended = loop {
        if !died && calls(&drive, "a") == 9 {
            // The process dies with its ninth call under way.
            drive.take_over();
            died = true;
        }
        match drive.step() {
            Some(Rest::Parked { wake_at: Some(wake_at), .. }) => {
                drive.now = wake_at;
                drive.take_over();
            }
            Some(rest) => break rest,
            None => {}
        }
    };
    assert_eq!((died, ended), (true, Rest::Ended(End::Complete)));
}

/// What a webhook says is final when it says it twice, whatever failed before.
#[test]
fn b7_a_denial_has_its_second_look_after_a_conflict() {
    let denied = || not(Class::Vetoed);
    let mut drive = guarded(0, 60);
    answers(&mut drive, "do a", [not(Class::Conflict), denied()]);
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert_eq!(calls(&drive, "a"), 3);
    let mut drive = guarded(0, 60);
    answers(&mut drive, "do a", [not(Class::Conflict), denied(), denied()]);
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
}

/// A call that is repeated while it is blocked is none that a process left open when it parks.
#[test]
fn a_parked_run_leaves_no_call_in_doubt() {
    let waits = || Outcome::Blocked { waits_for: vec![WaitsFor::Condition { message: "a job".to_owned() }] };
    let mut drive = guarded(0, 60);
    // The same after an outage: then, too, it stands in the journal that it waits.
    let outage = [waits(), doubt(Class::Unreachable, "500 Internal error")];
    answers(&mut drive, "do a", outage.into_iter().chain((0..200).map(|_| waits())));
    let rest = drive.rest();
    assert!(matches!(rest, Rest::Parked { .. }), "{rest:?}");
    assert_eq!(drive.machine.state().phase(&At::forward(&id("a"))), Phase::Blocked);
    drive.take_over();
    drive.rest();
    let crashed = |event: &&Event| {
        matches!(event, Event::Ended { outcome: Outcome::InDoubt { class: Class::Crashed, .. }, .. })
    };
    assert_eq!(drive.events().into_iter().find(crashed), None);
}

#[test]
fn b5_an_effect_that_is_answered_by_errors_is_looked_at_and_repeated_for_as_long_as_it_takes() {
    let mut drive = guarded(0, 60);
    answers(&mut drive, "do a", (0..8).map(|_| doubt(Class::Unreachable, "500 Internal error")));
    loop {
        match drive.rest() {
            Rest::Parked { waits_for, wake_at: Some(wake_at) } => {
                let says =
                    |wait: &WaitsFor| matches!(wait, WaitsFor::Unreadable { why, .. } if why.contains("500"));
                assert!(waits_for.iter().any(says), "{waits_for:?}");
                drive.now = wake_at;
                drive.take_over();
            }
            rest => break assert_eq!(rest, Rest::Ended(End::Complete)),
        }
    }
    assert_eq!(calls(&drive, "a"), 9);
}

#[test]
fn b7_a_final_refusal_is_known_after_one_try_and_its_words_stay() {
    let refusal = "StatefulSet is invalid: spec: Forbidden: updates to statefulset spec";
    for outcome in [
        doubt(Class::Refused, refusal),
        Outcome::NotDone { class: Class::Refused, evidence: Evidence::line(refusal) },
    ] {
        let mut drive = guarded(0, 60);
        answers(&mut drive, "do a", [outcome]);
        assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
        assert_eq!(calls(&drive, "a"), 1);
        let why = drive.events().into_iter().find_map(|event| match event {
            Event::TurnedToRollback { why, .. } => Some(why.clone()),
            _ => None,
        });
        assert!(why.as_ref().is_some_and(|why| why.contains(refusal)), "{why:?}");
    }
}

#[test]
fn b7_what_is_blocked_never_rolls_back() {
    for class in [Class::Denied, Class::Throttled, Class::Unreachable] {
        let mut drive = guarded(0, 60);
        answers(&mut drive, "do a", (0..40).map(|_| doubt(class, "no")));
        let rest = drive.rest();
        assert!(matches!(rest, Rest::Parked { .. }), "{class:?}: {rest:?}");
    }
}

#[test]
fn b7_a_webhooks_denial_is_final_when_it_is_said_twice() {
    for outcome in [not(Class::Vetoed), doubt(Class::Vetoed, "denied the request")] {
        let mut drive = guarded(0, 60);
        answers(&mut drive, "do a", (0..9).map(|_| outcome.clone()));
        assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
        assert_eq!(calls(&drive, "a"), 2);
        // Said once, it may have been about to change.
        let mut drive = guarded(0, 60);
        answers(&mut drive, "do a", [outcome]);
        assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    }
}

#[test]
fn b1_a_call_is_told_what_the_ones_before_it_did_not_see() {
    let mut drive = guarded(0, 60);
    let second =
        |what: &str| Outcome::Blocked { waits_for: vec![WaitsFor::SecondLook { what: what.to_owned() }] };
    answers(&mut drive, "do a", [second("x"), second("x"), not(Class::Unreachable), second("y")]);
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    let called = drive.called.iter().filter(|call| call.at == At::forward(&id("a")));
    let told = called.map(|call| call.looked.as_ref());
    let what: Vec<Option<&str>> = told.clone().map(|told| told.map(|looked| looked.what.as_str())).collect();
    assert_eq!(what, [None, Some("x"), Some("x"), Some("x"), Some("y")]);
    let ago: Vec<Seconds> = told.flatten().map(|looked| looked.ago).collect();
    assert!(ago[0] < ago[1] && ago[1] < ago[2] && ago[2] >= Seconds(10), "{ago:?}");
    assert!(ago[3] < Seconds(10), "{ago:?}");
}
