//! What a reviewer wants to know first: what moves, for how long, what is away meanwhile, what can be lost, until when it can be
//! rolled back, and who has to approve what with which command.

use std::{collections::BTreeMap, fmt};

use switchback_model::summary::{HopSummary, Summary};
use switchback_schemas::{
    HopId, StepId,
    name::Label,
    plan::{Disruption, ExpiresAt, Gate, GateKind, Plan},
};

use super::{labels, standing};

/// Characters before what a line says.
const INDENT: usize = 14;

/// Writes the block.
pub(super) fn write(f: &mut fmt::Formatter<'_>, plan: &Plan, summary: &Summary) -> fmt::Result {
    writeln!(f, "At a glance")?;
    for (title, lines) in facts(plan, summary) {
        let titles = std::iter::once(title).chain(std::iter::repeat(""));
        for (title, line) in titles.zip(lines) {
            writeln!(f, "  {title:<INDENT$}{line}")?;
        }
    }
    writeln!(f)
}

/// Each fact with its title, in the order of the questions that are asked of a plan. Every list has at least one line.
pub(super) fn facts(plan: &Plan, summary: &Summary) -> Vec<(&'static str, Vec<String>)> {
    let mut facts = vec![("moves", moves(summary))];
    if !plan.later.is_empty() {
        facts.push(("later", vec![later(plan)]));
    }
    facts.push(("takes", takes(plan, summary)));
    facts.push(("drains nodes", drains(summary)));
    facts.push(("outage", outages(plan, summary)));
    facts.push(("rollback", rollbacks(plan, summary)));
    facts.push(("can be lost", losses(plan, summary)));
    facts.push(("approvals", approvals(plan)));
    if summary.undecided > 0 {
        let many = labels::count(summary.undecided, "workload needs", "workloads need");
        facts.push(("undecided", vec![format!("{many} a decision: see `Needs a decision` below")]));
    }
    facts
}

fn moves(summary: &Summary) -> Vec<String> {
    let line = |(number, hop): (usize, &HopSummary)| {
        let from = hop.hop.from.as_ref().map_or_else(String::new, |from| format!("{from} -> "));
        format!("{}. {} {from}{}, about {}", number + 1, hop.hop.id.component(), hop.hop.id.to(), hop.takes)
    };
    none(summary.hops.iter().enumerate().map(line).collect())
}

/// What the plan stops before.
fn later(plan: &Plan) -> String {
    let hops: Vec<String> = plan.later.iter().map(ToString::to_string).collect();
    format!("not in this plan: {}; observe and plan again when a run of it is complete", hops.join(", "))
}

fn takes(plan: &Plan, summary: &Summary) -> Vec<String> {
    let about = format!("about {}, not counting waits for windows, approvals and workloads", summary.takes);
    let when = match (&summary.expected, &summary.stuck) {
        (Some(expected), _) => {
            format!("if started at {}: {} to {}", plan.inputs.as_of, expected.begins, expected.ends)
        }
        (None, Some(step)) => {
            format!("cannot finish: no maintenance window in the next year fits {step} and its rollback")
        }
        (None, None) => return vec![about],
    };
    vec![about, when]
}

/// Which steps of each hop move workloads off nodes.
fn drains(summary: &Summary) -> Vec<String> {
    let of = |hop: &HopSummary| {
        let inside = format!("{}/", hop.hop.id);
        let parts: Vec<&str> =
            summary.drains.iter().filter_map(|id| id.as_str().strip_prefix(&inside)).collect();
        (!parts.is_empty()).then(|| format!("{}: {}", hop.hop.id, parts.join(", ")))
    };
    none(summary.hops.iter().filter_map(of).collect())
}

fn outages(plan: &Plan, summary: &Summary) -> Vec<String> {
    let forward = summary.outages.iter().filter_map(|id| plan.step(id));
    let forward = forward.map(|step| format!("{}: {}", step.id, step.work.title));
    let back = summary.hops.iter().filter(|hop| hop.back.disruption == Some(Disruption::Outage));
    let back: Vec<String> = back.map(|hop| hop.hop.id.to_string()).collect();
    let back = (!back.is_empty()).then(|| format!("also when rolled back: {}", back.join(", ")));
    none(forward.chain(back).collect())
}

fn rollbacks(plan: &Plan, summary: &Summary) -> Vec<String> {
    let ended = ended(plan);
    let line = |hop: &HopSummary| {
        let until = match (&hop.back.times, hop.back.commits.is_empty()) {
            (_, false) => "not possible from its end".to_owned(),
            (Some(times), true) => labels::times(times),
            (None, true) if hop.back.steps == 0 => "nothing to undo".to_owned(),
            (None, true) => "until `switchback cleanup`".to_owned(),
        };
        match ended.get(&hop.hop.id) {
            Some((_, step)) => format!("{}: ends when {step} starts; until then {until}", hop.hop.id),
            None => format!("{}: {until}", hop.hop.id),
        }
    };
    let points = summary
        .hops
        .iter()
        .flat_map(|hop| &hop.points)
        .map(|point| format!("point of no return {} at {}: {} ends", point.id, point.step, point.ends));
    none(summary.hops.iter().map(line).chain(points).collect())
}

/// Hops whose rollback a step of another hop ends, whatever the time, each with the first such step and where it stands.
fn ended(plan: &Plan) -> BTreeMap<&HopId, (Option<usize>, &StepId)> {
    let number = |id: &StepId| plan.steps.binary_search_by(|step| step.id.cmp(id)).ok();
    let mut ended: BTreeMap<&HopId, (Option<usize>, &StepId)> = BTreeMap::new();
    for undo in &plan.rollback {
        let starts = undo.expires.iter().filter_map(|expiry| match &expiry.at {
            ExpiresAt::Start(step) => Some(step),
            _ => None,
        });
        for end in starts {
            let (found, own) = (number(end), plan.step(end).map(|step| &step.hop));
            let hops = undo.undoes.iter().filter_map(|id| plan.step(id)).map(|step| &step.hop);
            for hop in hops.filter(|hop| Some(*hop) != own) {
                let first = ended.entry(hop).or_insert((found, end));
                if found < first.0 {
                    *first = (found, end);
                }
            }
        }
    }
    ended
}

/// What a rollback or an accepted deletion costs, and what is begun anew where nodes move.
fn losses(plan: &Plan, summary: &Summary) -> Vec<String> {
    let lost = |hop: &HopSummary| {
        let loses = &hop.back.loses;
        (!loses.is_empty()).then(|| format!("by rolling back {}: {}", hop.hop.id, loses.join(" and ")))
    };
    let irreversible: Vec<&StepId> = summary.hops.iter().flat_map(|hop| &hop.back.commits).collect();
    let never = irreversible.into_iter().filter_map(|id| plan.step(id));
    let never = never.map(|step| format!("{} cannot be undone", step.id));
    let mut lines: Vec<String> = summary.hops.iter().filter_map(lost).chain(never).collect();
    lines.extend(standing::begun_anew(plan));
    none(lines)
}

/// Each approval with its command, and how many have to give it.
fn approvals(plan: &Plan) -> Vec<String> {
    let quorum = plan.platform.quorum;
    let line = |gate: &Gate| match &gate.kind {
        GateKind::Approval(scope) => {
            let people = match &plan.platform.trust {
                Some(trust) => format!(", by {quorum} of {} (trust {})", names(&trust.approvers), trust.name),
                None if quorum > 1 => format!(", by {quorum} persons"),
                None => String::new(),
            };
            Some(format!("switchback approve --{}{people}: {}", labels::approval(scope), gate.title))
        }
        _ => None,
    };
    none(plan.gates.iter().filter_map(line).collect())
}

fn names(people: &[Label]) -> String {
    people.iter().map(Label::as_str).collect::<Vec<_>>().join(", ")
}

fn none(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec!["none".to_owned()] } else { lines }
}
