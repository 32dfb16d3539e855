//! The census: a run answers for what it made worse, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};

use switchback_executor::{
    machine::{Machine, Reason, Rest, Settings},
    ports::{Look, PoolHealth},
};
use switchback_schemas::{
    Digest, Seconds,
    journal::{
        Approval, At, Counted, End, Event, Identified, Outcome, Progress, Shortage, SideKind, WaitsFor,
    },
    name::{ObjectName, ObjectRef},
    plan::{AcceptedShortage, ApprovalScope, Count, Identity, Plan, ShortageKind},
};

use super::{
    drive::{Drive, start},
    plans::{Drawn, id, label, plan, roll, step},
    world::World,
};

const CAUSE: &str = "pod llm-0: Unschedulable: 0/6 nodes are available";

fn on_cluster(drawn: Vec<Drawn>) -> Plan {
    let mut plan = plan(drawn);
    let identity = Identity::Cluster { kube_system_uid: "u".to_owned(), eks: None };
    plan.platform.targets.insert(label("cluster"), identity);
    plan
}

fn one(kind: &str, name: &str, desired: u64, ready: u64) -> Counted {
    let api = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    Counted {
        uid: name.to_owned(),
        object: ObjectRef::new(api, kind, &ObjectName::namespaced("ns", name)),
        desired,
        ready,
        progress: if kind == "Job" { Progress::Unfinished } else { Progress::Lasting },
        start: Seconds(0),
        release: None,
        groups: BTreeSet::new(),
        through: BTreeSet::new(),
    }
}

fn look(counted: &[Counted]) -> Look {
    let causes = counted.iter().map(|counted| (counted.uid.clone(), CAUSE.to_owned())).collect();
    Look { counted: counted.to_vec(), causes, pools: BTreeMap::new() }
}

/// A roll over two nodes on which a Job of four pods stands, and beside it a Deployment that stands elsewhere.
fn rolling(change: impl FnOnce(&mut World)) -> Drive {
    let mut world = World::default();
    world.add_pool("pool", 2, start());
    world.workloads = ["llm".to_owned()].into();
    world.look = look(&[one("Job", "llm", 4, 4), one("Deployment", "web", 3, 3)]);
    change(&mut world);
    let mut step = roll("r", &[], "pool");
    if let switchback_schemas::plan::Action::Roll(roll) = &mut step.step.work.action {
        roll.max_unavailable = Count::Nodes(2);
    }
    Drive::new(on_cluster(vec![step]), world, 1)
}

fn job(desired: u64, ready: u64) -> Counted {
    one("Job", "llm", desired, ready)
}

fn web(desired: u64, ready: u64) -> Counted {
    one("Deployment", "web", desired, ready)
}

fn held(rest: Rest) -> String {
    match rest {
        Rest::Held { why } => why,
        other => panic!("{other:?}"),
    }
}

fn worse(drive: &Drive) -> &[Shortage] {
    &drive.machine.state().census.worse
}

fn done(drive: &Drive, batch: u32) -> bool {
    drive.events().iter().any(|event| matches!(event, Event::BatchDone { batch: done, .. } if *done == batch))
}

/// How long the run worked after its first batch was drained.
fn since_drained(drive: &Drive) -> i64 {
    let drain = drive.records.iter().find(|record| {
        matches!(&record.event, Event::Ended { at, .. } if at.item.as_ref().is_some_and(|item| item.recipe.as_str() == "drain"))
    });
    drive.now.duration_since(drain.expect("a drain").at).as_secs()
}

#[test]
fn what_stands_there_is_counted_in_several_looks_before_the_first_effect() {
    let mut drive = rolling(|world| {
        world.looks =
            [look(&[job(4, 4), web(3, 1)]), look(&[job(4, 4)]), look(&[job(4, 3), web(3, 3)])].into();
    });
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    let counted = drive.records.iter().position(|record| matches!(record.event, Event::Counted { .. }));
    let effect = drive.records.iter().position(|record| matches!(record.event, Event::Frozen { .. }));
    assert!(counted < effect, "{counted:?} {effect:?}");
    let record = &drive.records[counted.unwrap()];
    assert!(record.at.duration_since(start()).as_secs() >= 60, "{}", record.at);
    let Event::Counted { looks, counted, .. } = &record.event else { panic!() };
    assert_eq!(*looks, 3);
    let ready: Vec<_> = counted.iter().map(|counted| (counted.uid.as_str(), counted.ready)).collect();
    assert_eq!(ready, [("llm", 3)], "the fewest of all looks; what was not there in one counts as none");
}

#[test]
fn an_effect_before_the_count_refuses_the_run() {
    let mut drive = Drive::new(on_cluster(vec![step("a", &[])]), World::default(), 1);
    drive.write(Event::Claimed {});
    let at = At::forward(&id("a"));
    let event = Event::Intent { at, attempt: 1, token: "t".to_owned() };
    let line = drive.head.line(drive.epoch, drive.now, event).unwrap();
    let illegal = drive.machine.apply(&line.record).unwrap_err();
    assert!(matches!(illegal.reason, Reason::Uncounted { .. }), "{illegal}");
}

#[test]
fn a1_a_batch_whose_work_does_not_come_back_holds_by_name() {
    let mut drive = rolling(|world| world.drained = Some(look(&[job(4, 0), web(3, 3)])));
    let why = held(drive.rest());
    assert!(why.contains("Job ns/llm: 0 of 4 ready (4 before)"), "{why}");
    assert!(why.contains(CAUSE), "{why}");
    assert!(why.contains("where its pods stood"), "{why}");
    assert!(!done(&drive, 1));
    assert!(since_drained(&drive) >= 600, "{}", since_drained(&drive));
    let [worse] = worse(&drive) else { panic!("{:?}", worse(&drive)) };
    assert_eq!((worse.before, worse.desired, worse.ready), (4, 4, 0));
    assert!(worse.ours.is_some());
}

#[test]
fn a_batch_waits_for_its_work_and_goes_on_when_it_is_back() {
    let mut drive = rolling(|world| world.drained = Some(look(&[job(4, 1), web(3, 3)])));
    while drive.world.drained.is_some() || since_drained_or_zero(&drive) < 300 {
        assert_eq!(drive.step(), None);
    }
    assert!(!done(&drive, 1), "not while something is short");
    drive.world.look = look(&[job(4, 4), web(3, 3)]);
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert!(worse(&drive).is_empty());
}

fn since_drained_or_zero(drive: &Drive) -> i64 {
    let drained = |event: &&Event| matches!(event, Event::Ended { at, .. } if at.item.as_ref().is_some_and(|item| item.recipe.as_str() == "drain"));
    if drive.events().iter().any(drained) { since_drained(drive) } else { 0 }
}

#[test]
fn what_takes_long_to_start_has_twice_that_time() {
    let slow = |ready| Counted { start: Seconds::minutes(15), ..job(4, ready) };
    let mut drive = rolling(|world| {
        world.look = look(&[slow(4)]);
        world.drained = Some(look(&[slow(0)]));
    });
    held(drive.rest());
    assert!(since_drained(&drive) >= 1800, "{}", since_drained(&drive));
}

#[test]
fn what_this_run_did_not_touch_is_listed_and_holds_nothing() {
    let mut drive = rolling(|world| world.drained = Some(look(&[job(4, 4), web(3, 1)])));
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    let [worse] = worse(&drive) else { panic!("{:?}", worse(&drive)) };
    assert_eq!((worse.uid.as_str(), worse.ready, &worse.ours), ("web", 1, &None));
    assert_eq!(worse.cause, CAUSE);
}

#[test]
fn fewer_that_are_wanted_are_not_missed() {
    let mut drive = rolling(|world| world.drained = Some(look(&[job(2, 2), web(1, 1)])));
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert!(worse(&drive).is_empty());
}

#[test]
fn work_that_comes_to_an_end_is_fine_failed_or_unknown() {
    let ended = |progress| Counted { progress, ..job(0, 0) };
    let mut drive = rolling(|world| world.drained = Some(look(&[ended(Progress::Complete), web(3, 3)])));
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert!(worse(&drive).is_empty());

    let mut drive = rolling(|world| world.drained = Some(look(&[ended(Progress::Failed), web(3, 3)])));
    let why = held(drive.rest());
    assert!(why.contains("Job ns/llm: failed"), "{why}");
    assert!(since_drained(&drive) < 600, "a failure needs no time to settle");

    let mut drive = rolling(|world| world.drained = Some(look(&[web(3, 3)])));
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    let [gone] = worse(&drive) else { panic!("{:?}", worse(&drive)) };
    assert_eq!(gone.how, ShortageKind::Gone, "unknown, and listed");

    // What is wanted no more and has no end is missed by nobody.
    let mut drive = rolling(|world| world.drained = Some(look(&[job(4, 4)])));
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert!(worse(&drive).is_empty());
}

#[test]
fn a_look_that_cannot_be_read_neither_passes_nor_fails() {
    let mut drive = rolling(|world| world.drained = Some(look(&[job(4, 0), web(3, 3)])));
    while since_drained_or_zero(&drive) < 300 {
        assert_eq!(drive.step(), None);
    }
    drive.world.blind = true;
    while since_drained(&drive) < 900 {
        assert_eq!(drive.step(), None, "it would have been worse at 600 s");
    }
    drive.world.blind = false;
    let why = held(drive.rest());
    assert!(why.contains("Job ns/llm"), "{why}");
    assert!(since_drained(&drive) >= 1170, "ten good minutes: {}", since_drained(&drive));

    // Where nothing can be read at all, the batch is not proven.
    let mut drive = rolling(|_| {});
    while since_drained_or_zero(&drive) == 0 {
        assert_eq!(drive.step(), None);
    }
    drive.world.blind = true;
    let why = held(drive.rest());
    assert!(why.contains("cannot be verified"), "{why}");
}

/// Holds a run at its end: the Job gets worse in the look after the last batch.
fn at_its_end(ready: u64) -> Drive {
    let mut drive = rolling(|_| {});
    while !drive.events().iter().any(|event| matches!(event, Event::Converged { .. })) {
        assert_eq!(drive.step(), None);
    }
    drive.world.look = look(&[job(4, ready), web(3, 3)]);
    drive
}

#[test]
fn a_run_is_not_complete_while_something_of_its_own_is_worse() {
    let mut drive = at_its_end(1);
    let why = held(drive.rest());
    assert!(why.contains("the run is not complete"), "{why}");
    assert!(why.contains("Job ns/llm: 1 of 4 ready"), "{why}");
    drive.say(SideKind::Continue { reason: "it is fine".to_owned() });
    held(drive.rest());
    let done = Event::Done { end: End::Complete, residue: Vec::new() };
    let mut machine: Machine = drive.replay();
    let mut forged = drive.records.last().unwrap().clone();
    forged.seq += 1;
    forged.event = done;
    assert!(machine.apply(&forged).is_err(), "no journal can say so either");
    drive.world.look = look(&[job(4, 4), web(3, 3)]);
    drive.say(SideKind::Continue { reason: "it is back".to_owned() });
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

fn accepts(drive: &mut Drive, short: u64) {
    let object = ObjectRef::new("batch/v1", "Job", &ObjectName::namespaced("ns", "llm"));
    let scope = ApprovalScope::Worse(AcceptedShortage { object, how: ShortageKind::Short, short });
    let approval = Approval {
        by: Identified::Asserted("ann".to_owned()),
        scope,
        review: Digest::of("review"),
        reason: None,
        given: drive.now,
        expires: None,
        proof: None,
    };
    drive.say(SideKind::Approve { approval });
}

#[test]
fn what_is_accepted_by_name_holds_no_more_until_it_gets_worse() {
    let mut drive = at_its_end(2);
    held(drive.rest());
    accepts(&mut drive, 1);
    drive.say(SideKind::Continue { reason: "known".to_owned() });
    held(drive.rest());
    accepts(&mut drive, 2);
    drive.say(SideKind::Continue { reason: "known".to_owned() });
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert_eq!(worse(&drive).len(), 1, "it is listed all the same");

    let mut drive = at_its_end(2);
    held(drive.rest());
    accepts(&mut drive, 2);
    drive.world.look = look(&[job(4, 1), web(3, 3)]);
    drive.pass(60);
    drive.say(SideKind::Continue { reason: "known".to_owned() });
    held(drive.rest());
}

#[test]
fn a2_a_pool_that_cannot_make_nodes_gets_no_batch_and_is_named() {
    let why = "EC2NodeClass default is not Ready (SubnetsNotFound: no subnets)";
    let mut world = World::default();
    world.add_pool("pool", 2, start());
    let health = PoolHealth { not_ready: Some(why.to_owned()), claims: Vec::new() };
    world.look = Look { pools: [("gpu".to_owned(), health)].into(), ..Look::default() };
    let mut step = roll("r", &[], "pool");
    if let switchback_schemas::plan::Action::Roll(roll) = &mut step.step.work.action {
        roll.labels.insert("karpenter.sh/nodepool".to_owned(), "gpu".to_owned());
    }
    let mut drive = Drive::new(on_cluster(vec![step]), world, 1);
    let Rest::Parked { waits_for, .. } = drive.rest() else { panic!() };
    assert_eq!(waits_for, [WaitsFor::Capacity { message: why.to_owned() }]);
    assert!(!drive.events().iter().any(|event| matches!(event, Event::Frozen { .. })));
    drive.world.look = Look::default();
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

#[test]
fn a3_a_batch_that_waits_says_why_its_pool_makes_no_nodes() {
    let why = "NodeClaim gpu-1 is not Launched (InsufficientCapacity: none left)";
    let mut world = World::default();
    world.add_pool("pool", 2, start());
    let budget = WaitsFor::Budget { budget: "ns/b".to_owned(), pod: "ns/p".to_owned() };
    let blocked = Outcome::Blocked { waits_for: vec![budget.clone()] };
    world.answers.insert("kube.drain".to_owned(), vec![blocked; 600].into());
    let mut step = roll("r", &[], "pool");
    if let switchback_schemas::plan::Action::Roll(roll) = &mut step.step.work.action {
        roll.labels.insert("karpenter.sh/nodepool".to_owned(), "gpu".to_owned());
    }
    let mut drive = Drive::new(on_cluster(vec![step]), world, 1);
    while !drive.events().iter().any(|event| matches!(event, Event::Frozen { .. })) {
        assert_eq!(drive.step(), None);
    }
    let health = PoolHealth { not_ready: None, claims: vec![why.to_owned()] };
    drive.world.look = Look { pools: [("gpu".to_owned(), health)].into(), ..Look::default() };
    let Rest::Parked { waits_for, .. } = drive.rest() else { panic!() };
    assert_eq!(waits_for, [budget, WaitsFor::Capacity { message: why.to_owned() }]);
}

#[test]
fn what_was_worse_before_a_hop_is_not_of_that_hop() {
    // Short before the roll touches it: its own hop's count says so.
    let settings = Settings::default();
    assert_eq!((settings.looks, settings.apart, settings.short), (3, Seconds(30), Seconds::minutes(10)));
    let mut drive = rolling(|world| {
        world.look = look(&[job(4, 1), web(3, 3)]);
        world.drained = Some(look(&[job(4, 1), web(3, 3)]));
    });
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert!(worse(&drive).is_empty());
}
