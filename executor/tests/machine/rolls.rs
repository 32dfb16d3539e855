//! Rolls: which nodes, in which order, and what becomes of those that were only touched.

use switchback_executor::machine::{Choice, Phase, Rest, RollState, choose};
use switchback_executor::ports::Member;
use switchback_schemas::{
    Seconds,
    journal::{At, Class, End, Event, Outcome, RollbackScope, SideKind, WaitsFor, Way},
    plan::{Action, Canary, Count, FailureAction, NodeUndo, OrderKey, Plan, Roll},
};

use super::{
    drive::{Drive, start},
    plans::{Drawn, id, plan, proves, roll, step},
    steps::{answers, held, not},
    world::{World, item},
};

fn rule(change: impl FnOnce(&mut Roll)) -> Roll {
    let Action::Roll(mut rule) = roll("r", &[], "pool").step.work.action else { panic!() };
    change(&mut rule);
    rule
}

fn members(count: u64) -> Vec<Member> {
    let member = |n: u64| Member {
        item: item(&format!("n{n}")),
        stale: true,
        available: true,
        created: start(),
        pods: n,
        protected: 0,
        gangs: Vec::new(),
    };
    (0..count).map(member).collect()
}

fn taken(choice: Choice) -> Vec<String> {
    match choice {
        Choice::Batch { items, .. } => items.into_iter().map(|item| item.name).collect(),
        other => panic!("{other:?}"),
    }
}

fn first(roll: &Roll, members: &[Member]) -> Vec<String> {
    taken(choose(roll, &RollState::default(), members))
}

#[test]
fn nodes_move_in_the_rules_order_and_batch_size() {
    let mut nodes = members(4);
    nodes[0].protected = 1;
    nodes[3].pods = 0;
    let roll = rule(|roll| roll.order = vec![OrderKey::LeastProtected, OrderKey::FewestPods]);
    assert_eq!(first(&roll, &nodes), ["n3", "n1"]);
    let mut nodes = members(4);
    for (node, zone) in nodes.iter_mut().zip(["a", "a", "b", "b"]) {
        node.item.zone = zone.to_owned();
    }
    assert_eq!(first(&rule(|roll| roll.order = vec![OrderKey::ZoneSpread]), &nodes), ["n0", "n2"]);
}

#[test]
fn nodes_that_share_a_gang_move_together_or_wait() {
    let mut nodes = members(6);
    for node in [0, 2, 4] {
        nodes[node].gangs = vec![format!("job-{}", node / 3)];
    }
    nodes[2].gangs.push("job-1".to_owned());
    let roll = rule(|_| {});
    // Three nodes are one gang through node 2: more than a batch, within the budget.
    assert_eq!(first(&roll, &nodes), ["n0", "n2", "n4"]);
    // Where the budget does not allow it, the gang waits and others go.
    let tight = rule(|roll| roll.max_unavailable = Count::Nodes(2));
    assert_eq!(first(&tight, &nodes), ["n1", "n3"]);
}

#[test]
fn budget_and_floor_hold_with_nodes_that_are_away_already() {
    let mut nodes = members(4);
    nodes[3].available = false;
    nodes[3].stale = false;
    let roll = rule(|roll| roll.max_unavailable = Count::Nodes(2));
    assert_eq!(first(&roll, &nodes), ["n0"]);
    let min_ready = rule(|roll| roll.min_ready = 3);
    assert!(matches!(
        choose(&min_ready, &RollState::default(), &nodes),
        Choice::Wait(WaitsFor::Capacity { .. })
    ));
    // A stale node that is away costs nothing more.
    nodes[3].stale = true;
    assert_eq!(first(&min_ready, &nodes), ["n3"]);
}

#[test]
fn every_hardware_class_has_its_canary_first_and_alone() {
    let mut nodes = members(6);
    for (node, hardware) in nodes.iter_mut().zip(["h100", "a10", "h100", "a10", "h100", "a10"]) {
        node.item.hardware = hardware.to_owned();
    }
    let canary = Canary { nodes: 1, verify: Vec::new(), soak: Seconds(0) };
    let roll = rule(|roll| roll.canary = Some(canary.clone()));
    assert!(matches!(choose(&roll, &RollState::default(), &nodes), Choice::Batch { number: 0, .. }));
    assert_eq!(first(&roll, &nodes), ["n0", "n1"]);
    let state =
        RollState { pass: 1, canaries: ["h100".to_owned(), "a10".to_owned()].into(), ..RollState::default() };
    assert!(matches!(choose(&roll, &state, &nodes), Choice::Batch { number: 1, .. }));
}

#[test]
fn what_joins_later_belongs_to_a_later_pass_and_passes_end() {
    let mut nodes = members(1);
    let roll = rule(|roll| (roll.max_passes, roll.min_ready) = (2, 0));
    nodes[0].created = start().checked_add(jiff::SignedDuration::from_secs(60)).unwrap();
    let mut state = RollState { pass: 1, pass_began: Some(start()), ..RollState::default() };
    assert!(matches!(choose(&roll, &state, &nodes), Choice::Batch { pass: 2, .. }));
    state.pass = 2;
    assert!(matches!(choose(&roll, &state, &nodes), Choice::Stuck(why) if why.contains("n0")));
    nodes[0].stale = false;
    assert_eq!(choose(&roll, &state, &nodes), Choice::Converged);
}

fn rolling(change: impl FnOnce(&mut Drawn)) -> Drive {
    let mut step = roll("r", &[], "pool");
    change(&mut step);
    let mut world = World::default();
    world.add_pool("pool", 4, start());
    Drive::new(plan_of(step), world, 7)
}

fn plan_of(step: Drawn) -> Plan {
    plan(vec![step])
}

fn cordoned(drive: &Drive) -> Vec<&str> {
    drive.world.nodes.iter().filter(|node| node.cordoned).map(|node| node.key.as_str()).collect()
}

#[test]
fn a_pool_moves_batch_by_batch_within_its_budget() {
    let mut drive = rolling(|_| {});
    while drive.step().is_none() {
        let away = 4 - drive.world.nodes.iter().filter(|node| !node.cordoned).count();
        assert!(away <= 3, "{away} away");
    }
    assert!(drive.world.nodes.iter().all(|node| node.new && !node.cordoned));
    let batches = drive.events().into_iter().filter(|event| matches!(event, Event::BatchDone { .. })).count();
    assert_eq!(batches, 2);
}

#[test]
fn p40_nodes_that_were_cordoned_and_not_replaced_are_let_go_when_a_roll_holds() {
    let mut drive = rolling(|_| {});
    answers(&mut drive, "kube.delete", [not(Class::Refused)]);
    held(&drive.rest());
    assert!(cordoned(&drive).is_empty(), "{:?}", cordoned(&drive));
    // Taken up again, a node is drained again before it is deleted.
    let drains =
        |drive: &Drive| drive.world.log.iter().filter(|landed| landed.what.starts_with("drain")).count();
    let before = drains(&drive);
    drive.say(SideKind::Retry { step: id("r"), reason: "again".to_owned() });
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
    assert_eq!(drains(&drive), before + 4, "both of the first batch once more, and two others");
}

#[test]
fn p27_a_node_that_vanished_is_done_and_no_failure() {
    let mut drive = rolling(|_| {});
    let lost = loop {
        assert!(drive.step().is_none());
        if let Some(key) = cordoned(&drive).first() {
            break (*key).to_owned();
        }
    };
    // The spot market takes it in the middle of its drain, and the drain fails because of it.
    drive.world.nodes.retain(|node| node.key != lost);
    answers(&mut drive, "kube.drain", [not(Class::Refused), not(Class::Refused)]);
    let rest = drive.rest();
    let gone = drive.events().into_iter().filter(|event| matches!(event, Event::Gone { .. })).count();
    assert_eq!(gone, 1, "{rest:?}");
}

#[test]
fn a11_a_failing_canary_is_taken_back_if_that_needs_no_new_node() {
    let canary = || {
        rolling(|step| {
            step.on_failure.action = FailureAction::RollbackHop;
            let Action::Roll(rule) = &mut step.work.action else { panic!() };
            rule.canary =
                Some(Canary { nodes: 1, verify: vec![proves(&["steady", "canary"], 0)], soak: Seconds(60) });
        })
    };
    // Drained, and not ended: its own node takes pods again.
    let mut drive = canary();
    answers(&mut drive, "kube.delete", [not(Class::Refused)]);
    let rest = drive.rest();
    assert!(held(&rest).contains("r is undone"), "{rest:?}");
    assert!(drive.world.nodes.iter().all(|node| !node.new && !node.cordoned), "{:?}", drive.world.nodes);

    // Its node is gone: another one would be needed, so a person decides, and nothing more moves.
    let mut drive = canary();
    drive.world.fails.insert("steady canary".to_owned());
    let rest = drive.rest();
    assert!(held(&rest).contains("a rollback needs new ones"), "{rest:?}");
    assert_eq!(drive.world.nodes.iter().filter(|node| node.new).count(), 1, "{:?}", drive.world.nodes);
}

#[test]
fn a_roll_that_does_not_converge_fails_with_the_reason() {
    let mut drive = rolling(|step| {
        let Action::Roll(rule) = &mut step.work.action else { panic!() };
        rule.max_passes = 1;
    });
    let at = At::forward(&id("r"));
    while drive.machine.state().phase(&at) != Phase::Rolling {
        drive.step();
    }
    drive.pass(1);
    // Something else goes on launching old nodes.
    let now = drive.now;
    drive.world.add_pool("pool", 1, now);
    assert!(held(&drive.rest()).contains("still have to move"));
}

#[test]
fn a_drain_that_waits_for_a_workload_parks_and_leaves_its_node_cordoned() {
    let mut drive = rolling(|_| {});
    let waits = Outcome::Blocked {
        waits_for: vec![WaitsFor::Workload {
            workload: "Job ml/train".to_owned(),
            class: Some("training".to_owned()),
            node: "n001".to_owned(),
            why: None,
        }],
    };
    answers(&mut drive, "kube.drain", (0..5000).map(|_| waits.clone()));
    let rest = drive.rest();
    let Rest::Parked { waits_for, wake_at: Some(_) } = &rest else { panic!("{rest:?}") };
    assert!(matches!(&waits_for[..], [WaitsFor::Workload { .. }]), "{waits_for:?}");
    assert_eq!(cordoned(&drive).len(), 2, "they go on emptying by themselves");
    answers(&mut drive, "kube.drain", []);
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}

#[test]
fn p40_nodes_that_the_roll_of_an_undo_cordoned_are_let_go_when_it_holds() {
    let mut drive = rolling(|step| {
        step.on_failure.action = FailureAction::RollbackHop;
        step.work.verify = vec![proves(&["steady", "pool"], 0)];
    });
    drive.world.fails.insert("steady pool".to_owned());
    while drive.machine.state().back.is_none() {
        assert!(drive.step().is_none());
    }
    answers(&mut drive, "kube.delete", [not(Class::Refused)]);
    let rest = drive.rest();
    assert!(held(&rest).contains("undo test/test@1/r"), "{rest:?}");
    assert!(cordoned(&drive).is_empty(), "{:?}", cordoned(&drive));
    assert!(drive.machine.state().touched_nodes(drive.machine.plan()).is_empty());
    // Taken up again, a node that was let go is drained again before it is deleted, and the rollback comes to its end.
    let drains =
        |drive: &Drive| drive.world.log.iter().filter(|landed| landed.what.starts_with("drain")).count();
    let before = drains(&drive);
    drive.say(SideKind::Retry { step: id("r"), reason: "again".to_owned() });
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
    assert_eq!(drains(&drive), before + 3, "the one that was let go once more, and two others");
    assert!(drive.world.nodes.iter().all(|node| !node.new && !node.cordoned));
}

#[test]
fn the_undo_of_a_roll_is_a_roll() {
    let mut drive = rolling(|step| {
        step.on_failure.action = FailureAction::RollbackHop;
        step.work.verify = vec![proves(&["steady", "pool"], 0)];
        assert!(step.rollback.work.roll().is_some());
    });
    drive.world.fails.insert("steady pool".to_owned());
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
    assert_eq!(drive.world.nodes.len(), 4);
    assert!(drive.world.nodes.iter().all(|node| !node.new && !node.cordoned));
}

/// Its claim is deleted, and the process that waits for it to be gone dies: the controller goes on. Nobody can let it go any more.
#[test]
fn a_node_that_is_going_is_nothing_that_is_left_when_the_run_goes_back() {
    let mut drive = rolling(|rolls| {
        let Action::Effect(looks) = step("gone", &[]).step.work.action else { panic!() };
        let Action::Roll(rule) = &mut rolls.work.action else { panic!() };
        let mut gone = rule.recipe[1].clone();
        (gone.name, gone.needs) = ("gone".parse().unwrap(), vec!["delete".parse().unwrap()]);
        (gone.work.action, gone.work.done_when) = (Action::Effect(looks), None);
        rule.recipe.push(gone);
    });
    let waits =
        Outcome::Blocked { waits_for: vec![WaitsFor::Condition { message: "it is there".to_owned() }] };
    answers(&mut drive, "do gone", (0..5000).map(|_| waits.clone()));
    assert!(matches!(drive.rest(), Rest::Parked { .. }));
    let scope = RollbackScope::Savepoint("start".parse().unwrap());
    drive.say(SideKind::Rollback { scope, reason: "tired".to_owned() });
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
    let left = drive.events().into_iter().find_map(|event| match event {
        Event::Done { residue, .. } => Some(residue.clone()),
        _ => None,
    });
    assert_eq!(left, Some(Vec::new()));
    assert!(drive.machine.state().touched_nodes(drive.machine.plan()).is_empty());
    assert!(cordoned(&drive).is_empty());
    assert!(drive.world.nodes.iter().all(|node| !node.new));
}

/// Its process dies when the end of a node was called and not answered, and the plan cannot see whether it happened.
#[test]
fn a_run_goes_back_from_the_end_of_a_node_that_nobody_can_look_at() {
    for lands in [false, true] {
        let mut drive = rolling(|step| {
            let Action::Roll(rule) = &mut step.work.action else { panic!() };
            rule.recipe[2].work.done_when = None;
            let Action::Roll(back) = &mut step.rollback.work.action else { panic!() };
            // While nodes that moved back are looked at nothing waits and nothing begins.
            back.verify = vec![proves(&["healthy", "r"], 60)];
        });
        let intent = |event: &Event| match event {
            Event::Intent { at, .. } => at.item.as_ref().is_some_and(|item| item.recipe.as_str() == "delete"),
            _ => false,
        };
        while !drive.events().into_iter().any(intent) {
            assert!(drive.step().is_none());
        }
        if lands {
            // Another node has come in its place.
            let gone = drive.world.nodes.iter_mut().find(|node| node.key == "n001").unwrap();
            (gone.key, gone.new, gone.cordoned) = ("n009".to_owned(), true, false);
        }
        drive.pending.clear();
        let scope = RollbackScope::Savepoint("start".parse().unwrap());
        drive.say(SideKind::Rollback { scope, reason: "tired".to_owned() });
        drive.take_over();
        assert_eq!(drive.rest(), Rest::Ended(End::RolledBack), "landed: {lands}");
        assert!(cordoned(&drive).is_empty(), "landed: {lands}");
    }
}

/// Safety review, B1 and B3: a list that came back empty or in part moves no node and ends none.
#[test]
fn b3_one_list_that_leaves_nodes_out_takes_none_for_gone() {
    for (nth, keep) in [(1, 0), (1, 1), (2, 0), (3, 1)] {
        let mut drive = rolling(|_| {});
        drive.world.partial = Some((nth, keep));
        assert_eq!(drive.rest(), Rest::Ended(End::Complete));
        assert_eq!(drive.world.partial, None, "it was listed less than {nth} times");
        let gone = drive.events().into_iter().filter(|event| matches!(event, Event::Gone { .. })).count();
        assert_eq!(gone, 0, "listing {nth}");
        assert!(drive.world.nodes.iter().all(|node| node.new), "every node has moved");
    }
}

/// Two nodes are let go of when their process dies: what takes it up calls each once more, and not each twice.
#[test]
fn a_node_that_is_let_go_of_when_the_process_dies_is_called_once_more() {
    let mut drive = rolling(|step| {
        let Action::Roll(rule) = &mut step.work.action else { panic!() };
        // As a cordon is taken back: nobody can see whether it was.
        for part in &mut rule.recipe {
            if let NodeUndo::Rollback(undo) = &mut part.undo {
                undo.done_when = None;
            }
        }
    });
    while cordoned(&drive).len() < 2 {
        assert_eq!(drive.step(), None);
    }
    drive.say(SideKind::Rollback {
        scope: RollbackScope::Savepoint("start".parse().expect("a savepoint")),
        reason: "tired".to_owned(),
    });
    let released = |drive: &Drive| {
        let of = |event: &&Event| matches!(event, Event::Intent { at, .. } if at.way == Way::Rollback && at.item.is_some());
        drive.events().into_iter().filter(of).count()
    };
    while released(&drive) < 2 {
        assert_eq!(drive.step(), None);
    }
    drive.take_over();
    assert_eq!(drive.rest(), Rest::Ended(End::RolledBack));
}

/// A roll whose nodes are looked at for five minutes once they are cordoned: in that time nothing of them is called.
fn looking() -> Drive {
    let mut drive = rolling(|step| {
        let Action::Roll(rule) = &mut step.work.action else { panic!() };
        rule.recipe[0].work.verify = vec![proves(&["steady", "node"], 300)];
        rule.recipe[0].work.verify[0].within = Seconds::hours(1);
    });
    while cordoned(&drive).len() < 2 {
        assert_eq!(drive.step(), None);
    }
    drive
}

fn gone(drive: &Drive) -> usize {
    drive.events().into_iter().filter(|event| matches!(event, Event::Gone { .. })).count()
}

/// Goes on for so many minutes.
fn passes(drive: &mut Drive, minutes: i64) {
    let until = drive.now + jiff::SignedDuration::from_mins(minutes);
    while drive.now < until {
        assert_eq!(drive.step(), None);
    }
}

/// Where a node that lists leave out cannot be asked after, that is asked again as often as lists are made, and a run that is to
/// stop stops.
#[test]
fn a_node_that_cannot_be_asked_after_is_asked_again_after_a_while() {
    let mut drive = looking();
    drive.world.short = Some(0);
    drive.world.dark.insert("absent".to_owned());
    passes(&mut drive, 4);
    let asked = drive.world.asked_after;
    // Two nodes, each every half minute at most.
    assert!((4..=16).contains(&asked), "{asked} in four minutes");
    assert_eq!(gone(&drive), 0);
    drive.machine.stop("SIGTERM");
    let asked = drive.world.asked_after;
    let rest = drive.rest();
    assert!(matches!(rest, Rest::Parked { .. }), "{rest:?}");
    assert!(drive.world.asked_after <= asked + 2, "nothing new is asked");
}

/// Lists may be short for minutes: a cache that lost its nodes. A node that is asked after by its name is there, and one that is
/// not is gone.
#[test]
fn b3_lists_that_are_short_for_minutes_take_none_for_gone() {
    let mut drive = looking();
    drive.world.short = Some(0);
    passes(&mut drive, 3);
    assert!(drive.world.asked_after > 0);
    assert_eq!(gone(&drive), 0);
    let lost = cordoned(&drive)[0].to_owned();
    drive.world.nodes.retain(|node| node.key != lost);
    drive.world.short = None;
    passes(&mut drive, 2);
    assert_eq!(gone(&drive), 1);
    assert_eq!(drive.rest(), Rest::Ended(End::Complete));
}
