//! Operations: a plan that continues a run, the rollback through both, and what the earlier one keeps.

use switchback_schemas::{
    plan::{Action, ExpiresEarlier, SuspendedBy, Suspension, Undo, Wait},
    report::{CarryOver, Report},
};

use super::*;

/// A run that holds because `b` is refused, with `a` and `c` done.
async fn held(world: &World, runtime: &Runtime, plan: &[u8]) -> RunId {
    world.odd.lock().unwrap().insert("do b".to_owned(), refused());
    let (run, end) = apply(runtime, plan).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Held { .. })), "{end:?}");
    run
}

/// A plan of one step that continues a run.
async fn child(runtime: &Runtime, old: &RunId) -> Vec<u8> {
    child_of(runtime, old, "d", Vec::new()).await
}

/// A step that only looks.
fn looks(name: &str, needs: &[&str]) -> Drawn {
    let mut step = step(name, needs);
    step.work.action = Action::Effect(Effect::Wait(Wait { until: plans::asks(&["there", name]) }));
    step.work.done_when = None;
    step.undo = Undo::Unneeded { why: "it only reads".to_owned() };
    step
}

/// The same with a step of this name, which ends rollbacks of earlier runs.
async fn child_of(runtime: &Runtime, old: &RunId, name: &str, expires: Vec<ExpiresEarlier>) -> Vec<u8> {
    continued_by(runtime, old, step(name, &[]), expires).await
}

async fn continued_by(runtime: &Runtime, old: &RunId, step: Drawn, expires: Vec<ExpiresEarlier>) -> Vec<u8> {
    let carried = runs::carry_over(&*runtime.store, old).await.unwrap();
    bytes(vec![step], |plan| {
        plan.parent = Some(Parent {
            run: old.clone(),
            plan: carried.plan,
            journal_head: carried.journal_head.clone(),
            savepoint: carried.savepoint.clone(),
            expires,
        });
    })
}

async fn status(runtime: &Runtime, run: &RunId) -> Report {
    runs::status(&*runtime.store, run).await.unwrap()
}

async fn holder(runtime: &Runtime) -> Option<RunId> {
    claims::holder(&*runtime.store, &label("test")).await.unwrap()
}

async fn say(runtime: &Runtime, run: &RunId, says: SideKind) -> Result<(), RunError> {
    runs::request(runtime.handle(run), by(), says).await
}

fn back() -> SideKind {
    let start = SavepointId::new("start").unwrap();
    SideKind::Rollback { scope: RollbackScope::Savepoint(start), reason: "a test".to_owned() }
}

async fn go_back(runtime: &Runtime, run: &RunId) -> Ended {
    say(runtime, run, back()).await.unwrap();
    runs::resume(runtime, run, &Stop::new(), &mut |_| {}).await.unwrap()
}

/// The later run is back where it began, and the earlier one holds the platform again.
async fn is_returned(runtime: &Runtime, old: &RunId, new: &RunId, what: &str) {
    let state = status(runtime, old).await.state;
    assert!(matches!(&state, RunState::Held { why } if why.contains(new.as_str())), "{what}: {state:?}");
    assert_eq!(holder(runtime).await.as_ref(), Some(old), "{what}");
    let returned = runs::returned_to(&*runtime.store, new).await.unwrap();
    assert_eq!(returned.as_ref(), Some(old), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_continues_a_run_takes_over_its_claim_and_its_captures() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let refused = Outcome::NotDone {
        class: switchback_schemas::journal::Class::Refused,
        evidence: switchback_schemas::journal::Evidence::line("no"),
    };
    world.odd.lock().unwrap().insert("do b".to_owned(), Odd::Answers(refused));
    let (old, _) = apply(&runtime, &three()).await.unwrap();
    let carried = runs::carry_over(&*runtime.store, &old).await.unwrap();
    assert!(carried.captures[&id("a")].contains_key("before"));
    assert_eq!(carried.done, [id("a"), id("c")]);
    let hops: Vec<_> = carried.hops.iter().map(|hop| (hop.id.to_string(), hop.whole)).collect();
    assert_eq!(hops, [("test/test@1".to_owned(), false)]);

    let child = |head: String| {
        bytes(vec![step("d", &[])], |plan| {
            plan.parent = Some(Parent {
                run: old.clone(),
                plan: carried.plan,
                journal_head: head,
                savepoint: carried.savepoint.clone(),
                expires: Vec::new(),
            });
        })
    };
    let stale = apply(&runtime, &child("0".repeat(32))).await.unwrap_err();
    assert!(matches!(stale, RunError::Parent { .. }), "{stale}");
    let (new, end) = apply(&runtime, &child(carried.journal_head.clone())).await.unwrap();
    assert_eq!(end, ended(End::Complete));
    let left = runs::status(&*runtime.store, &old).await.unwrap().state;
    assert_eq!(left, RunState::Superseded { by: new });
    assert_eq!(apply(&runtime, &three()).await.unwrap().1, Ended::Rest(Rest::Superseded(new_id(&left))));
}

fn new_id(state: &RunState) -> RunId {
    match state {
        RunState::Superseded { by } => by.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_goes_back_through_its_runs_to_where_the_first_began() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let old = held(&world, &runtime, &three()).await;
    let (new, end) = apply(&runtime, &child(&runtime, &old).await).await.unwrap();
    assert_eq!(end, ended(End::Complete));
    assert_eq!(holder(&runtime).await, None);
    let error = say(&runtime, &old, back()).await.unwrap_err();
    assert!(error.to_string().contains(&format!("continued by run {new}")), "{error}");

    assert_eq!(go_back(&runtime, &new).await, ended(End::RolledBack));
    is_returned(&runtime, &old, &new, "back").await;
    let third = bytes(vec![step("e", &[])], |_| {});
    let error = apply(&runtime, &third).await.unwrap_err();
    assert!(matches!(&error, RunError::Claimed { by, .. } if *by == old), "{error}");

    assert_eq!(go_back(&runtime, &old).await, ended(End::RolledBack));
    assert_eq!(holder(&runtime).await, None);
    assert!(world.done.lock().unwrap().is_empty(), "{:?}", world.done);
    assert_eq!(status(&runtime, &old).await.residue, []);
}

/// What it saw was well, and nobody minds that: the rollback of the operation still leads through it.
#[tokio::test(start_paused = true)]
async fn a_later_run_that_only_looked_gives_the_platform_back() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let old = held(&world, &runtime, &three()).await;
    let plan = continued_by(&runtime, &old, looks("d", &[]), Vec::new()).await;
    let (new, end) = apply(&runtime, &plan).await.unwrap();
    assert_eq!(end, ended(End::Complete));
    assert_eq!(go_back(&runtime, &new).await, ended(End::RolledBack));
    is_returned(&runtime, &old, &new, "nothing was undone").await;
    assert_eq!(go_back(&runtime, &old).await, ended(End::RolledBack));
    // Alone it would have nothing to roll back to.
    let (run, _) = apply(&runtime, &bytes(vec![looks("e", &[])], |_| {})).await.unwrap();
    let error = say(&runtime, &run, back()).await.unwrap_err();
    assert!(error.to_string().contains("nothing was changed"), "{error}");
}

/// A person may roll back through such a run; a failure of it is for a person.
#[tokio::test(start_paused = true)]
async fn a_later_run_that_fails_before_it_changed_anything_holds() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let old = held(&world, &runtime, &three()).await;
    let mut first = step("d", &[]);
    first.on_failure.action = switchback_schemas::plan::FailureAction::RollbackHop;
    let plan = continued_by(&runtime, &old, first, Vec::new()).await;
    world.odd.lock().unwrap().insert("do d".to_owned(), refused());
    let (new, end) = apply(&runtime, &plan).await.unwrap();
    let Ended::Rest(Rest::Held { why }) = &end else { panic!("{end:?}") };
    assert!(why.contains("nothing was changed"), "{why}");
    assert_eq!(go_back(&runtime, &new).await, ended(End::RolledBack));
    is_returned(&runtime, &old, &new, "nothing was undone").await;
}

/// A run that continues another one and has to leave its own suspension open.
async fn left_open(world: &World, runtime: &Runtime) -> (RunId, RunId) {
    let old = held(world, runtime, &three()).await;
    let parent = Plan::from_json(&child(runtime, &old).await).unwrap().parent;
    let own = Plan::from_json(&accidents::held_over()).unwrap();
    let plan = bytes(drawn(&own), |plan| {
        plan.parent = parent;
        plan.suspensions = own.suspensions;
    });
    world.odd.lock().unwrap().insert("do work".to_owned(), refused());
    let (new, end) = apply(runtime, &plan).await.unwrap();
    assert_eq!(end, ended(End::RolledBackSuspended));
    world.done.lock().unwrap().insert("other".to_owned());
    (old, new)
}

/// What it had to leave open is its own; with that the rollback of the operation goes on.
#[tokio::test(start_paused = true)]
async fn a_later_run_that_left_something_open_gives_the_platform_back_when_it_is_cleared() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let (old, new) = left_open(&world, &runtime).await;
    let error = say(&runtime, &old, back()).await.unwrap_err();
    assert!(error.to_string().contains(new.as_str()), "{error}");
    runs::clear(&runtime, &new, "open", &by(), "it is safe now").await.unwrap();
    is_returned(&runtime, &old, &new, "cleared").await;
    assert_eq!(go_back(&runtime, &old).await, ended(End::RolledBack));
    assert_eq!(world.done.lock().unwrap().iter().collect::<Vec<_>>(), ["other"]);
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_somebody_else_had_meanwhile_is_not_given_back() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let (old, new) = left_open(&world, &runtime).await;
    let third = bytes(vec![step("e", &[])], |_| {});
    assert_eq!(apply(&runtime, &third).await.unwrap().1, ended(End::Complete));
    runs::clear(&runtime, &new, "open", &by(), "it is safe now").await.unwrap();
    assert_eq!(runs::returned_to(&*runtime.store, &new).await.unwrap(), None);
    assert_eq!(holder(&runtime).await, None);
    let error = say(&runtime, &old, back()).await.unwrap_err();
    assert!(error.to_string().contains(new.as_str()), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_its_platform_again_goes_forward_when_a_person_says_so() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let old = held(&world, &runtime, &three()).await;
    let (new, _) = apply(&runtime, &child(&runtime, &old).await).await.unwrap();
    assert_eq!(go_back(&runtime, &new).await, ended(End::RolledBack));
    assert!(matches!(apply(&runtime, &three()).await.unwrap().1, Ended::Rest(Rest::Held { .. })));
    world.odd.lock().unwrap().clear();
    say(&runtime, &old, SideKind::Retry { step: id("b"), reason: "a test".to_owned() }).await.unwrap();
    assert_eq!(apply(&runtime, &three()).await.unwrap().1, ended(End::Complete));
    assert_eq!(world.done.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_disk_operation_of_the_way_back_the_platform_is_the_earlier_runs_again() {
    for operation in 0.. {
        for speaks in [false, true] {
            let (world, disk) = (Arc::new(World::default()), SimDisk::new());
            let runtime = runtime(&world, &disk);
            let old = held(&world, &runtime, &three()).await;
            let plan = child(&runtime, &old).await;
            let (new, _) = apply(&runtime, &plan).await.unwrap();
            say(&runtime, &new, back()).await.unwrap();
            disk.fault_at(disk.operations() + operation, Fault::Crash);
            let gone = runs::resume(&runtime, &new, &Stop::new(), &mut |_| {}).await;
            if !disk.crashed() {
                assert_eq!(gone.unwrap(), ended(End::RolledBack));
                assert!(operation > 20, "{operation}");
                return;
            }
            disk.restart(Unsynced::Lost);
            let what = format!("operation {operation}, the earlier run is spoken to: {speaks}");
            // Before the later run is back, the earlier one has nothing to say.
            let note = SideKind::Note { text: "is somebody there?".to_owned() };
            if !speaks || say(&runtime, &old, note).await.is_err() {
                assert_eq!(apply(&runtime, &plan).await.unwrap().1, ended(End::RolledBack), "{what}");
            }
            is_returned(&runtime, &old, &new, &what).await;
            assert_eq!(go_back(&runtime, &old).await, ended(End::RolledBack), "{what}");
            assert!(world.done.lock().unwrap().is_empty(), "{what}: {:?}", world.done);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_run_ends_the_way_back_of_an_earlier_one_for_good() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let first = held(&world, &runtime, &three()).await;
    // A run between the two, which is held too.
    world.odd.lock().unwrap().insert("do d".to_owned(), refused());
    let (second, _) = apply(&runtime, &child(&runtime, &first).await).await.unwrap();
    let carried = runs::carry_over(&*runtime.store, &second).await.unwrap();
    let hops: Vec<_> = carried.hops.iter().map(|hop| (hop.id.to_string(), &hop.run)).collect();
    assert_eq!(hops, [("test/test@1".to_owned(), &first)], "hops of all runs, as far as they were begun");
    let expires =
        vec![ExpiresEarlier { hop: plans::hop(), at: id("e"), why: "the platform went on".to_owned() }];
    let plan = child_of(&runtime, &second, "e", expires).await;
    let (third, end) = apply(&runtime, &plan).await.unwrap();
    assert_eq!(end, ended(End::Complete));

    assert_eq!(go_back(&runtime, &third).await, ended(End::RolledBack));
    is_returned(&runtime, &second, &third, "the third is back").await;
    // The second changed nothing that could be taken back, and ends; what it was told goes on to the first.
    world.odd.lock().unwrap().clear();
    say(&runtime, &second, SideKind::Retry { step: id("d"), reason: "a test".to_owned() }).await.unwrap();
    assert_eq!(
        runs::resume(&runtime, &second, &Stop::new(), &mut |_| {}).await.unwrap(),
        ended(End::Complete)
    );
    let error = say(&runtime, &second, back()).await.unwrap_err();
    assert!(
        error.to_string().contains("the rollback of test/test@1/d has expired: the platform went on"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_later_run_did_not_begin_ends_no_way_back() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let old = held(&world, &runtime, &three()).await;
    let expires = vec![ExpiresEarlier { hop: plans::hop(), at: id("g"), why: "it went on".to_owned() }];
    let plan = Plan::from_json(&child_of(&runtime, &old, "g", expires).await).unwrap();
    let plan = bytes(vec![step("e", &[]), step("f", &["e"]), step("g", &["f"])], |later| {
        later.parent.clone_from(&plan.parent);
    });
    world.odd.lock().unwrap().insert("do f".to_owned(), refused());
    let (new, end) = apply(&runtime, &plan).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Held { .. })), "{end:?}");
    assert_eq!(go_back(&runtime, &new).await, ended(End::RolledBack));
    is_returned(&runtime, &old, &new, "g was not begun").await;
    assert_eq!(go_back(&runtime, &old).await, ended(End::RolledBack));
    assert!(world.done.lock().unwrap().is_empty(), "{:?}", world.done);
}

/// A third run has to know what the first one opened, also when the second never came to look at it.
#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_left_open_is_handed_on_before_it_was_looked_at() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let opened = bytes(in_a_row(), |plan| plan.suspensions.push(plans::suspension("a", "b")));
    let first = held(&world, &runtime, &opened).await;
    let open = |carried: CarryOver| carried.left_suspended.len();
    assert_eq!(open(runs::carry_over(&*runtime.store, &first).await.unwrap()), 1);

    let parent = Plan::from_json(&child(&runtime, &first).await).unwrap().parent;
    let plan = bytes(vec![step("d", &[]), looks("look", &["d"]), step("shut", &["look"])], |plan| {
        plan.parent = parent;
        let suspended_by = SuspendedBy::EarlierRun;
        plan.suspensions.push(Suspension { suspended_by, ..plans::suspension("look", "shut") });
    });
    world.odd.lock().unwrap().insert("do d".to_owned(), refused());
    let (second, end) = apply(&runtime, &plan).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Held { .. })), "{end:?}");
    assert_eq!(open(runs::carry_over(&*runtime.store, &second).await.unwrap()), 1);
    assert_eq!(status(&runtime, &second).await.left_suspended.len(), 1, "it accounts for it");
    assert_eq!(status(&runtime, &first).await.left_suspended, Vec::new(), "and the first no more");
}

/// A later run that finishes what an earlier one began says so to the next.
#[tokio::test(start_paused = true)]
async fn what_a_later_run_finished_is_not_unfinished() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let first = held(&world, &runtime, &three()).await;
    let (second, _) = apply(&runtime, &child(&runtime, &first).await).await.unwrap();
    let hops = runs::carry_over(&*runtime.store, &second).await.unwrap().hops;
    let hops: Vec<_> = hops.iter().map(|hop| (&hop.run, hop.whole)).collect();
    assert_eq!(hops, [(&first, true), (&second, true)]);
}

/// The same three steps, of which `a` and `c` leave something for a while.
fn with_nets() -> Vec<u8> {
    bytes(in_a_row(), |plan| {
        plans::leaves(plan, "a", Seconds::hours(24));
        plans::leaves(plan, "c", Seconds::hours(24 * 30));
    })
}

async fn close(runtime: &Runtime, run: &RunId) -> Result<Ended, RunError> {
    say(runtime, run, SideKind::Cleanup { early: false, reason: "a test".to_owned() }).await?;
    runs::resume(runtime, run, &Stop::new(), &mut |_| {}).await
}

async fn days(days: u64) {
    tokio::time::sleep(std::time::Duration::from_hours(24 * days)).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_continued_run_keeps_is_removed_when_the_later_one_is_over() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let old = held(&world, &runtime, &with_nets()).await;
    let plan = child(&runtime, &old).await;
    world.odd.lock().unwrap().insert("do d".to_owned(), refused());
    let (new, end) = apply(&runtime, &plan).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Held { .. })), "{end:?}");
    days(2).await;
    // While the later run has the platform, its rollback may lead through the earlier one.
    let error = close(&runtime, &old).await.unwrap_err();
    assert!(matches!(&error, RunError::Claimed { by, .. } if *by == new), "{error}");
    assert!(!world.done.lock().unwrap().contains("net-a"));

    world.odd.lock().unwrap().clear();
    say(&runtime, &new, SideKind::Retry { step: id("d"), reason: "a test".to_owned() }).await.unwrap();
    assert_eq!(apply(&runtime, &plan).await.unwrap().1, ended(End::Complete));
    // One of two has had its time: the run is what it was before, continued by another.
    let rest = runs::resume(&runtime, &old, &Stop::new(), &mut |_| {}).await.unwrap();
    assert_eq!(rest, Ended::Rest(Rest::Superseded(new.clone())));
    assert!(world.done.lock().unwrap().contains("net-a"));
    assert!(!world.done.lock().unwrap().contains("do b"), "nothing else goes on");
    let report = status(&runtime, &old).await;
    assert_eq!(report.state, RunState::Superseded { by: new.clone() });
    assert_eq!(report.residue, [], "the later run accounts for the rest");
    assert_eq!(report.retained.iter().map(|kept| plans::part(&kept.step)).collect::<Vec<_>>(), ["c"]);

    // The rollback leads to the earlier run, and not through it.
    assert_eq!(go_back(&runtime, &new).await, ended(End::RolledBack));
    is_returned(&runtime, &old, &new, "half closed").await;
    let error = say(&runtime, &old, back()).await.unwrap_err();
    assert!(error.to_string().contains("the net of a, which was removed"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_continued_run_that_is_closed_is_not_gone_back_to() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let old = held(&world, &runtime, &with_nets()).await;
    let (new, _) = apply(&runtime, &child(&runtime, &old).await).await.unwrap();
    days(31).await;
    assert_eq!(close(&runtime, &old).await.unwrap(), ended(End::CleanedUp));
    let report = status(&runtime, &old).await;
    assert_eq!((report.state, report.retained), (RunState::Ended { end: End::CleanedUp }, Vec::new()));
    assert_eq!(report.residue, [], "the later run accounts for the rest");
    assert_eq!(counts(&world)["do b"], 1, "what had failed is not tried again");
    assert_eq!(go_back(&runtime, &new).await, ended(End::RolledBack));
    assert_eq!(holder(&runtime).await, None);
    assert_eq!(runs::returned_to(&*runtime.store, &new).await.unwrap(), None);
    assert_eq!(status(&runtime, &old).await.state, RunState::Ended { end: End::CleanedUp });
}
