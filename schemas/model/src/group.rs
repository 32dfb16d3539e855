//! Steps that a run does not rest between, and what has to fit into a window before the first of them starts.
//!
//! A suspension that may not span a park makes one group of all steps from its opening to its closing, and so does a suspension
//! inside of which a service is away: what is stopped before a window ends should not have to wait for the next one. Every
//! other step is a group of its own.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Seconds, StepId,
    plan::{Disruption, Plan, Roll, Suspension, Work},
};

use crate::{
    graph::Graph,
    rollback_order::{RollbackOrder, Rollbacks},
};

/// What has to fit into a window when a step starts, nine times of ten, for every step of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    forward: Vec<Seconds>,
    /// For the next batch of a roll that began.
    batches: BTreeMap<usize, Seconds>,
    back: BTreeMap<StepId, Seconds>,
}

impl Room {
    /// Of every step of a plan.
    pub fn of(plan: &Plan, graph: &Graph) -> Self {
        let mut forward: Vec<Seconds> = plan.steps.iter().map(|step| once(&step.work)).collect();
        // What a step takes back for itself follows it, one after the other; a roll rests before it rolls back.
        for rollback in &plan.rollback {
            let number = rollback.place().and_then(|id| graph.number(id));
            let effect =
                |number: &usize| plan.steps.get(*number).is_some_and(|step| step.work.roll().is_none());
            if let Some(slot) = number.filter(effect).and_then(|number| forward.get_mut(number)) {
                *slot = *slot + once(&rollback.work);
            }
        }
        let rolls = plan.steps.iter().enumerate();
        let rolls = rolls.filter_map(|(number, step)| Some((number, batch(step.work.roll()?))));
        let mut batches: BTreeMap<usize, Seconds> = rolls.collect();
        let mut back: BTreeMap<StepId, Seconds> =
            plan.rollback.iter().map(|step| (step.id.clone(), once(&step.work))).collect();
        let rollbacks = Rollbacks::of(plan, graph);
        for group in groups(plan, graph) {
            let members: Vec<usize> = group.iter().copied().collect();
            let way = rollbacks.of_hop(&members);
            let undo = chains_back(plan, &way);
            let whole = undo.values().max().copied().unwrap_or_default();
            for (number, rest) in chains(plan, graph, &group) {
                if let Some(slot) = forward.get_mut(number) {
                    *slot = rest + whole;
                }
                if let Some(slot) = batches.get_mut(&number) {
                    let own = plan.steps.get(number).map_or(0, |step| step.work.estimate.p90.0);
                    *slot = *slot + Seconds(rest.0.saturating_sub(own)) + whole;
                }
            }
            back.extend(undo);
        }
        Self { forward, batches, back }
    }

    /// The step, the rest of its group, and the group's rollback. Of a roll that is a group of its own it is one batch,
    /// because a roll rests between batches.
    pub fn forward(&self, number: usize) -> Seconds {
        self.forward.get(number).copied().unwrap_or_default()
    }

    /// The next batch of a roll that began, the rest of its group after it, and the group's rollback.
    pub fn batch(&self, number: usize) -> Seconds {
        self.batches.get(&number).copied().unwrap_or_default()
    }

    /// A rollback step, and the rest of its group's rollback.
    pub fn back(&self, step: &StepId) -> Seconds {
        self.back.get(step).copied().unwrap_or_default()
    }
}

/// Groups of more than one step, none of which share a step.
pub fn groups(plan: &Plan, graph: &Graph) -> Vec<BTreeSet<usize>> {
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for suspension in &plan.suspensions {
        let Some(mut group) = inside(graph, suspension) else { continue };
        let away = |number: &usize| {
            plan.steps.get(*number).is_some_and(|step| step.work.disruption == Disruption::Outage)
        };
        if suspension.spans_park && !group.iter().any(away) {
            continue;
        }
        // Suspensions that overlap are closed together.
        let (joined, apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|other| !other.is_disjoint(&group));
        group.extend(joined.into_iter().flatten());
        groups = apart;
        groups.push(group);
    }
    groups
}

/// The steps from a suspension's opening to its closing.
fn inside(graph: &Graph, suspension: &Suspension) -> Option<BTreeSet<usize>> {
    let (open, close) = (graph.number(&suspension.suspend)?, graph.number(&suspension.resume)?);
    let after = graph.descendants(open);
    // What comes before the closing, as far as it comes after the opening.
    let mut inside = BTreeSet::from([open, close]);
    let mut left = vec![close];
    while let Some(number) = left.pop() {
        left.extend(graph.needs(number).filter(|need| after.contains(need) && inside.insert(*need)));
    }
    Some(inside)
}

/// For each step of a group, how long it and the longest chain after it inside of the group take.
fn chains(plan: &Plan, graph: &Graph, group: &BTreeSet<usize>) -> BTreeMap<usize, Seconds> {
    let mut rest: BTreeMap<usize, Seconds> = BTreeMap::new();
    for number in graph.sorted(group.iter().copied()).into_iter().rev() {
        let after = graph.dependants(number).filter_map(|next| rest.get(&next)).max().copied();
        let own = plan.steps.get(number).map_or(Seconds(0), |step| step.work.estimate.p90);
        rest.insert(number, own + after.unwrap_or_default());
    }
    rest
}

/// The same for the rollback steps of a rollback.
fn chains_back(plan: &Plan, way: &RollbackOrder) -> BTreeMap<StepId, Seconds> {
    let mut after: BTreeMap<&StepId, Seconds> = BTreeMap::new();
    let mut rest = BTreeMap::new();
    for back in way.steps.iter().rev() {
        let own = plan.rollback_step(&back.step).map_or(Seconds(0), |step| step.work.estimate.p90);
        let all = own + after.get(&back.step).copied().unwrap_or_default();
        for need in &back.needs {
            let slot = after.entry(need).or_default();
            *slot = (*slot).max(all);
        }
        rest.insert(back.step.clone(), all);
    }
    rest
}

/// What is not rested in: an effect, or one batch of a roll.
fn once(work: &Work) -> Seconds {
    work.roll().map_or(work.estimate.p90, batch)
}

/// One batch of a roll, nine times of ten.
pub fn batch(roll: &Roll) -> Seconds {
    roll.recipe.iter().map(|recipe| recipe.work.estimate.p90).sum()
}

#[cfg(test)]
mod tests {
    use switchback_schemas::{name::Label, plan::Condition};

    use super::*;
    use crate::testing::{id, plan, step};

    fn suspension(open: &str, close: &str, spans_park: bool) -> Suspension {
        Suspension {
            id: Label::sanitized(open),
            title: String::new(),
            suspend: id(open),
            suspended_by: switchback_schemas::plan::SuspendedBy::ThisRun,
            resume: id(close),
            held: Condition::All(Vec::new()),
            safe_to_resume: Condition::All(Vec::new()),
            max_suspended: Seconds::hours(1),
            spans_park,
            cannot_stop: Vec::new(),
            owner: String::new(),
            resume_command: String::new(),
        }
    }

    /// `a` before, `b` opens, `c` and `d` beside each other, `e` closes, `f` after. Each takes 20 s, its undo 10 s.
    fn six(spans_park: bool, away: bool) -> (Plan, Graph) {
        let mut steps = vec![
            step("a", &[]),
            step("b", &["a"]),
            step("c", &["b"]),
            step("d", &["b"]),
            step("e", &["c", "d"]),
            step("f", &["e"]),
        ];
        if away {
            steps[2].work.disruption = Disruption::Outage;
        }
        let mut plan = plan(steps);
        plan.suspensions.push(suspension("b", "e", spans_park));
        let graph = Graph::of(&plan).unwrap();
        (plan, graph)
    }

    #[test]
    fn what_is_stopped_in_a_window_is_started_again_in_it_or_taken_back() {
        let alone = [30; 6];
        let grouped = [30, 3 * 20 + 3 * 10, 2 * 20 + 3 * 10, 2 * 20 + 3 * 10, 20 + 3 * 10, 30];
        for (spans_park, away, needs) in
            [(true, false, alone), (false, false, grouped), (true, true, grouped), (false, true, grouped)]
        {
            let (plan, graph) = six(spans_park, away);
            let room = Room::of(&plan, &graph);
            let found: Vec<u64> = (0..6).map(|number| room.forward(number).0).collect();
            assert_eq!(found, needs, "spans {spans_park}, away {away}");
        }
    }

    #[test]
    fn the_way_back_of_a_group_is_looked_at_to_its_end() {
        let (plan, graph) = six(false, false);
        let room = Room::of(&plan, &graph);
        let back = ["a", "b", "c", "d", "e", "f"].map(|step| room.back(&id(step)).0);
        assert_eq!(back, [10, 10, 20, 20, 30, 10]);
    }

    #[test]
    fn suspensions_that_overlap_are_one_group() {
        let (mut plan, graph) = six(false, false);
        plan.suspensions.push(suspension("a", "c", false));
        let groups = groups(&plan, &graph);
        assert_eq!(groups, [BTreeSet::from([0, 1, 2, 3, 4])]);
    }
}
