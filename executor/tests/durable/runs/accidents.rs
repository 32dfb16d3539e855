//! After an accident: what a run that is over left, a lease whose process is dead, a claim that nobody gives back.

use switchback_executor::store::disk::Disk;

use super::*;

/// A suspension around work that fails; it may be closed again when `other` is done.
pub(super) fn held_over() -> Vec<u8> {
    let mut steps = vec![step("open", &[]), step("work", &["open"]), step("shut", &["open", "work"])];
    for step in &mut steps {
        step.on_failure.action = switchback_schemas::plan::FailureAction::RollbackHop;
    }
    bytes(steps, |plan| {
        let mut suspension = plans::suspension("open", "shut");
        suspension.safe_to_resume = plans::asks(&["done", "other"]);
        plan.suspensions.push(suspension);
    })
}

#[tokio::test(start_paused = true)]
async fn p40_what_was_held_over_is_taken_back_when_that_is_safe_and_only_once() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do work".to_owned(), refused());
    let (run, end) = apply(&runtime, &held_over()).await.unwrap();
    assert_eq!(end, ended(End::RolledBackSuspended));
    let left = async || runs::left_behind(&*runtime.store, &run).await.unwrap();
    assert_eq!(left().await.suspensions.len(), 1);
    let clear = async || runs::clear(&runtime, &run, "open", &by(), "the nodes are back").await;

    let error = clear().await.unwrap_err();
    assert!(error.to_string().contains("not be safe"), "{error}");
    assert!(world.done.lock().unwrap().contains("open"), "it stays as it is");
    world.done.lock().unwrap().insert("other".to_owned());
    clear().await.unwrap();
    assert!(!world.done.lock().unwrap().contains("open"));
    assert_eq!(counts(&world)["undo open"], 1);
    let said = runtime.store.side(&run).await.unwrap();
    assert!(
        matches!(&said.said().next_back().unwrap().says, SideKind::Cleared { what, .. } if what == "open")
    );

    assert!(left().await.suspensions.is_empty());
    assert!(!left().await.residue.iter().any(|left| left.to_string().contains("suspension open")));
    let error = clear().await.unwrap_err();
    assert!(matches!(error, RunError::NotAllowed { .. }), "{error}");
    assert_eq!(counts(&world)["undo open"], 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_run_has_in_hand_is_not_taken_from_it() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do b".to_owned(), refused());
    let (run, _) = apply(&runtime, &three()).await.unwrap();
    let error = runs::clear(&runtime, &run, "a", &by(), "a test").await.unwrap_err();
    assert!(error.to_string().contains("has not ended"), "{error}");
    let held = runtime.store.take(&run, None).await.unwrap();
    for error in [
        runs::clear(&runtime, &run, "a", &by(), "a test").await.unwrap_err(),
        runs::release_lease(runtime.handle(&run), &by(), "a test").await.unwrap_err(),
        runs::release_claim(&runtime, &label("test"), &by(), "a test").await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("another process is working"), "{error}");
    }
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_released_with_a_word_and_the_run_goes_on() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do b".to_owned(), refused());
    let (run, _) = apply(&runtime, &three()).await.unwrap();
    let before = runtime.store.take(&run, None).await.unwrap();
    let (mut cut_off, expected, epoch) = (before.log, before.journal.head.next, 1);
    let mut head = before.journal.head;
    // The process is cut off and its lock is lost; what it still writes must not come through.
    disk.restart(Unsynced::Kept);
    assert_eq!(
        runs::release_lease(runtime.handle(&run), &by(), "its machine is gone").await.unwrap(),
        "test"
    );
    let line =
        head.line(epoch, "2026-11-20T10:00:00Z".parse().unwrap(), Event::Noted { text: "late".into() });
    assert!(cut_off.append(expected, epoch, &[line.unwrap()]).await.is_err());
    let report = runs::status(&*runtime.store, &run).await.unwrap();
    assert!(matches!(report.state, RunState::Held { .. }), "{:?}", report.state);
    let noted = runtime.store.journal(&run).await.unwrap().unwrap().records;
    let told = |event: &Event| matches!(event, Event::Noted { text } if text.contains("its machine is gone"));
    assert!(noted.iter().any(|record| told(&record.event)));
    world.odd.lock().unwrap().clear();
    let says = SideKind::Retry { step: id("b"), reason: "again".to_owned() };
    runs::request(runtime.handle(&run), by(), says).await.unwrap();
    assert_eq!(runs::resume(&runtime, &run, &Stop::new(), &mut |_| {}).await.unwrap(), ended(End::Complete));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_taken_back_abandons_its_run_and_another_can_begin() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do b".to_owned(), refused());
    let (run, _) = apply(&runtime, &three()).await.unwrap();
    world.odd.lock().unwrap().clear();
    let other = bytes(vec![step("other", &[])], |_| {});
    assert!(matches!(apply(&runtime, &other).await, Err(RunError::Claimed { .. })));
    let platform = label("test");
    let taken = runs::release_claim(&runtime, &platform, &by(), "the plan is void").await.unwrap();
    let Some(Reclaimed::Abandoned(abandoned, left)) = taken else { panic!("{taken:?}") };
    assert_eq!(abandoned, run);
    assert!(left[0].to_string().contains("the plan is void"), "{left:?}");
    assert!(left.iter().any(|left| left.to_string().contains("a was done")), "{left:?}");
    let report = runs::status(&*runtime.store, &run).await.unwrap();
    assert_eq!(report.state, RunState::Ended { end: End::Abandoned });
    assert_eq!(apply(&runtime, &other).await.unwrap().1, ended(End::Complete));
    assert_eq!(runs::release_claim(&runtime, &platform, &by(), "again").await.unwrap(), None);
    assert_eq!(runtime.store.claim_notes().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_a_run_that_cannot_be_read_is_taken_back_with_a_reason_beside_it() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do b".to_owned(), refused());
    let (run, _) = apply(&runtime, &three()).await.unwrap();
    let path = std::path::Path::new("s/runs").join(run.as_str()).join("journal");
    let mut bytes = disk.read(&path).unwrap();
    bytes[30] ^= 1;
    disk.remove(&path).unwrap();
    let mut file = disk.create(&path).unwrap();
    file.append(&bytes).unwrap();
    file.sync().unwrap();
    let other = super::bytes(vec![step("other", &[])], |_| {});
    assert!(apply(&runtime, &other).await.is_err(), "nobody knows whether the platform is free");
    let platform = label("test");
    let taken = runs::release_claim(&runtime, &platform, &by(), "its disk is broken").await.unwrap();
    assert!(matches!(taken, Some(Reclaimed::Unreadable(of, _)) if of == run));
    let notes = runtime.store.claim_notes().await.unwrap();
    assert!(matches!(&notes[0].says, SideKind::Note { text } if text.contains("its disk is broken")));
    assert_eq!(apply(&runtime, &other).await.unwrap().1, ended(End::Complete));
}

/// A run that an older release began is neither damaged nor empty: each way of taking it up says which release has to.
#[tokio::test(start_paused = true)]
async fn a_run_of_an_older_release_is_refused_by_name() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do b".to_owned(), refused());
    let (run, _) = apply(&runtime, &three()).await.unwrap();
    let path = std::path::Path::new("s/runs").join(run.as_str()).join("journal");
    let bytes = disk.read(&path).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let first = std::str::from_utf8(&bytes[18..end]).unwrap();
    let older = first.replace("switchback.journal/3.0", "switchback.journal/1.0");
    assert_ne!(older, first);
    disk.remove(&path).unwrap();
    let mut file = disk.create(&path).unwrap();
    file.append(&switchback_model::journal::framed(older.as_bytes())).unwrap();
    file.append(&bytes[end..]).unwrap();
    file.sync().unwrap();
    let other = super::bytes(vec![step("other", &[])], |_| {});
    for error in [
        runs::status(&*runtime.store, &run).await.unwrap_err(),
        runs::plan(&*runtime.store, &run).await.unwrap_err(),
        apply(&runtime, &three()).await.unwrap_err(),
        apply(&runtime, &other).await.unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            format!("run {run}: this journal is in format 1.x, and this build reads 3.x")
        );
        assert_eq!(error.help(), "finish the run, or read it, with the release that began it");
    }
}

/// Safety review, B4: a run that could not be started because of one 503 ended with exit code 1.
#[tokio::test(start_paused = true)]
async fn b4_trouble_while_targets_prove_who_they_are_waits_and_then_parks() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    *world.dark.lock().unwrap() = 5;
    let (_, end) = apply(&runtime, &three()).await.unwrap();
    assert_eq!(end, ended(End::Complete));

    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = self::runtime(&world, &disk);
    *world.dark.lock().unwrap() = 1_000;
    let (run, end) = apply(&runtime, &three()).await.unwrap();
    let Ended::Rest(Rest::Parked { waits_for, wake_at: Some(_) }) = &end else { panic!("{end:?}") };
    assert!(
        matches!(&waits_for[..], [WaitsFor::Unreadable { why, .. }] if why.contains("503")),
        "{waits_for:?}"
    );
    assert!(world.log.lock().unwrap().is_empty(), "nothing is done to a target that is not proven");
    let status = runs::status(&*runtime.store, &run).await;
    assert!(matches!(status.unwrap().state, RunState::Parked { .. }));
    *world.dark.lock().unwrap() = 0;
    assert_eq!(apply(&runtime, &three()).await.unwrap(), (run, ended(End::Complete)));
    each_once(&world);
}

#[tokio::test(start_paused = true)]
async fn another_target_is_refused_at_once_also_after_trouble() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    *world.uid.lock().unwrap() = "another".to_owned();
    *world.dark.lock().unwrap() = 2;
    let error = apply(&runtime, &three()).await.unwrap_err();
    assert!(matches!(error, RunError::Identity { .. }), "{error}");
    assert!(world.log.lock().unwrap().is_empty());
}
