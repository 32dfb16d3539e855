//! People and other runs: retries, approvals, stops, another cluster.

use switchback_executor::store::disk::Disk as _;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failure_can_be_retried_or_taken_back_by_a_person() {
    for back in [false, true] {
        let (world, disk) = (Arc::new(World::default()), SimDisk::new());
        let runtime = runtime(&world, &disk);
        world.odd.lock().unwrap().insert("do b".to_owned(), refused());
        let (run, _) = apply(&runtime, &three()).await.unwrap();
        world.odd.lock().unwrap().clear();
        let reason = "a test".to_owned();
        let says = match back {
            false => SideKind::Retry { step: id("b"), reason },
            true => SideKind::Rollback {
                scope: RollbackScope::Savepoint(SavepointId::new("start").unwrap()),
                reason,
            },
        };
        runs::request(runtime.handle(&run), by(), says).await.unwrap();
        let end = runs::resume(&runtime, &run, &Stop::new(), &mut |_| {}).await.unwrap();
        let report = runs::status(&*runtime.store, &run).await.unwrap();
        let status = |name: &str| {
            let forward = switchback_schemas::journal::At::forward(&id(name));
            report.steps.iter().find(|step| step.at == forward).unwrap().status
        };
        if back {
            assert_eq!(end, ended(End::RolledBack));
            assert!(world.done.lock().unwrap().is_empty());
            assert_eq!((status("a"), status("b")), (StepStatus::RolledBack, StepStatus::Failed));
        } else {
            assert_eq!(end, ended(End::Complete));
            assert_eq!((status("a"), status("b")), (StepStatus::Done, StepStatus::Done));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_breaks_leaves_a_doubt_that_is_looked_at() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do b".to_owned(), Odd::Panics);
    let (_, end) = apply(&runtime, &three()).await.unwrap();
    assert_eq!(end, ended(End::Complete));
    assert_eq!(counts(&world)["do b"], 2, "what was not seen and can be repeated is repeated");
}

#[tokio::test(start_paused = true)]
async fn a_run_parks_for_an_approval_and_goes_on_when_it_is_given() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let plan = gated(|_| {});
    let mut said = Vec::new();
    let mut view = |event: &RunEvent| {
        if let RunEvent::Waiting { waits_for, .. } = event {
            said.extend(waits_for.clone());
        }
    };
    let (run, end) = runs::apply(&runtime, &plan, &Stop::new(), &mut view).await.unwrap();
    let approval = vec![WaitsFor::Approval { scope: ApprovalScope::Plan {} }];
    assert_eq!(end, Ended::Rest(Rest::Parked { waits_for: approval.clone(), wake_at: None }));
    assert_eq!(said, approval, "it is said once");
    assert!(runs::due(&*runtime.store, runtime.clock.now()).await.unwrap().runs.is_empty());

    let go = approved(&runtime, &plan, by());
    let other = Approval { review: switchback_schemas::Digest::of("another"), ..go.clone() };
    let refused = runs::approve(runtime.handle(&run), other).await.unwrap_err();
    assert!(matches!(refused, RunError::Approval { .. }), "{refused}");
    runs::approve(runtime.handle(&run), go).await.unwrap();
    assert_eq!(runs::due(&*runtime.store, runtime.clock.now()).await.unwrap().runs, [run]);
    assert_eq!(apply(&runtime, &plan).await.unwrap().1, ended(End::Complete));
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_does_not_count_is_refused_and_not_written() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let plan = gated(|plan| {
        plan.gates[0].may_override = true;
        plan.platform.quorum = 2;
        plan.platform.allow_asserted = false;
    });
    let (run, end) = apply(&runtime, &plan).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Parked { .. })), "{end:?}");
    let of = |name: &str, scope: ApprovalScope| Approval {
        scope,
        ..approved(&runtime, &plan, Identified::Kubernetes(name.to_owned()))
    };
    let whole = |name: &str| of(name, ApprovalScope::Plan {});
    let refused = async |approval: Approval| {
        let before = runtime.store.side(&run).await.unwrap().places.len();
        let error = runs::approve(runtime.handle(&run), approval).await.unwrap_err();
        assert_eq!(runtime.store.side(&run).await.unwrap().places.len(), before, "{error}");
        error.to_string()
    };
    let now = runtime.clock.now();
    let expired = refused(Approval { expires: Some(now), ..whole("ann") }).await;
    assert!(expired.contains("which has passed"), "{expired}");
    let unproven = refused(Approval { by: by(), ..whole("ann") }).await;
    assert!(unproven.contains("proven identities only"), "{unproven}");
    let quiet = refused(of("ann", ApprovalScope::Gate(label("go")))).await;
    assert!(quiet.contains("a reason and an end"), "{quiet}");
    let unasked = refused(of("ann", ApprovalScope::Cleanup {})).await;
    assert!(unasked.contains("nothing of the plan asks for"), "{unasked}");

    // One who approves for an hour may do so for longer, and not twice for as long.
    let hour = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let one = runs::approve(runtime.handle(&run), Approval { expires: Some(hour), ..whole("ann") }).await;
    assert_eq!(one.unwrap().missing(), 1);
    refused(Approval { expires: Some(hour), ..whole("ann") }).await;
    runs::approve(runtime.handle(&run), whole("ann")).await.unwrap();
    let again = refused(whole("ann")).await;
    assert!(again.contains("ann has approved plan at"), "{again}");
    let awaited = runs::awaited(&*runtime.store, &run, now).await.unwrap();
    assert_eq!(awaited.len(), 1, "{awaited:?}");
    assert_eq!((awaited[0].given.len(), awaited[0].needed), (1, 2), "a person counts once");
    assert!(matches!(apply(&runtime, &plan).await.unwrap().1, Ended::Rest(Rest::Parked { .. })));
    assert_eq!(runs::approve(runtime.handle(&run), whole("ben")).await.unwrap().missing(), 0);
    assert_eq!(apply(&runtime, &plan).await.unwrap().1, ended(End::Complete));

    let late = refused(whole("cleo")).await;
    assert!(late.contains("has ended"), "{late}");
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_a_run_lets_its_calls_end_and_parks() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do a".to_owned(), Odd::Takes(3));
    let stop = Stop::new();
    let asking = stop.clone();
    let mut view = |event: &RunEvent| {
        if matches!(event, RunEvent::Recorded { record } if matches!(record.event, Event::Intent { .. })) {
            asking.ask("a signal");
        }
    };
    let (run, end) = runs::apply(&runtime, &three(), &stop, &mut view).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Parked { .. })), "{end:?}");
    let report = runs::status(&*runtime.store, &run).await.unwrap();
    assert!(matches!(report.state, RunState::Parked { .. }));
    assert_eq!(apply(&runtime, &three()).await.unwrap().1, ended(End::Complete));
    each_once(&world);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlasts_the_grace_is_in_doubt_and_looked_at_later() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let mut runtime = runtime(&world, &disk);
    runtime.max_runtime = Some(Seconds(90));
    world.odd.lock().unwrap().insert("do a".to_owned(), Odd::Takes(60));
    let (_, end) = apply(&runtime, &three()).await.unwrap();
    assert!(matches!(&end, Ended::Interrupted { calling } if calling.len() == 1), "{end:?}");
    // The call ends after its process has gone.
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    world.odd.lock().unwrap().clear();
    runtime.max_runtime = None;
    assert_eq!(apply(&runtime, &three()).await.unwrap().1, ended(End::Complete));
    each_once(&world);
}

#[tokio::test(start_paused = true)]
async fn another_cluster_is_refused_before_anything_is_written() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    "another".clone_into(&mut world.uid.lock().unwrap());
    let error = apply(&runtime(&world, &disk), &three()).await.unwrap_err();
    assert!(matches!(error, RunError::Identity { .. }), "{error}");
    assert!(world.log.lock().unwrap().is_empty());
    assert!(LocalStore::on("s", Arc::new(disk)).runs().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_unreadable_run_does_not_hide_the_others() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let (run, _) = apply(&runtime, &three()).await.unwrap();
    let dir = std::path::Path::new("s/runs/r-broken");
    let disk: &dyn switchback_executor::store::disk::Disk = &disk;
    disk.make_dirs(dir).unwrap();
    disk.create(&dir.join("journal")).unwrap().append(b"not a journal\n").unwrap();
    let runs = runs::list(&*runtime.store).await.unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().any(|(name, report)| *name == run && report.is_ok()));
    assert!(runs.iter().any(|(_, report)| report.is_err()));
}

/// A flipped bit in an old entry once moved all after it: a pause was acknowledged and never heard.
#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_holds_the_run_and_hides_none_after_it() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let plan = gated(|_| {});
    let (run, _) = apply(&runtime, &plan).await.unwrap();
    let note = |text: &str| SideKind::Note { text: text.to_owned() };
    for says in [note("one"), note("two"), SideKind::Pause { reason: "lunch".to_owned() }] {
        runs::request(runtime.handle(&run), by(), says).await.unwrap();
    }
    let path = format!("s/runs/{run}/side");
    let mut bytes = disk.read(path.as_ref()).unwrap();
    bytes[40] ^= 1;
    disk.remove(path.as_ref()).unwrap();
    let mut file = disk.create(path.as_ref()).unwrap();
    file.append(&bytes).and_then(|()| file.sync()).unwrap();

    let why = async || match apply(&runtime, &plan).await.unwrap().1 {
        Ended::Rest(Rest::Held { why }) => why,
        other => panic!("{other:?}"),
    };
    let first = why().await;
    assert!(first.contains("entry 1 of what people said") && first.contains("checksum"), "{first}");
    let go_on = || SideKind::Continue { reason: "looked".to_owned() };
    runs::request(runtime.handle(&run), by(), go_on()).await.unwrap();
    // What was said after it is heard in its turn, the pause before the word that goes on.
    runs::approve(runtime.handle(&run), approved(&runtime, &plan, by())).await.unwrap();
    assert_eq!(apply(&runtime, &plan).await.unwrap().1, ended(End::Complete));
    let notes: Vec<String> = runtime
        .store
        .journal(&run)
        .await
        .unwrap()
        .unwrap()
        .records
        .into_iter()
        .filter_map(|record| match record.event {
            Event::Noted { text } => Some(text),
            _ => None,
        })
        .collect();
    assert!(notes.iter().any(|text| text.ends_with(": two")), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_side_log_that_was_cut_holds_the_run() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let plan = gated(|_| {});
    let (run, _) = apply(&runtime, &plan).await.unwrap();
    let pause = SideKind::Pause { reason: "lunch".to_owned() };
    for says in [pause, SideKind::Continue { reason: "back".to_owned() }] {
        runs::request(runtime.handle(&run), by(), says).await.unwrap();
        apply(&runtime, &plan).await.unwrap();
    }
    disk.remove(format!("s/runs/{run}/side").as_ref()).unwrap();
    // What would take a place that was heard already is not taken and then lost.
    let go_on = SideKind::Continue { reason: "looked".to_owned() };
    let error = runs::request(runtime.handle(&run), by(), go_on).await.unwrap_err();
    assert!(error.to_string().contains("nothing more can be heard"), "{error}");
    runs::approve(runtime.handle(&run), approved(&runtime, &plan, by())).await.unwrap();
    let (_, end) = apply(&runtime, &plan).await.unwrap();
    let Ended::Rest(Rest::Held { why }) = end else { panic!("{end:?}") };
    assert!(
        why.contains("2 entries of what people said to the run were heard, and its side log holds 1"),
        "{why}"
    );
    assert!(world.log.lock().unwrap().is_empty(), "nothing is called");
}
