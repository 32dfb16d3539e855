//! How long steps take, from what they took: learned from runs, and put into plans.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use switchback_schemas::{
    RunId, Seconds,
    estimates::{self, Estimates, StepEstimate},
    format::Document,
    journal::{At, Event, Record, Way},
    plan::{Estimate, RollbackStep, Step, Work},
    report::Report,
};

use crate::work::worked;

/// What is learned from: how long a run worked on each place that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The run.
    pub run: RunId,
    /// When its last record was written: of two accounts of one run the later one says more.
    pub last: Timestamp,
    /// Its places.
    pub worked: BTreeMap<At, Seconds>,
}

impl Account {
    /// From a run's report.
    pub fn of_report(report: &Report) -> Self {
        let steps = report.steps.iter().filter_map(|step| Some((step.at.clone(), step.worked?)));
        Self { run: report.run.clone(), last: report.last, worked: steps.collect() }
    }

    /// From a run's records; `None` if they do not begin like a journal.
    pub fn of_records(records: &[Record]) -> Option<Self> {
        let Event::Header { run, .. } = &records.first()?.event else { return None };
        Some(Self { run: run.clone(), last: records.last()?.at, worked: worked(records) })
    }
}

/// Learns from runs. What was skipped, failed or is under way says nothing; what waited for a budget or a machine did take that
/// long. Of a roll the length for each node is learned, since the next one has another number of them.
pub fn learn(accounts: &[Account]) -> Estimates {
    let mut seen: BTreeMap<(String, Way, bool), Vec<u64>> = BTreeMap::new();
    for account in accounts {
        for (at, took) in account.worked.iter().filter(|(at, _)| at.item.is_none()) {
            let nodes = nodes(account, at);
            let key = (estimates::path(&at.step), at.way, nodes > 0);
            seen.entry(key).or_default().push(took.0.div_ceil(nodes.max(1)));
        }
    }
    let learned = seen.into_iter().map(|((step, way, each_node), mut took)| {
        took.sort_unstable();
        let takes = Estimate::seconds(rank(&took, 50), rank(&took, 90));
        StepEstimate { step, way, each_node, seen: took.len() as u64, takes }
    });
    Estimates {
        format: Document::Estimates.current(),
        runs: accounts.iter().map(|account| account.run.clone()).collect(),
        steps: learned.collect(),
    }
}

/// How many nodes a step moved; none if it is no roll.
fn nodes(account: &Account, roll: &At) -> u64 {
    let items = account.worked.keys().filter(|at| at.step == roll.step && at.way == roll.way);
    let keys: BTreeSet<_> = items.filter_map(|at| at.item.as_ref()).map(|item| &item.key).collect();
    keys.len() as u64
}

/// The value below which so many of a hundred lie, of values that rise.
fn rank(values: &[u64], percent: usize) -> u64 {
    let at = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or_default()
}

/// Puts estimates into steps and rollback steps; says which of them were put somewhere.
pub fn apply(steps: &mut [Step], rollback: &mut [RollbackStep], estimates: &Estimates) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for step in steps {
        put(&mut step.work, estimates.of(&step.id, Way::Forward), &mut used);
    }
    for step in rollback {
        put(&mut step.work, estimates.of(&step.id, Way::Rollback), &mut used);
    }
    used
}

fn put(work: &mut Work, known: Option<&StepEstimate>, used: &mut BTreeSet<String>) {
    let Some(known) = known else { return };
    let times = work.roll().filter(|_| known.each_node).map_or(1, |roll| roll.observed);
    let of = |length: Seconds| length.0.saturating_mul(times);
    work.estimate = Estimate::seconds(of(known.takes.expected), of(known.takes.p90));
    used.insert(known.step.clone());
}

#[cfg(test)]
mod tests {
    use switchback_schemas::{HopId, ItemKey, StepId, name::Label};

    use super::*;
    use crate::testing::step;

    fn id(hop: &str, part: &str) -> StepId {
        hop.parse::<HopId>().expect("a hop").step(part)
    }

    fn account(worked: Vec<(At, u64)>) -> Account {
        Account {
            run: RunId::new("r-1").expect("a run"),
            last: Timestamp::UNIX_EPOCH,
            worked: worked.into_iter().map(|(at, seconds)| (at, Seconds(seconds))).collect(),
        }
    }

    #[test]
    fn versions_are_forgotten_and_lengths_ranked() {
        let took = |version: &str, seconds| {
            account(vec![(At::forward(&id(&format!("karpenter/main@{version}"), "controller")), seconds)])
        };
        let accounts: Vec<Account> =
            (1..=10).map(|n| took("1.8.8", n * 10)).chain([took("1.9.2", 500)]).collect();
        let learned = learn(&accounts);
        let known =
            learned.of(&id("karpenter/main@1.14.1", "controller"), Way::Forward).expect("it was seen");
        assert_eq!((known.seen, known.takes), (11, Estimate::seconds(60, 100)));
        assert_eq!(learned.of(&id("karpenter/main@1.14.1", "controller"), Way::Rollback), None);
        let mut steps = [step("controller", &[]).step];
        steps[0].id = id("karpenter/main@1.14.1", "controller");
        assert_eq!(apply(&mut steps, &mut [], &learned).len(), 1);
        assert_eq!(steps[0].work.estimate, Estimate::seconds(60, 100));
    }

    #[test]
    fn a_roll_is_learned_by_the_node() {
        let roll = At::forward(&id("karpenter/main@1.8.8", "nodes/gpu/roll"));
        let drained = |node: &str| {
            (roll.item(&ItemKey::new(node).expect("a key"), &Label::new("drain").expect("a name")), 300)
        };
        let learned = learn(&[account(vec![(roll.clone(), 900), drained("a"), drained("b"), drained("c")])]);
        let known = learned.of(&roll.step, Way::Forward).expect("it was seen");
        assert!(known.each_node);
        assert_eq!(known.takes, Estimate::seconds(300, 300));
        assert_eq!(learned.steps.len(), 1, "nodes by themselves are not kept");
    }
}
