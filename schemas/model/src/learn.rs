//! How long steps take, from what they took: learned from accounts of runs, and put into plans.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use switchback_schemas::{
    Seconds,
    estimates::{self, Estimates, StepEstimate},
    format::Document,
    journal::Way,
    plan::{Action, Estimate, Step, Undo},
    report::{Report, StepReport, StepStatus},
};

use crate::windows::between;

/// Learns from runs. What was skipped, failed or is under way says nothing; what waited for a budget or a machine did take that
/// long. Of a roll the length for each node is learned, since the next one has another number of them.
pub fn learn(reports: &[Report]) -> Estimates {
    let mut seen: BTreeMap<(String, Way, bool), Vec<u64>> = BTreeMap::new();
    for report in reports {
        for step in report.steps.iter().filter(|step| step.at.item.is_none()) {
            let Some(took) = took(step) else { continue };
            let nodes = nodes(report, step);
            let key = (estimates::path(&step.at.step), step.at.way, nodes > 0);
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
        runs: reports.iter().map(|report| report.run.clone()).collect(),
        steps: learned.collect(),
    }
}

fn took(step: &StepReport) -> Option<Seconds> {
    let (began, ended): (Timestamp, Timestamp) = (step.started?, step.ended?);
    (step.status == StepStatus::Done).then(|| between(began, ended))
}

/// How many nodes a step moved; none if it is no roll.
fn nodes(report: &Report, step: &StepReport) -> u64 {
    let items = report.steps.iter().filter(|item| item.at.step == step.at.step && item.at.way == step.at.way);
    let keys: BTreeSet<_> = items.filter_map(|item| item.at.item.as_ref()).map(|item| &item.key).collect();
    keys.len() as u64
}

/// The value below which so many of a hundred lie, of values that rise.
fn rank(values: &[u64], percent: usize) -> u64 {
    let at = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or_default()
}

/// Puts estimates into steps; says which of them were put somewhere.
pub fn apply(steps: &mut [Step], estimates: &Estimates) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for step in steps {
        let id = step.id.clone();
        put(&mut step.estimate, &step.action, estimates.of(&id, Way::Forward), &mut used);
        if let Undo::Step(undo) = &mut step.undo {
            put(&mut undo.estimate, &undo.action, estimates.of(&id, Way::Back), &mut used);
        }
    }
    used
}

fn put(slot: &mut Estimate, action: &Action, known: Option<&StepEstimate>, used: &mut BTreeSet<String>) {
    let Some(known) = known else { return };
    let times = match action {
        Action::Roll(roll) if known.each_node => roll.observed,
        _ => 1,
    };
    let of = |length: Seconds| length.0.saturating_mul(times);
    *slot = Estimate::seconds(of(known.takes.expected), of(known.takes.p90));
    used.insert(known.step.clone());
}

#[cfg(test)]
mod tests {
    use switchback_schemas::{
        Digest, ItemKey, RunId,
        journal::{At, AtItem, Evidence},
        name::{Label, SavepointId},
        report::RunState,
    };

    use super::*;
    use crate::testing::{id, step};

    fn one(at: At, status: StepStatus, from: i64, to: i64) -> StepReport {
        let instant = |second| Timestamp::from_second(second).expect("an instant");
        StepReport {
            at,
            title: String::new(),
            status,
            started: Some(instant(from)),
            ended: Some(instant(to)),
            attempts: 1,
            evidence: Evidence(Vec::new()),
        }
    }

    fn report(steps: Vec<StepReport>) -> Report {
        Report {
            format: Document::Report.current(),
            run: RunId::new("r-1").expect("a run"),
            platform: Label::new("dev").expect("a name"),
            plan: Digest::of(""),
            started: Timestamp::UNIX_EPOCH,
            last: Timestamp::UNIX_EPOCH,
            state: RunState::Running {},
            savepoint: SavepointId::new("start").expect("a savepoint"),
            steps,
            open_brackets: Vec::new(),
            approvals: Vec::new(),
            residue: Vec::new(),
            kept: Vec::new(),
            closing: Vec::new(),
        }
    }

    #[test]
    fn versions_are_forgotten_and_lengths_ranked() {
        let took = |version: &str, seconds| {
            let at = At::forward(&id(&format!("karpenter/main@{version}/controller")));
            report(vec![one(at, StepStatus::Done, 0, seconds)])
        };
        let reports: Vec<Report> =
            (1..=10).map(|n| took("1.8.8", n * 10)).chain([took("1.9.2", 500)]).collect();
        let learned = learn(&reports);
        let known = learned.of(&id("karpenter/main@1.14.1/controller"), Way::Forward).expect("it was seen");
        assert_eq!((known.seen, known.takes), (11, Estimate::seconds(60, 100)));
        assert_eq!(learned.of(&id("karpenter/main@1.14.1/controller"), Way::Back), None);
        let mut steps = [step("karpenter/main@1.14.1/controller", &[])];
        assert_eq!(apply(&mut steps, &learned).len(), 1);
        assert_eq!(steps[0].estimate, Estimate::seconds(60, 100));
    }

    #[test]
    fn what_did_not_run_to_its_end_says_nothing() {
        for status in [StepStatus::Failed, StepStatus::Skipped, StepStatus::Running, StepStatus::RolledBack] {
            let at = At::forward(&id("a/b/c"));
            assert!(learn(&[report(vec![one(at, status, 0, 60)])]).steps.is_empty(), "{status:?}");
        }
    }

    #[test]
    fn a_roll_is_learned_by_the_node() {
        let roll = At::forward(&id("karpenter/main@1.8.8/nodes/gpu/roll"));
        let mut steps = vec![one(roll.clone(), StepStatus::Done, 0, 900)];
        for node in ["a", "b", "c"] {
            let key = ItemKey::new(node).expect("a key");
            let item = AtItem { key, recipe: Label::new("drain").expect("a name"), let_go: false };
            steps.push(one(At { item: Some(item), ..roll.clone() }, StepStatus::Done, 0, 300));
        }
        let learned = learn(&[report(steps)]);
        let known = learned.of(&roll.step, Way::Forward).expect("it was seen");
        assert!(known.each_node);
        assert_eq!(known.takes, Estimate::seconds(300, 300));
        assert_eq!(learned.steps.len(), 1, "nodes by themselves are not kept");
    }
}
