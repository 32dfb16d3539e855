//! Closing: what a run that is over keeps is removed, by date or by an approval, once, whatever happens meanwhile.

use proptest::prelude::*;
use switchback_executor::machine::{Phase, Rest};
use switchback_schemas::{
    Seconds,
    journal::{Approval, At, Class, End, Event, Identified, RollbackScope, SideKind},
    name::SavepointId,
    plan::{ApprovalScope, Plan, Savepoint, Undo},
};

use super::{
    drive::Drive,
    plans::{id, leaves, part, plan, step},
    random::{begun, to_its_end},
    steps::{answers, drive, held, not},
    world::Weather,
};

const WEEK: Seconds = Seconds::hours(7 * 24);

fn kept_by(steps: &[&str]) -> Plan {
    let mut plan = plan(vec![step("a", &[]), step("b", &["a"]), step("c", &["b"])]);
    for step in steps {
        leaves(&mut plan, step, WEEK);
    }
    plan
}

/// With a savepoint after b.
fn with_middle(mut plan: Plan) -> Plan {
    let frontier = vec![id("b")];
    let middle = Savepoint { id: SavepointId::new("middle").unwrap(), title: String::new(), frontier };
    plan.savepoints.insert(1, middle);
    plan
}

fn complete(plan: Plan) -> Drive {
    let mut drive = drive(plan);
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    drive
}

fn close(early: bool) -> SideKind {
    SideKind::Cleanup { early, reason: "a test".to_owned() }
}

fn approved(drive: &Drive) -> SideKind {
    SideKind::Approve {
        approval: Approval {
            by: Identified::Asserted("ann".to_owned()),
            scope: ApprovalScope::Cleanup {},
            review: drive.index.plan.digests.review,
            reason: Some("a test".to_owned()),
            given: drive.now,
            expires: None,
            proof: None,
        },
    }
}

fn back_to(savepoint: &str) -> RollbackScope {
    RollbackScope::Savepoint(SavepointId::new(savepoint).unwrap())
}

fn said(drive: &mut Drive, says: SideKind) -> Rest {
    drive.say(says);
    drive.take_over();
    drive.rest()
}

fn week(drive: &mut Drive) {
    drive.pass(8 * 24 * 3600);
}

#[test]
fn what_has_had_its_time_is_removed_and_nothing_goes_back_any_more() {
    let mut drive = complete(kept_by(&["b"]));
    week(&mut drive);
    assert_eq!(drive.machine.obstacle(&back_to("start"), drive.now), None);
    assert_eq!(said(&mut drive, close(false)), Rest::Ended(End::CleanedUp));
    assert!(drive.world.done.contains("net-b"));
    assert!(drive.events().iter().any(|event| matches!(
        event,
        Event::TurnedToCleanup { steps, early, .. } if *steps == [id("b")] && early.is_empty()
    )));
    let obstacle = drive.machine.obstacle(&back_to("start"), drive.now).unwrap();
    assert!(obstacle.contains("needs the net of b, which was removed at"), "{obstacle}");
    let records = drive.records.len();
    drive.say(close(true));
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::CleanedUp));
    assert_eq!(drive.records.len(), records, "a closed run stays as it is");
}

#[test]
fn what_a_way_back_needs_is_not_removed_without_an_approval_that_names_it() {
    let mut drive = complete(kept_by(&["b"]));
    let obstacle = drive.machine.obstacle_to_cleanup(false, drive.now).unwrap();
    assert!(obstacle.contains("the net of b is needed until"), "{obstacle}");
    assert!(obstacle.contains("--now"), "{obstacle}");
    for early in [false, true] {
        assert_eq!(said(&mut drive, close(early)), Rest::Ended(End::Complete), "it is refused");
    }
    assert!(!drive.world.done.contains("net-b"));
    // Another approval is not this one.
    drive.machine.hear(drive.side.iter().cloned().collect());
    let obstacle = drive.machine.obstacle_to_cleanup(true, drive.now).unwrap();
    assert!(obstacle.contains("switchback approve --cleanup"), "{obstacle}");

    let says = approved(&drive);
    drive.say(says);
    assert_eq!(said(&mut drive, close(true)), Rest::Ended(End::CleanedUp));
    let recorded = drive.events().iter().rposition(
        |event| matches!(event, Event::Approved { approval } if approval.scope == ApprovalScope::Cleanup {}),
    );
    let turned = drive
        .events()
        .iter()
        .position(|event| matches!(event, Event::TurnedToCleanup { early, .. } if *early == [id("b")]));
    assert!(recorded.unwrap() < turned.unwrap(), "the approval is recorded before the line is crossed");
}

#[test]
fn a_run_that_closes_in_part_goes_back_to_where_nothing_is_missing() {
    let plan = || {
        let mut plan = with_middle(kept_by(&["c"]));
        leaves(&mut plan, "a", Seconds(1));
        plan
    };
    let mut drive = complete(plan());
    drive.pass(60);
    assert_eq!(said(&mut drive, close(false)), Rest::Ended(End::Complete), "c is still kept");
    assert!(drive.world.done.contains("net-a"));
    assert!(!drive.world.done.contains("net-c"));
    let obstacle = drive.machine.obstacle(&back_to("start"), drive.now).unwrap();
    assert!(obstacle.contains("the net of a"), "{obstacle}");
    assert_eq!(drive.machine.obstacle(&back_to("middle"), drive.now), None);
    let back = SideKind::Rollback { scope: back_to("middle"), reason: "a test".to_owned() };
    assert_eq!(said(&mut drive, back), Rest::Ended(End::RolledBack));

    let mut drive = complete(plan());
    drive.pass(60);
    said(&mut drive, close(false));
    week(&mut drive);
    assert_eq!(said(&mut drive, close(false)), Rest::Ended(End::CleanedUp));
    assert!(drive.world.done.contains("net-c"));
}

#[test]
fn a_way_back_that_was_taken_keeps_nothing_to_close_but_what_it_left_standing() {
    let mut drive = complete(with_middle(kept_by(&["a", "c"])));
    let back = SideKind::Rollback { scope: back_to("middle"), reason: "a test".to_owned() };
    assert_eq!(said(&mut drive, back), Rest::Ended(End::RolledBack));
    week(&mut drive);
    assert_eq!(said(&mut drive, close(false)), Rest::Ended(End::CleanedUp));
    assert!(drive.world.done.contains("net-a"), "c was taken back");
    assert!(!drive.world.done.contains("net-c"), "c was taken back");
}

#[test]
fn a_removal_that_fails_holds_and_goes_on_when_it_is_asked_again() {
    let mut drive = complete(kept_by(&["a", "b"]));
    answers(&mut drive, "do net-b", [not(Class::Refused)]);
    week(&mut drive);
    let rest = said(&mut drive, close(false));
    assert!(held(&rest).contains("cleanup test/test@1/b failed"), "{rest:?}");
    // Nothing rolls back from here, by name.
    let obstacle = drive.machine.obstacle(&back_to("start"), drive.now).unwrap();
    assert!(obstacle.contains("the net of a"), "{obstacle}");
    let back = SideKind::Rollback { scope: back_to("start"), reason: "a test".to_owned() };
    held(&said(&mut drive, back));
    assert_eq!(said(&mut drive, close(false)), Rest::Ended(End::CleanedUp));
}

#[test]
fn a_process_that_dies_in_a_removal_leaves_it_in_doubt_and_the_next_one_looks() {
    let mut drive = complete(kept_by(&["b"]));
    week(&mut drive);
    drive.say(close(false));
    drive.take_over();
    let at = At::cleanup(&id("b"));
    while drive.machine.state().phase(&at) != Phase::Called {
        assert!(drive.step().is_none());
    }
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::CleanedUp));
    let removals = drive.world.log.iter().filter(|landed| landed.what == "do net-b");
    let tokens: std::collections::BTreeSet<&str> = removals.map(|landed| landed.token.as_str()).collect();
    assert_eq!(tokens.len(), 1, "it is one effect, however often it is called");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_run_that_is_closed_has_removed_what_it_kept_and_nothing_else(seed in any::<u64>(), early in any::<bool>()) {
        let mut drive = begun(seed, |plan, random| {
            let names: Vec<String> = plan.steps.iter().map(|step| part(&step.id).to_owned()).collect();
            for name in &names {
                if random.percent(40) {
                    leaves(plan, name, Seconds(random.below(2) * 3600));
                }
            }
        });
        prop_assert_eq!(to_its_end(&mut drive), End::Complete);
        let before = drive.world.done.clone();
        drive.pass(if early { 1 } else { 7200 });
        let kept = switchback_executor::machine::standing(&drive.index.plan, drive.machine.state());
        let kept: Vec<String> = kept.iter().map(|(left, _)| format!("net-{}", part(&left.step))).collect();
        drive.weather = Weather { faults: 20, unreadable: 6, unhealthy: 6, vanishing: 0 };
        drive.crashes = 5;
        if early {
            let says = approved(&drive);
            drive.say(says);
        }
        drive.say(close(early));
        drive.take_over();
        match to_its_end(&mut drive) {
            End::CleanedUp => {
                let removed: Vec<String> = drive.world.done.difference(&before).cloned().collect();
                prop_assert_eq!(&removed, &kept);
                prop_assert!(before.is_subset(&drive.world.done), "nothing is undone");
                prop_assert!(drive.machine.state().ended.as_ref().is_some_and(|(_, left)| left.is_empty()));
            }
            End::Complete => prop_assert!(kept.is_empty(), "there was nothing to remove"),
            // Somebody gave up in the middle: what is not sure is named.
            End::Abandoned => {}
            end => prop_assert!(false, "{:?}", end),
        }
        let undoable = |step: &switchback_schemas::plan::Step| step.undo == Undo::Rollback {} && step.work.roll().is_none();
        if drive.machine.state().is_closed() && drive.index.plan.steps.iter().any(undoable) {
            prop_assert!(drive.machine.obstacle(&back_to("start"), drive.now).is_some(), "no rollback is left");
        }
    }
}
