//! Suspensions that somebody else has begun before the run comes to them.

use switchback_executor::machine::{Phase, Rest, What};
use switchback_schemas::{
    journal::{At, End, Event},
    name::{ObjectName, ObjectRef},
    plan::{Condition, KubeCondition, Operand, Plan, Read, ReadBasis, Target, Test},
};

use super::{
    drive::Drive,
    plans::{captures, id, plan, reads, step, suspension},
    steps::{drive, held},
};

/// A suspension; what resumes it puts back what the step that suspends captured, or something else.
fn suspends(puts_back_captured: bool) -> Plan {
    let mut open = step("open", &[]);
    open.work.captures.push(captures("before"));
    open.work.reads.push(reads(&["undone", "open"]));
    let mut shut = step("shut", &["open", "work"]);
    if puts_back_captured {
        let captured = Operand::Captured { step: id("open"), name: "before".to_owned() };
        let object = ObjectRef::new("v1", "ConfigMap", &ObjectName::namespaced("a", "b"));
        let condition = Condition::Kube(KubeCondition::Field {
            object: Target::Object(object),
            pointer: "/data/a".to_owned(),
            is: Test::Equals(captured),
        });
        shut.work.reads.push(Read { condition, basis: ReadBasis::After(id("open")) });
    }
    let mut plan = plan(vec![open, step("work", &["open"]), shut]);
    plan.suspensions.push(suspension("open", "shut"));
    plan
}

fn did(drive: &Drive) -> Vec<&str> {
    drive.world.log.iter().map(|landed| landed.what.as_str()).collect()
}

#[test]
fn what_somebody_else_has_suspended_is_left_so() {
    let mut drive = drive(suspends(true));
    drive.world.done.insert("open".to_owned());
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert_eq!(did(&drive), ["do work"], "neither suspended nor resumed");
    let (_, residue) = drive.machine.state().ended.clone().unwrap();
    assert_eq!(residue, []);
    let noted = drive.machine.state().notes.iter().any(|note| note.contains("which leaves it so"));
    assert!(noted, "{:?}", drive.machine.state().notes);
}

#[test]
fn what_somebody_else_has_suspended_and_resumes_stops_dispatch() {
    let mut drive = drive(suspends(true));
    drive.world.done.insert("open".to_owned());
    drive.world.fails.insert("held open".to_owned());
    let rest = drive.rest();
    assert!(held(&rest).contains("ended by somebody else"), "{rest:?}");
    assert_eq!(did(&drive), Vec::<&str>::new());
}

/// Where something else decides what it is resumed to, nobody knows to what.
#[test]
fn what_cannot_be_left_as_it_was_found_stops_the_run() {
    let mut drive = drive(suspends(false));
    drive.world.done.insert("open".to_owned());
    let rest = drive.rest();
    assert!(held(&rest).contains("the platform changed since the plan was made"), "{rest:?}");
    assert!(held(&rest).contains("retry --step test/test@1/open"), "{rest:?}");
    assert_eq!(did(&drive), Vec::<&str>::new());
    assert_eq!(drive.machine.state().phase(&At::forward(&id("open"))), Phase::Stopped);
}

/// The intent is in the journal: whoever looks for the outcome of a dead process finds what that one did.
#[test]
fn p34_what_a_dead_process_of_the_run_has_suspended_is_resumed() {
    for puts_back_captured in [true, false] {
        let mut drive = drive(suspends(puts_back_captured));
        while !drive.events().into_iter().any(|event| matches!(event, Event::Intent { .. })) {
            drive.step();
        }
        let begun = drive.machine.poll(drive.now).start;
        let call = begun.into_iter().find(|command| matches!(command.what, What::Apply(_)));
        let command = call.expect("the call of the intent");
        let What::Apply(effect) = &command.what else { panic!("a call") };
        let now = drive.now;
        drive.world.land(&command, effect, now);
        drive.take_over();
        assert_eq!(drive.rest(), Rest::Ended(End::Complete));
        assert_eq!(did(&drive), ["do open", "do work", "do shut"]);
        let skipped = drive.events().into_iter().any(|event| matches!(event, Event::Skipped { .. }));
        assert!(!skipped, "it was called, and is done");
    }
}

/// The platform is claimed, and looked at for minutes, between the first look and the call.
#[test]
fn what_somebody_suspends_while_the_run_waits_to_begin_is_found() {
    let mut drive = drive(suspends(true));
    while !drive.events().into_iter().any(|event| matches!(event, Event::Captured { .. })) {
        drive.step();
    }
    drive.world.done.insert("open".to_owned());
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert_eq!(did(&drive), ["do work"]);
}
