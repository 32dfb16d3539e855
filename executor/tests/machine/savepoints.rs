//! Savepoints by number: as large as the plan where each holds what the one before it holds.

use std::{collections::BTreeSet, sync::Arc};

use switchback_executor::machine::Index;
use switchback_schemas::{Digest, name::SavepointId, plan::Savepoint};

use crate::plans::{id, plan, step};

/// Steps in a chain, and savepoints that end with these.
fn numbered(steps: usize, frontiers: &[Vec<usize>]) -> Index {
    let name = |number: usize| format!("s{number:05}");
    let drawn = (0..steps).map(|number| {
        let before = number.checked_sub(1).map(name);
        step(&name(number), before.as_deref().as_slice())
    });
    let mut plan = plan(drawn.collect());
    let savepoint = |(number, ends): (usize, &Vec<usize>)| Savepoint {
        id: SavepointId::new(format!("p{number}")).unwrap(),
        title: String::new(),
        frontier: ends.iter().map(|step| id(&name(*step))).collect(),
    };
    plan.savepoints = frontiers.iter().enumerate().map(savepoint).collect();
    let index = Index::new(Arc::new(plan), Digest::of(b"")).unwrap();
    let even = index.savepoints.all(|step| step % 2 == 0);
    for (number, savepoint) in index.plan.savepoints.iter().enumerate() {
        let members: BTreeSet<usize> = index.savepoints.members(number).collect();
        assert_eq!(members, index.graph.members(savepoint), "{}", savepoint.id);
        assert_eq!(index.savepoints.number(&savepoint.id), Some(number));
        assert_eq!(even[number], members.iter().all(|step| step % 2 == 0), "{}", savepoint.id);
    }
    index
}

#[test]
fn savepoints_that_follow_each_other_are_as_large_as_the_plan() {
    for steps in [100, 400] {
        let ends: Vec<Vec<usize>> =
            std::iter::once(Vec::new()).chain((0..steps).map(|step| vec![step])).collect();
        let savepoints = numbered(steps, &ends).savepoints;
        let (added, by) = (savepoints.added().map(<[usize]>::len), 0..steps);
        assert_eq!((added.sum::<usize>(), by.map(|n| savepoints.added_by(n).len()).sum()), (steps, steps));
    }
}

#[test]
fn one_that_does_not_hold_the_one_before_stands_alone() {
    let ends = [vec![2, 1], vec![0], vec![3, 4, 1], vec![4], Vec::new()];
    let savepoints = numbered(6, &ends).savepoints;
    let grows: Vec<bool> = (0..ends.len()).map(|number| savepoints.grows(number)).collect();
    assert_eq!(grows, [true, false, true, true, false]);
}
