//! Events as lines: when, what, where.

use switchback_face::SafeText;
use switchback_schemas::{
    event::RunEvent,
    journal::{At, Event, RollbackScope, Verdict, Way},
    plan::Disruption,
};

use super::{Names, labels};

/// Nodes of a batch that are named.
const NODES: usize = 4;

/// Characters of a line.
const WIDTH: usize = 400;

/// Characters of a line in short.
const BRIEF: usize = 200;

/// The line of an event; `None` for what a person need not see.
pub(super) fn line(names: &Names<'_>, event: &RunEvent) -> Option<String> {
    let (at, text) = match event {
        RunEvent::Recorded { record } => (record.at, recorded(names, &record.event)?),
        RunEvent::Waiting { at, step, waits_for } => {
            (*at, format!("waits    {}: {}", names.place(step), labels::all_waits(waits_for)))
        }
    };
    Some(SafeText::line(&format!("{}  {text}", at.strftime("%H:%M:%S")), WIDTH).to_string())
}

/// The line of an event in short: of what is done, only what disrupts something. Why a step failed stands in what follows from it.
pub(super) fn brief(names: &Names<'_>, event: &RunEvent) -> Option<String> {
    let RunEvent::Recorded { record } = event else { return None };
    let disrupts = |at: &At| {
        let step = names.plan.step(&at.step);
        at.way != Way::Forward || step.is_some_and(|step| step.work.disruption > Disruption::None)
    };
    let told = match &record.event {
        Event::Verified { at, verdict: Verdict::Holds { .. } } => at.item.is_none() && disrupts(at),
        Event::Compared { shortages } => !shortages.is_empty(),
        Event::Verified { .. }
        | Event::Counted { .. }
        | Event::Passed { .. }
        | Event::Skipped { .. }
        | Event::Intent { .. }
        | Event::Ended { .. }
        | Event::BatchDone { .. }
        | Event::Converged { .. } => false,
        _ => true,
    };
    let text = recorded(names, &record.event).filter(|_| told)?;
    Some(SafeText::line(&format!("{}  {text}", record.at.strftime("%H:%M:%S")), BRIEF).to_string())
}

fn recorded(names: &Names<'_>, event: &Event) -> Option<String> {
    let place = |at| names.place(at);
    Some(match event {
        Event::Header { run, platform, plan, .. } => {
            format!("run      {run} of plan {} on platform {platform}", plan.short(12))
        }
        Event::Epoch { holder, by: None } => format!("lease    acquired by {holder}"),
        Event::Epoch { holder, by: Some(by) } => {
            format!("lease    acquired by {holder}, with the credentials of {}", labels::who(by))
        }
        Event::Claimed {} => "claimed  the platform is this run's".to_owned(),
        Event::Approved { approval } => {
            format!("approved {} by {}", labels::scope(&approval.scope), labels::who(&approval.by))
        }
        Event::Counted { hop, looks: 1, .. } => format!("counted  what stands on the platform before {hop}"),
        Event::Counted { hop, looks, counted, .. } => {
            format!("counted  {} workloads and Services in {looks} looks before {hop}", counted.len())
        }
        Event::Compared { shortages } if shortages.is_empty() => {
            "compared nothing is worse than before this run".to_owned()
        }
        Event::Compared { shortages } => {
            let all: Vec<String> = shortages.iter().map(ToString::to_string).collect();
            format!("compared worse than before this run: {}", all.join("; "))
        }
        Event::Passed { at, gate, evidence } => {
            format!("passed   gate {gate} of {}: {}", place(at), evidence.0.join("; "))
        }
        Event::Skipped { at, .. } => format!("skipped  {}: it is done already", place(at)),
        Event::Intent { at, attempt: 1, .. } => format!("starts   {}", place(at)),
        // A step that waits is called again and again; what it waits for is said when it changes.
        Event::Ended { at, outcome, .. } => format!("ended    {}: {}", place(at), labels::outcome(outcome)?),
        Event::Verified { at, verdict: verdict @ Verdict::Holds { .. } } => {
            format!("{:8} {}", labels::verdict(verdict), place(at))
        }
        Event::Verified { at, verdict } => format!("verify   {} {}", place(at), labels::verdict(verdict)),
        Event::Stopped { at, evidence } => {
            format!(
                "stopped  {}: the platform changed since the plan was made: {}",
                place(at),
                evidence.0.join("; ")
            )
        }
        Event::Frozen { at, batch, items, .. } => {
            let nodes: Vec<&str> = items.iter().take(NODES).map(|item| item.name.as_str()).collect();
            let more = items.len().saturating_sub(NODES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let batch = if *batch == 0 { "canary".to_owned() } else { format!("batch {batch}") };
            format!("selected {} {batch}: {}{more}", place(at), nodes.join(", "))
        }
        Event::Gone { at, item } => {
            format!("gone     {} {} disappeared by itself", place(at), names.node(item))
        }
        Event::BatchDone { at, batch: 0 } => format!("done     {} canary", place(at)),
        Event::BatchDone { at, batch } => format!("done     {} batch {batch}", place(at)),
        Event::Converged { at } => format!("done     {}: all nodes have moved", place(at)),
        Event::Reached { savepoint } => format!("reached  savepoint {savepoint}"),
        Event::TurnedToRollback { scope, why } => match scope {
            RollbackScope::Step(step) => format!("ROLLBACK of {step}: {why}"),
            RollbackScope::Savepoint(to) => format!("ROLLBACK to savepoint {to}: {why}"),
        },
        Event::TurnedForward { why } => format!("FORWARD  {why}"),
        Event::TurnedToCleanup { steps, why, .. } => {
            let left = names.plan.retentions.iter().filter(|left| steps.contains(&left.step));
            let left: Vec<&str> = left.map(|left| left.what.as_str()).collect();
            format!("CLEANUP  deletes {}: {why}", left.join(", "))
        }
        Event::Held { at: Some(at), why } => format!("HELD     at {}: {why}", place(at)),
        Event::Held { at: None, why } => format!("HELD     {why}"),
        Event::Retry { at, why } => format!("retry    {}: {why}", place(at)),
        Event::Parked { waits_for, .. } => format!("PARKED   waits for {}", labels::all_waits(waits_for)),
        Event::LeftSuspended { suspension, why } => format!("LEFT     suspended: {suspension}: {why}"),
        Event::Noted { text } => format!("note     {text}"),
        Event::Superseded { by } => format!("handed   to run {by}"),
        Event::Returned { from, .. } => {
            format!("returned from run {from}, which rolled back to its start")
        }
        Event::Done { end, .. } => format!("END      {}", labels::end(*end)),
        Event::Captured { .. } | Event::Heard { .. } | Event::Intent { .. } => return None,
    })
}
